//! The head of an HTTP/1 response (RFC 9112): its status line and its fields. Pure: compiled and tested on every system.

/// The longest status line. A longer one is not HTTP.
const LONGEST_LINE: usize = 1024;

/// Why a line is not a status line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusLineError {
    NotHttp,
    /// It has the version of HTTP, and no status of three digits.
    NoStatus,
}

/// What the first bytes of a response are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstBytes {
    Status(u16),
    Incomplete,
    NotHttp,
}

/// Returns the status of the final response. Interim ones (1xx, except 101 Switching Protocols) are skipped.
pub(crate) fn final_status(mut bytes: &[u8]) -> FirstBytes {
    loop {
        const BEGIN: &[u8] = b"HTTP/1.";
        if !bytes.iter().zip(BEGIN).all(|(byte, wanted)| byte == wanted) {
            return FirstBytes::NotHttp;
        }
        let Some(end) = bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') else {
            return if bytes.len() < LONGEST_LINE { FirstBytes::Incomplete } else { FirstBytes::NotHttp };
        };
        let line = bytes.get(..end).unwrap_or_default();
        match status(line.strip_suffix(b"\r").unwrap_or(line)) {
            Ok(status @ (101 | 200..)) => return FirstBytes::Status(status),
            Ok(100..) => {}
            Ok(_) | Err(_) => return FirstBytes::NotHttp,
        }
        let Some((_, rest)) = split_head(bytes) else { return FirstBytes::Incomplete };
        bytes = rest;
    }
}

/// Returns the status of a line such as `HTTP/1.1 200 OK`.
///
/// # Errors
/// If it does not begin with a version of HTTP/1, or if no three digits follow.
pub(crate) fn status(line: &[u8]) -> Result<u16, StatusLineError> {
    let mut words = line.split(|byte| *byte == b' ');
    let version = words.next().and_then(|word| word.strip_prefix(b"HTTP/1."));
    if !matches!(version, Some([b'0'..=b'9'])) {
        return Err(StatusLineError::NotHttp);
    }
    let code = words.next().filter(|code| code.len() == 3 && code.iter().all(u8::is_ascii_digit));
    let code = code.and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
    code.ok_or(StatusLineError::NoStatus)
}

/// Returns the lines before the first empty line, and the bytes after it. Lines end in CR LF, or in LF alone. `None` if
/// there is no empty line.
pub(crate) fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.filter_map(|(at, _)| bytes.split_at_checked(at + 1)).find_map(|(head, rest)| {
        let rest = rest.strip_prefix(b"\n").or_else(|| rest.strip_prefix(b"\r\n"))?;
        Some((head, rest))
    })
}

/// Returns the lines of a head, the status line first.
pub(crate) fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii)
}

/// Returns the name of a field, in lower case, and its value. `None` for other lines.
pub(crate) fn field(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let at = line.iter().position(|byte| *byte == b':')?;
    Some((line.get(..at)?.to_ascii_lowercase(), line.get(at + 1..)?.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn status_lines() {
        for (bytes, wanted) in [
            (&b"HTTP/1.1 200 OK\r\n"[..], FirstBytes::Status(200)),
            (b"HTTP/1.0 404\n", FirstBytes::Status(404)),
            (b"HTTP/1.1 302 Found\r\nLocation: /x\r\n", FirstBytes::Status(302)),
            (b"HTTP/1.1 101 Switching Protocols\r\n", FirstBytes::Status(101)),
            (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 500 No\r\n", FirstBytes::Status(500)),
            (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n", FirstBytes::Incomplete),
            (b"HTTP/1.1 100 Continue\r\n\r\n", FirstBytes::Incomplete),
            (b"HTTP/1.1 100 Continue\n\nHTTP/1.1 204\n", FirstBytes::Status(204)),
            (b"", FirstBytes::Incomplete),
            (b"HTT", FirstBytes::Incomplete),
            (b"HTTP/1.1 200 O", FirstBytes::Incomplete),
            (b"HTTP/2 200\r\n", FirstBytes::NotHttp),
            (b"HTTP/1.1 20\r\n", FirstBytes::NotHttp),
            (b"HTTP/1.1 2000 OK\r\n", FirstBytes::NotHttp),
            (b"HTTP/1.1 099 OK\r\n", FirstBytes::NotHttp),
            (b"HTTP/1.1  200 OK\r\n", FirstBytes::NotHttp),
            (b"SSH-2.0-OpenSSH_9.6\r\n", FirstBytes::NotHttp),
            (b"\x15\x03\x01\x00\x02\x02\x50", FirstBytes::NotHttp),
        ] {
            assert_eq!(final_status(bytes), wanted, "{}", bytes.escape_ascii());
        }
        let endless = [b"HTTP/1.1 200 ".as_slice(), &[b'a'; LONGEST_LINE]].concat();
        assert_eq!(final_status(&endless), FirstBytes::NotHttp);
        assert_eq!(final_status(&endless[..LONGEST_LINE]), FirstBytes::NotHttp);
        assert_eq!(final_status(&endless[..LONGEST_LINE - 1]), FirstBytes::Incomplete);
    }

    #[test]
    fn heads() {
        let (head, body) = split_head(b"HTTP/1.0 200 OK\r\nServer:  x \r\n\r\n[]\n\n").unwrap();
        let mut lines = lines(head);
        assert_eq!(lines.next().map(status), Some(Ok(200)));
        assert_eq!(lines.next().and_then(field), Some((b"server".to_vec(), &b"x"[..])));
        assert_eq!(body, b"[]\n\n");
        assert_eq!(split_head(b"a\n\nb"), Some((&b"a\n"[..], &b"b"[..])));
        assert_eq!(split_head(b"a\r\nb\r\n"), None);
        assert_eq!(status(b"HTTP/1.0"), Err(StatusLineError::NoStatus));
        assert_eq!(status(b"HTTP/2 200"), Err(StatusLineError::NotHttp));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = final_status(&bytes);
            let begun = [b"HTTP/1.1 1".as_slice(), &bytes].concat();
            let _ = final_status(&begun);
        }

        #[test]
        fn more_bytes_do_not_change_an_answer(text in "HTTP/1\\.[01] [1-5][0-9]{2}( OK)?\r\n[a-z\r\n]{0,20}") {
            let whole = final_status(text.as_bytes());
            for end in 0..text.len() {
                let part = final_status(&text.as_bytes()[..end]);
                prop_assert!(part == whole || part == FirstBytes::Incomplete);
            }
        }
    }
}
