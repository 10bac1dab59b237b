//! Finds the processes that this process cannot read.

use super::super::state::HolderSearchState;
use crate::model::Error;

/// Finds out what this process may not read. Runs always: an unreadable process is a gap, whatever was found.
pub(in crate::os) fn search(state: &mut HolderSearchState<'_>) -> Result<(), Error> {
    state.visibility.read(&mut state.walk, state.rows);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::state::test_rows::row;
    use super::*;
    use crate::os::HolderSearch;

    #[test]
    fn an_unreadable_process_is_listed_once() {
        let row = row(80, u64::MAX);
        let rows = [&row];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        let own = std::process::id();
        // One that has ended holds nothing.
        state.walk.refused = vec![own, u32::MAX, own];
        search(&mut state).unwrap();
        assert_eq!(state.visibility.refused.iter().map(|refused| refused.pid).collect::<Vec<_>>(), [own]);
    }

    #[test]
    fn nothing_is_unreadable_after_a_whole_walk() {
        let row = row(80, u64::MAX);
        let rows = [&row];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        search(&mut state).unwrap();
        assert!(state.visibility.refused.is_empty());
        assert_eq!(state.missing, [u64::MAX]);
    }
}
