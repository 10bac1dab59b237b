//! The files in the service folders of runit, s6 and daemontools. Pure: compiled and tested on every system.

use std::time::Duration;

/// Returns whether `supervise/stat` of runit is such as `run, want down`.
pub(crate) fn runit_wants_down(stat: &[u8]) -> bool {
    stat.windows(9).any(|part| part == b"want down")
}

/// Returns whether `supervise/status` of daemontools wants the service down: 12 bytes of time, 4 bytes of the pid, one byte
/// for paused, and `u`, `d` or zero.
pub(crate) fn daemontools_wants_down(status: &[u8]) -> bool {
    status.len() == 18 && status.get(17).is_some_and(|want| *want != b'u')
}

/// Parses a number of milliseconds, as in `timeout-finish` of s6.
pub(crate) fn milliseconds(bytes: &[u8]) -> Option<Duration> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_states() {
        assert!(runit_wants_down(b"run, want down\n"));
        assert!(!runit_wants_down(b"run\n") && !runit_wants_down(b"down, want up\n"));
        let status = |want: u8| [&[0; 17][..], &[want]].concat();
        assert!(daemontools_wants_down(&status(b'd')) && daemontools_wants_down(&status(0)));
        assert!(!daemontools_wants_down(&status(b'u')) && !daemontools_wants_down(b"d"));
    }

    #[test]
    fn times() {
        assert_eq!(milliseconds(b"250\n"), Some(Duration::from_millis(250)));
        assert_eq!(milliseconds(b"soon"), None);
        assert_eq!(milliseconds(b"\xff"), None);
    }
}
