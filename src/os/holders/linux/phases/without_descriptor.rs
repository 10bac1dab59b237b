//! The last phase: processes that may hold a socket without a descriptor. Only sockets that nothing else explains are
//! searched for.

use super::super::signs::read_signs;
use super::super::state::HolderSearchState;
use crate::model::Error;

/// Reads the signs of such processes, if there is a socket that they could explain.
pub(in crate::os) fn search(state: &mut HolderSearchState<'_>) -> Result<(), Error> {
    if state.missing_rows().any(|row| state.visibility.may_be_without_descriptor(row)) {
        state.visibility.signs = Some(read_signs(&state.opaque_rings));
    }
    Ok(())
}

/// The live tests of `holders_without_descriptor` show the signs themselves.
#[cfg(test)]
mod tests {
    use super::super::super::state::test_rows::row;
    use super::*;
    use crate::os::HolderSearch;

    #[test]
    fn signs_are_read_only_for_missing_sockets() {
        let mut row = row(80, u64::MAX);
        row.socket.uid = Some(rustix::process::geteuid().as_raw());
        let rows = [&row];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        state.missing.clear();
        search(&mut state).unwrap();
        assert!(state.visibility.signs.is_none());
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        search(&mut state).unwrap();
        assert!(state.visibility.signs.is_some());
    }
}
