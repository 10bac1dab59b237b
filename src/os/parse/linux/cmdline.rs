//! The command line in /proc/PID/cmdline (proc_pid_cmdline(5)). Pure.

use crate::model::Text;

/// Splits a command line into arguments, each of which ends in NUL. A process may have rewritten them to anything.
pub(in crate::os) fn arguments(bytes: &[u8]) -> Vec<Text> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    // A title as setproctitle(3) makes it is padded with NULs.
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    bytes.get(..end).unwrap_or_default().split(|byte| *byte == 0).map(Text::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arguments_end_in_nul() {
        let texts = |parts: &[&str]| parts.iter().map(|part| Text::from(*part)).collect::<Vec<_>>();
        assert_eq!(arguments(b"node\0\0server.js\0"), texts(&["node", "", "server.js"]));
        assert_eq!(arguments(b"nginx: worker\0\0\0\0"), texts(&["nginx: worker"]));
        assert_eq!(arguments(b"title without end"), texts(&["title without end"]));
        assert_eq!(arguments(b""), texts(&[]));
        assert_eq!(arguments(b"\0"), texts(&[]));
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let arguments = arguments(&bytes);
            let joined = arguments.iter().map(|one| one.as_bytes().to_vec()).collect::<Vec<_>>().join(&0);
            prop_assert!(bytes.starts_with(&joined));
        }
    }
}
