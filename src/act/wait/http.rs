//! One HTTP/1.1 GET, of whose answer only the status is read.
//!
//! Written here because an HTTP client is a heavy dependency for one status line. It follows no redirect, reads no body
//! and stores nothing. The functions on bytes are pure.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::pass::WaitAttempt;
use crate::model::text::visible;

/// The longest status line. A longer one is not HTTP.
const LONGEST_LINE: usize = 1024;
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
        match answered(&answer) {
            Answered::Status(status) => return WaitAttempt::Status(status),
            Answered::NotHttp => return WaitAttempt::NotHttp,
            Answered::Incomplete if answer.len() > MOST_BYTES => return WaitAttempt::NotHttp,
            Answered::Incomplete => {}
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

/// What the first bytes of an answer are.
#[derive(Debug, PartialEq, Eq)]
enum Answered {
    Status(u16),
    Incomplete,
    NotHttp,
}

/// Reads the status line. Interim answers (1xx, except 101 Switching Protocols) are skipped.
fn answered(mut bytes: &[u8]) -> Answered {
    loop {
        const BEGIN: &[u8] = b"HTTP/1.";
        if !bytes.iter().zip(BEGIN).all(|(byte, wanted)| byte == wanted) {
            return Answered::NotHttp;
        }
        let Some(end) = bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') else {
            return if bytes.len() < LONGEST_LINE { Answered::Incomplete } else { Answered::NotHttp };
        };
        let line = bytes.get(..end).unwrap_or_default();
        let Some(status) = status(line.strip_suffix(b"\r").unwrap_or(line)) else {
            return Answered::NotHttp;
        };
        if !(100..200).contains(&status) || status == 101 {
            return Answered::Status(status);
        }
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Answered::Incomplete;
        };
        bytes = bytes.get(end + 4..).unwrap_or_default();
    }
}

/// Returns the status of a line such as `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let [b'0'..=b'9', b' ', digits @ ..] = rest else { return None };
    let (digits, rest) = digits.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) || !matches!(rest, [] | [b' ', ..]) {
        return None;
    }
    let status: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (status >= 100).then_some(status)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn status_lines() {
        for (bytes, wanted) in [
            (&b"HTTP/1.1 200 OK\r\n"[..], Answered::Status(200)),
            (b"HTTP/1.0 404\n", Answered::Status(404)),
            (b"HTTP/1.1 302 Found\r\nLocation: /x\r\n", Answered::Status(302)),
            (b"HTTP/1.1 101 Switching Protocols\r\n", Answered::Status(101)),
            (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 500 No\r\n", Answered::Status(500)),
            (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n", Answered::Incomplete),
            (b"HTTP/1.1 100 Continue\r\n\r\n", Answered::Incomplete),
            (b"", Answered::Incomplete),
            (b"HTT", Answered::Incomplete),
            (b"HTTP/1.1 200 O", Answered::Incomplete),
            (b"HTTP/2 200\r\n", Answered::NotHttp),
            (b"HTTP/1.1 20\r\n", Answered::NotHttp),
            (b"HTTP/1.1 2000 OK\r\n", Answered::NotHttp),
            (b"HTTP/1.1 099 OK\r\n", Answered::NotHttp),
            (b"HTTP/1.1  200 OK\r\n", Answered::NotHttp),
            (b"SSH-2.0-OpenSSH_9.6\r\n", Answered::NotHttp),
            (b"\x15\x03\x01\x00\x02\x02\x50", Answered::NotHttp),
        ] {
            assert_eq!(answered(bytes), wanted, "{}", bytes.escape_ascii());
        }
        let endless = [b"HTTP/1.1 200 ".as_slice(), &[b'a'; LONGEST_LINE]].concat();
        assert_eq!(answered(&endless), Answered::NotHttp);
    }

    #[test]
    fn paths() {
        for path in ["/", "/health", "/a?b=c&d=%20", "/\u{e4}"] {
            assert_eq!(HttpPath::parse(path).unwrap().as_str(), path);
        }
        for wrong in ["", "health", "http://x/", "/a b", "/a\tb", "/a\r\nX: y", "/\u{7f}", "/\u{a0}"] {
            assert!(HttpPath::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = answered(&bytes);
            let begun = [b"HTTP/1.1 1".as_slice(), &bytes].concat();
            let _ = answered(&begun);
        }

        #[test]
        fn more_bytes_do_not_change_an_answer(text in "HTTP/1\\.[01] [1-5][0-9]{2}( OK)?\r\n[a-z\r\n]{0,20}") {
            let whole = answered(text.as_bytes());
            for end in 0..text.len() {
                let part = answered(&text.as_bytes()[..end]);
                prop_assert!(part == whole || part == Answered::Incomplete);
            }
        }
    }
}
