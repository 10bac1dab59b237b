//! Sockets that were passed on while the tables were read: a process may have received one after its own table was read
//! from a process whose table had not been read yet.

use super::super::state::HolderSearchState;
use super::closed_sockets;
use crate::model::{Error, HolderMethod};
use crate::os::Row;
use crate::os::descriptors::sys::walk;

/// The number of repeated searches for a socket without a holder.
const REPEATS: usize = 2;

/// Walks through all processes again while a socket is missing that neither the kernel nor an unreadable process explains.
pub(in crate::os) fn search(state: &mut HolderSearchState<'_>) -> Result<(), Error> {
    for _ in 0..REPEATS {
        let visibility = &state.visibility;
        let is_unexplained =
            |row: &Row| !visibility.is_kernel_socket(&row.socket) && !visibility.may_be_refused(row);
        if !state.missing_rows().any(is_unexplained) {
            break;
        }
        if state.is_by_bpf() {
            state.method = Some(HolderMethod::BpfAndWalk);
        }
        state.walk.found.extend(walk(&state.missing)?.found);
        state.update_missing();
        closed_sockets::search(state)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::state::test_rows::listener;
    use super::*;
    use crate::os::HolderSearch;

    #[test]
    fn a_socket_that_the_first_walk_missed_is_found() {
        let (_listener, row) = listener();
        let rows = [&row];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        search(&mut state).unwrap();
        assert!(state.missing.is_empty());
        assert_eq!(state.walk.found.first().map(|found| found.process.pid), Some(std::process::id()));
    }

    #[test]
    fn nothing_is_read_when_nothing_is_missing() {
        let (_listener, row) = listener();
        let rows = [&row];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        state.missing.clear();
        search(&mut state).unwrap();
        assert!(state.walk.found.is_empty());
    }
}
