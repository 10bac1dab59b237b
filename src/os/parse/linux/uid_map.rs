//! /proc/PID/uid_map (user_namespaces(7)). Pure.

use crate::model::UserRange;

/// Parses the lines: the first uid inside, its number outside, and the number of uids.
pub(in crate::os) fn ranges(text: &str) -> Vec<UserRange> {
    let range = |line: &str| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(UserRange { first: next()?, outside: next()?, count: next()? })
    };
    text.lines().filter_map(range).collect()
}

/// Returns whether this is the map of the first user namespace: all numbers, each standing for itself.
pub(in crate::os) fn is_initial_map(map: &str) -> bool {
    map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_that_is_no_range_is_left_out() {
        assert_eq!(ranges("x\n1 2\n0 4001 1\n"), [UserRange { first: 0, outside: 4001, count: 1 }]);
    }

    #[test]
    fn the_first_user_namespace() {
        assert!(is_initial_map("         0          0 4294967295\n"));
        assert!(!is_initial_map("         0       1000          1\n"));
    }

    proptest! {
        #[test]
        fn any_text(map: String) {
            prop_assert!(ranges(&map).len() <= map.lines().count());
            let _ = is_initial_map(&map);
        }
    }
}
