//! The release of the kernel, as uname(2) and /proc/sys/kernel/osrelease have it. Pure.

use super::proc_fd::digits;

/// Returns the first two numbers of a release: 6 and 18 of `6.18.44-fc`.
pub(in crate::os) fn version(release: &[u8]) -> Option<(u64, u64)> {
    let mut numbers = release.split(|byte| !byte.is_ascii_digit()).map(digits);
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions() {
        assert_eq!(version(b"6.18.44-fc"), Some((6, 18)));
        assert_eq!(version(b"5.15.0-91-generic"), Some((5, 15)));
        assert_eq!(version(b"7.3-rc1"), Some((7, 3)));
        assert_eq!(version(b"6"), None);
        assert_eq!(version(b"x.1"), None);
    }

    proptest! {
        #[test]
        fn any_bytes(release: Vec<u8>) {
            let _ = version(&release);
        }
    }
}
