//! The files of /proc/sys that hold numbers and ports (the kernel's ip-sysctl documentation, proc_sys_fs(5)). Pure.

use std::ops::RangeInclusive;
use std::str::FromStr;

/// Parses a number, the whole content of a file.
pub(in crate::os) fn number<T: FromStr>(text: &str) -> Option<T> {
    text.trim().parse().ok()
}

/// Parses the first number of `file-nr`: how many files are open.
pub(in crate::os) fn open_files(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// Parses two ports with a tab between them, as in `ip_local_port_range`.
pub(in crate::os) fn port_range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_ascii_whitespace();
    Some(numbers.next()?.parse().ok()?..=numbers.next()?.parse().ok()?)
}

/// Parses a list such as `8080,9148-9150`, as in `ip_local_reserved_ports`.
pub(in crate::os) fn port_list(text: &str) -> Vec<RangeInclusive<u16>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.trim().split(',').filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_kernel_writes() {
        assert_eq!(port_range("32768\t60999\n"), Some(32768..=60999));
        assert_eq!(port_range("32768\n"), None);
        assert_eq!(number::<u16>("1024\n"), Some(1024));
        assert_eq!(number::<u16>("65536\n"), None);
        assert_eq!(open_files("1376\t0\t9223372036854775807\n"), Some(1376));
        assert_eq!(port_list("8080,9148-9150\n"), [8080..=8080, 9148..=9150]);
        assert_eq!(port_list("\n"), []);
    }

    proptest! {
        #[test]
        fn any_text(text: String) {
            let _ = (port_range(&text), port_list(&text), number::<u64>(&text), open_files(&text));
        }
    }
}
