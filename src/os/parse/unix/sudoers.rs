//! /etc/sudoers (sudoers(5)). Pure.

/// Returns the value of `secure_path` in a sudoers file.
pub(in crate::os) fn secure_path(sudoers: &str) -> Option<&str> {
    // The last line counts.
    sudoers.lines().rev().find_map(|line| {
        let settings = line.trim_start().strip_prefix("Defaults")?;
        let (before, after) = settings.split_once("secure_path")?;
        let value = after.trim_start().strip_prefix('=')?.trim_start();
        let value = match value.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next()?,
            None => value.split([',', ' ', '\t']).next()?,
        };
        (!before.trim_end().ends_with('!') && value.starts_with('/')).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_secure_path_counts() {
        for (sudoers, path) in [
            ("", None),
            ("Defaults env_reset\nDefaults\tsecure_path=\"/a:/b\"\n", Some("/a:/b")),
            ("Defaults    secure_path = /sbin:/bin, mail_badpass", Some("/sbin:/bin")),
            ("# Defaults secure_path=/x", None),
            ("Defaults !secure_path", None),
            ("Defaults:dev secure_path=/c\nDefaults secure_path=/d", Some("/d")),
            ("Defaults secure_path=", None),
        ] {
            assert_eq!(secure_path(sudoers), path, "{sudoers}");
        }
    }

    proptest! {
        #[test]
        fn any_text(text: String) {
            let _ = secure_path(&text);
        }
    }
}
