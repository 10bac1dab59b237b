//! The profile or context of a process in /proc/PID/attr/current, as AppArmor, SELinux and Smack write it. Pure.

/// Returns the profile or context. `None` if it confines nothing.
pub(in crate::os) fn confining(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| matches!(byte, 0 | b'\n')).unwrap_or(bytes.len());
    let context = bytes.get(..end)?;
    let unconfined =
        context.is_empty() || context == b"unconfined" || context.starts_with(b"unconfined_u:unconfined_r:");
    (!unconfined).then_some(context)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn confining_contexts() {
        for (bytes, context) in [
            (&b"docker-default (enforce)\n"[..], Some(&b"docker-default (enforce)"[..])),
            (b"system_u:system_r:httpd_t:s0\0", Some(b"system_u:system_r:httpd_t:s0")),
            (b"unconfined_u:unconfined_r:unconfined_t:s0\0", None),
            (b"unconfined\n", None),
            (b"\n", None),
            (b"", None),
        ] {
            assert_eq!(confining(bytes), context, "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = confining(&bytes);
        }
    }
}
