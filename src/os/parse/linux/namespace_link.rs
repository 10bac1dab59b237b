//! The text of a link to a namespace in /proc/PID/ns (namespaces(7)). Pure.

use super::proc_fd::digits;

/// Returns the number in `net:[4026531840]`, of the kind of namespace that `prefix` stands for: `net:[`.
pub(in crate::os) fn number(link: &[u8], prefix: &[u8]) -> Option<u64> {
    digits(link.strip_prefix(prefix)?.strip_suffix(b"]")?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn links_name_the_kind() {
        assert_eq!(number(b"net:[4026531840]", b"net:["), Some(4_026_531_840));
        assert_eq!(number(b"mnt:[7]", b"mnt:["), Some(7));
        for other in [&b"mnt:[4026531840]"[..], b"net:[]", b"net:[1", b"net:[-1]", b"/net:[1]", b""] {
            assert_eq!(number(other, b"net:["), None);
        }
    }

    proptest! {
        #[test]
        fn any_link(bytes: Vec<u8>) {
            let _ = number(&bytes, b"net:[");
        }
    }
}
