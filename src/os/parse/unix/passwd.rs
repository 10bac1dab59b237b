//! /etc/passwd (passwd(5)). Pure.

/// Returns the users and their uids, in the order of the file.
pub(in crate::os) fn users(file: &str) -> Vec<(String, u32)> {
    let user = |line: &str| {
        let mut fields = line.split(':');
        // A name with + or - includes users of another database.
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with(['+', '-', '#']))?;
        Some((name.to_owned(), fields.nth(1)?.parse().ok()?))
    };
    file.lines().filter_map(user).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn users_have_a_name_and_a_number() {
        let file = "root:x:0:0:root:/root:/bin/sh\n# nobody:x:1:1\n+::::::\n:x:3:3\ntorn\ndev:x:1000:1000::/:\nbad:x:y:0\n";
        assert_eq!(users(file), [("root".to_owned(), 0), ("dev".to_owned(), 1000)]);
    }

    proptest! {
        #[test]
        fn any_text(text: String) {
            let _ = users(&text);
        }
    }
}
