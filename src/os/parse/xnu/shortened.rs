//! Lists that the kernel shortened for a user without privileges.

use super::pcblist::GENERATION_LENGTH;

/// The least length from which anything is concluded: that of some ten sockets.
const LEAST: usize = 10 * 400;

/// Returns whether a list is much shorter than the kernel reported: `reported` is the length that the sizing call returned,
/// `read` that of the list. macOS 27 reports the length for all sockets, and gives callers other than root only their own.
///
/// The sizing call adds an eighth (tcp_pcblist_n of bsd/netinet/tcp_subr.c), and sockets that come and go make some
/// difference. Neither explains less than half.
pub(in crate::os) fn is_shortened(reported: usize, read: usize) -> bool {
    let generations = 2 * GENERATION_LENGTH;
    let reported = reported.saturating_sub(generations) / 9 * 8;
    reported >= LEAST && read.saturating_sub(generations) < reported / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_list_is_detected() {
        let all = 48 + 300 * 616;
        let said = all + (all - 48) / 8;
        assert!(is_shortened(said, 48), "the headers alone");
        assert!(is_shortened(said, 48 + 30 * 616), "one's own sockets");
        assert!(!is_shortened(said, all));
        assert!(!is_shortened(said, 48 + 250 * 616), "some were closed meanwhile");
        // Two records of 24 bytes stand around the sockets; the sizing call adds an eighth.
        assert!(is_shortened(48 + 4500, 48 + 1999) && !is_shortened(48 + 4500, 48 + 2000));
        assert!(!is_shortened(48 + 4499, 48), "too few to tell");
        assert!(!is_shortened(48, 48) && !is_shortened(0, 0) && !is_shortened(48 + 2 * 616, 48));
    }
}
