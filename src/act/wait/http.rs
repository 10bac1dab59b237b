//! One HTTP/1.1 GET, of whose answer only the status is read.
//!
//! Written here because an HTTP client is a heavy dependency for one status line. It follows no redirect, reads no body
//! and stores nothing. `os::parse::http` parses the answer.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::pass::WaitAttempt;
use crate::model::text::visible;
use crate::os::parse::http::{FirstBytes, final_status};

/// The most bytes that are read. Only interim answers (103 Early Hints) have a status line that is not in the first read.
const MOST_BYTES: usize = 16 * 1024;

/// The path of a request: begins with `/`, and has no control characters and no spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpPath(String);

impl Default for HttpPath {
    fn default() -> HttpPath {
        HttpPath("/".to_owned())
    }
}

impl HttpPath {
    /// Parses a path.
    ///
    /// # Errors
    /// If it does not begin with `/`, or has control characters or spaces: they would end the request line.
    pub(crate) fn parse(text: &str) -> Result<HttpPath, String> {
        if !text.starts_with('/') {
            return Err(format!("'{}' is not the path of a URL: it must begin with /", visible(text)));
        }
        if text.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
            return Err(format!(
                "'{}' has a space or a control character; write %20 for a space",
                visible(text)
            ));
        }
        Ok(HttpPath(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Sends a GET for `localhost` and returns the status of the answer.
pub(super) fn get(mut stream: &TcpStream, port: u16, path: &HttpPath, deadline: Instant) -> WaitAttempt {
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: allears/{}\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n",
        path.as_str(),
        env!("CARGO_PKG_VERSION"),
    );
    let failed = |kind: ErrorKind| match kind {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => WaitAttempt::NoAnswer,
        _ => WaitAttempt::Closed,
    };
    // A server may answer before it has read the request, and close then: what it wrote is read all the same.
    let sent = limit(stream, deadline).and_then(|()| stream.write_all(request.as_bytes()));
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let read = limit(stream, deadline).and_then(|()| stream.read(&mut buffer));
        match read {
            Ok(0) if answer.is_empty() => return WaitAttempt::Closed,
            Ok(0) => return WaitAttempt::NotHttp,
            Ok(read) => answer.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return failed(sent.err().map_or(error.kind(), |error| error.kind())),
        }
        match final_status(&answer) {
            FirstBytes::Status(status) => return WaitAttempt::Status(status),
            FirstBytes::NotHttp => return WaitAttempt::NotHttp,
            FirstBytes::Incomplete if answer.len() > MOST_BYTES => return WaitAttempt::NotHttp,
            FirstBytes::Incomplete => {}
        }
    }
}

/// Limits the next read and write to the time that is left.
fn limit(stream: &TcpStream, deadline: Instant) -> std::io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    // Zero would mean no limit.
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(Some(left))?;
    stream.set_write_timeout(Some(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for path in ["/", "/health", "/a?b=c&d=%20", "/\u{e4}"] {
            assert_eq!(HttpPath::parse(path).unwrap().as_str(), path);
        }
        for wrong in ["", "health", "http://x/", "/a b", "/a\tb", "/a\r\nX: y", "/\u{7f}", "/\u{a0}"] {
            assert!(HttpPath::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
