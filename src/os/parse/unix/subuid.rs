//! /etc/subuid (subuid(5)). Pure.

/// Returns the user to whom a range with this uid belongs: a name, or a number.
pub(in crate::os) fn owner(bytes: &[u8], uid: u32) -> Option<String> {
    String::from_utf8_lossy(bytes).lines().find_map(|line| subordinate(line, uid).map(str::to_owned))
}

/// Returns the user in `dev:100000:65536`, if the range holds this uid.
fn subordinate(line: &str, uid: u32) -> Option<&str> {
    let mut fields = line.split(':');
    let (name, first, count) = (fields.next()?, fields.next()?, fields.next()?);
    let (first, count): (u32, u32) = (first.trim().parse().ok()?, count.trim().parse().ok()?);
    (uid >= first && uid - first < count).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_of_subordinate_users() {
        assert_eq!(subordinate("dev:100000:65536", 100_000), Some("dev"));
        assert_eq!(subordinate("dev:100000:65536", 165_535), Some("dev"));
        for (line, uid) in [
            ("dev:100000:65536", 165_536),
            ("dev:100000:65536", 99_999),
            ("dev:100000", 100_000),
            ("dev:x:1", 1),
            ("", 0),
            ("dev:4294967295:4294967295", 5),
        ] {
            assert_eq!(subordinate(line, uid), None, "{line}");
        }
    }

    #[test]
    fn the_first_range_counts() {
        let file = b"dev:100000:65536\n\xff:165536:65536\n1001:165536:10\n";
        assert_eq!(owner(file, 100_001).as_deref(), Some("dev"));
        assert_eq!(owner(file, 165_537).as_deref(), Some("\u{fffd}"));
        assert_eq!(owner(file, 1), None);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>, uid: u32) {
            let _ = owner(&bytes, uid);
        }
    }
}
