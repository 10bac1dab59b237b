//! Sockets in messages (SCM_RIGHTS) that nobody has received yet.

use std::io::BufRead;

use super::pin::Pin;
use super::procfs;
use super::walk::Walk;

/// Of processes that have one of these Unix sockets, those for whom descriptors wait in it. `search` says who has them.
pub(super) fn receivers(mut pending: Vec<u64>, search: impl Fn(&[u64]) -> Option<Walk>) -> Vec<Pin> {
    pending.sort_unstable();
    if pending.is_empty() {
        return Vec::new();
    }
    let Some(walk) = search(&pending) else { return Vec::new() };
    let mut receivers: Vec<Pin> = Vec::new();
    for found in walk.found {
        let Some(directory) = found.process.directory() else { continue };
        let info = procfs::read_at(&*directory, format!("fdinfo/{}", found.descriptor), 1 << 16);
        let waits = info.is_ok_and(|info| waiting_descriptors(&info) > 0);
        if waits && receivers.iter().all(|known| known.pid != found.process.pid) {
            receivers.push(found.process);
        }
    }
    receivers
}

/// `scm_fds: 3`
pub(super) fn waiting_descriptors(info: &[u8]) -> u64 {
    let line =
        info.lines().map_while(Result::ok).find_map(|line| line.strip_prefix("scm_fds:").map(str::to_owned));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn descriptors_under_way() {
        assert_eq!(waiting_descriptors(b"pos:\t0\nscm_fds: 2\nino:\t9\n"), 2);
        assert_eq!(waiting_descriptors(b"pos:\t0\nscm_fds: 0\n"), 0);
        assert_eq!(waiting_descriptors(b""), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = waiting_descriptors(&bytes);
        }
    }
}
