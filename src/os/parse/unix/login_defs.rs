//! /etc/login.defs (login.defs(5)). Pure.

/// Returns the value of UID_MIN.
pub(in crate::os) fn uid_min(definitions: &str) -> Option<u32> {
    let value = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|name| *name == "UID_MIN")?;
        words.next()?.parse().ok()
    };
    // The last line counts.
    definitions.lines().rev().find_map(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_lowest_uid_of_a_person_is_configured() {
        for (definitions, uid) in [
            ("UID_MIN\t\t\t 1000\nUID_MAX 60000\n", Some(1000)),
            ("#UID_MIN 1000\nSYS_UID_MIN 100\n", None),
            ("UID_MIN 1000\nUID_MIN 500", Some(500)),
            ("UID_MIN x\n", None),
            ("", None),
        ] {
            assert_eq!(uid_min(definitions), uid, "{definitions}");
        }
    }

    proptest! {
        #[test]
        fn any_text(text: String) {
            let _ = uid_min(&text);
        }
    }
}
