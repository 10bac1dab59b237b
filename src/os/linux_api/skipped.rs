//! Rows that the kernel skipped.
//!
//! The kernel writes a table of sockets a page at a time, by netlink and in /proc/net. It finds its place again by counting:
//! within a bucket of a hash table (inet_diag_dump_icsk, udp_dump_one, unix_diag_dump, tcp_seek_last_pos), or in
//! /proc/net/udp from the first row on (udp_get_idx). If others are closed between two pages, rows are skipped although
//! their sockets were there all the time, and no flag tells it. Measured on Linux 6.18 while two processes opened and
//! closed 200 sockets each: of 2,000 TCP listeners 7 dumps in 1,000 lacked one, of 5,000 UDP sockets 7 to 13 in 400, and
//! single readings of /proc/net/udp lacked 600 of 3,600.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// The number of readings that suffice where few rows are skipped.
pub(in crate::os) const FEW_READINGS: usize = 3;
/// The same for a table that is counted from its first row: a reading can lack half of the rows.
pub(in crate::os) const MANY_READINGS: usize = 40;

/// Returns the rows of a first reading with those that it skipped. `again` reads the rows once more that `is_repeated`
/// accepts: those have to be complete.
///
/// If two successive readings list the same, nothing was skipped. Otherwise the last of `most` readings counts, with what
/// at least two others list and it skipped.
///
/// # Errors
/// Those of `again`.
pub(in crate::os) fn with_skipped<T, K: Hash + Eq, E>(
    first: Vec<T>,
    most: usize,
    mut again: impl FnMut() -> Result<Vec<T>, E>,
    is_repeated: impl Fn(&T) -> bool,
    key: impl Fn(&T) -> K,
) -> Result<Vec<T>, E> {
    let keys = |rows: &[T]| rows.iter().filter(|row| is_repeated(row)).map(&key).collect::<HashSet<K>>();
    let mut last = again()?;
    let mut in_last = keys(&last);
    if in_last == keys(&first) {
        return Ok(first);
    }
    let (first, others): (Vec<T>, Vec<T>) = first.into_iter().partition(&is_repeated);
    let mut earlier = vec![first];
    while earlier.len() + 1 < most {
        earlier.push(std::mem::replace(&mut last, again()?));
        let before = std::mem::replace(&mut in_last, keys(&last));
        if in_last == before {
            earlier.clear();
            break;
        }
    }
    let mut counts: HashMap<K, usize> = HashMap::new();
    for row in earlier.into_iter().flatten().filter(|row| !in_last.contains(&key(row))) {
        let count = counts.entry(key(&row)).or_default();
        *count += 1;
        if *count == 2 {
            last.push(row);
        }
    }
    last.extend(others);
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the rows, and how often they were read. Capital letters are not repeated.
    fn read(readings: &[&[u8]], most: usize) -> (String, usize) {
        let mut count = 1;
        let again = || {
            count += 1;
            Ok::<_, ()>(readings[count - 1].to_vec())
        };
        let rows = with_skipped(readings[0].to_vec(), most, again, u8::is_ascii_lowercase, |row| *row);
        (String::from_utf8(rows.unwrap()).unwrap(), count)
    }

    #[test]
    fn a_steady_table_is_read_twice() {
        assert_eq!(read(&[b"", b""], FEW_READINGS), (String::new(), 2));
        assert_eq!(read(&[b"aBc", b"ca"], FEW_READINGS), ("aBc".to_owned(), 2));
        assert_eq!(read(&[b"abC", b"a", b"a"], MANY_READINGS), ("aC".to_owned(), 3));
        assert_eq!(read(&[b"ab", b"ab", b"a", b"a"], MANY_READINGS), ("ab".to_owned(), 2));
        assert_eq!(read(&[b"abc", b"abd", b"a", b"a"], MANY_READINGS), ("a".to_owned(), 4));
    }

    #[test]
    fn what_one_reading_of_three_skipped_is_restored() {
        assert_eq!(read(&[b"acD", b"abc", b"abc"], FEW_READINGS), ("abcD".to_owned(), 3));
        assert_eq!(read(&[b"abcD", b"ac", b"abc"], FEW_READINGS), ("abcD".to_owned(), 3));
        assert_eq!(read(&[b"abcD", b"abce", b"ac"], FEW_READINGS), ("acbD".to_owned(), 3));
    }

    #[test]
    fn what_many_readings_skipped_is_restored() {
        let readings: [&[u8]; 5] = [b"abv", b"bw", b"abx", b"by", b"bz"];
        assert_eq!(read(&readings, 5), ("bza".to_owned(), 5));
    }

    #[test]
    fn what_was_closed_or_opened_meanwhile_is_as_in_the_last_reading() {
        assert_eq!(read(&[b"ab", b"a", b"a"], FEW_READINGS).0, "a");
        assert_eq!(read(&[b"a", b"ab", b"a"], FEW_READINGS).0, "a");
        assert_eq!(read(&[b"a", b"ab", b"ab"], FEW_READINGS).0, "ab");
        assert_eq!(read(&[b"a", b"b", b"ac"], FEW_READINGS).0, "ac");
    }

    #[test]
    fn a_reading_that_fails_is_an_error() {
        let refused = with_skipped(vec![1], FEW_READINGS, || Err("refused"), |_| true, |row| *row);
        assert_eq!(refused, Err("refused"));
    }
}
