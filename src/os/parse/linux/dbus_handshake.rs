//! The handshake of D-Bus, lines of text before the first message (D-Bus specification, "Authentication Protocol"). Pure.

/// Returns the request to authenticate a user by the credentials that the kernel passes (EXTERNAL), and to begin.
pub(in crate::os) fn external(uid: u32) -> String {
    let spelled: String = uid.to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
    format!("\0AUTH EXTERNAL {spelled}\r\nBEGIN\r\n")
}

/// Returns whether a line is complete.
pub(in crate::os) fn is_whole(line: &[u8]) -> bool {
    line.ends_with(b"\r\n")
}

/// Returns whether a reply accepts the user: `OK`, and the identifier of the server.
pub(in crate::os) fn is_accepted(line: &[u8]) -> bool {
    line.starts_with(b"OK ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_replies() {
        assert_eq!(external(1000), "\0AUTH EXTERNAL 31303030\r\nBEGIN\r\n");
        assert!(is_whole(b"OK 4f2a\r\n") && !is_whole(b"OK 4f2a\r"));
        assert!(is_accepted(b"OK 4f2a\r\n") && !is_accepted(b"REJECTED EXTERNAL\r\n"));
    }
}
