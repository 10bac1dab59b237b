//! The first phase: the descriptor tables of all processes, by the BPF iterator `task_file` or by a walk through /proc.

use super::super::bpf;
use super::super::state::HolderSearchState;
use crate::model::{BpfUnavailable, Error, ErrorKind, HolderMethod};
use crate::os::descriptors::sys::{Walk, walk, walk_among};
use crate::os::descriptors::task_files::is_worth_a_program;
use crate::os::{HolderSearch, Row};

/// Reads the descriptor tables by the requested method, or by the faster one.
pub(in crate::os) fn search(state: &mut HolderSearchState<'_>) -> Result<(), Error> {
    let Tables { walk, method } = read(state.rows, &state.missing, state.request)?;
    state.walk = walk;
    state.method = Some(method);
    Ok(())
}

/// Returns which of these sockets each of these processes has open: the pid and the row's index, ascending. No other
/// process is read.
pub(in crate::os) fn held_among(rows: &[Row], pids: &[u32]) -> Result<Vec<(u32, usize)>, Error> {
    let mut by_inode: Vec<(u64, usize)> =
        rows.iter().enumerate().filter_map(|(at, row)| Some((row.socket.inode?, at))).collect();
    by_inode.sort_unstable();
    by_inode.dedup_by_key(|(inode, _)| *inode);
    let wanted: Vec<u64> = by_inode.iter().map(|(inode, _)| *inode).collect();
    let found = walk_among(pids, &wanted)?.found;
    let row = |inode| {
        let at = by_inode.binary_search_by_key(&inode, |(inode, _)| *inode).ok()?;
        by_inode.get(at).map(|(_, row)| *row)
    };
    let mut held: Vec<(u32, usize)> =
        found.iter().filter_map(|found| Some((found.process.pid, row(found.inode)?))).collect();
    held.sort_unstable();
    held.dedup();
    Ok(held)
}

/// What the descriptor tables hold of the wanted sockets.
struct Tables {
    walk: Walk,
    method: HolderMethod,
}

fn read(rows: &[&Row], wanted: &[u64], request: HolderSearch) -> Result<Tables, Error> {
    let names_pids = rows.iter().any(|row| !row.pids.is_empty());
    let not_bpf = match request {
        HolderSearch::Walk => None,
        // A process that the socket table names is read first, which takes a walk.
        HolderSearch::Auto if names_pids || wanted.is_empty() => None,
        HolderSearch::Auto if !is_worth_a_program() => Some(BpfUnavailable::FewFiles),
        HolderSearch::Auto | HolderSearch::Bpf => match bpf::search(wanted) {
            Ok(walk) => return Ok(Tables { walk, method: HolderMethod::Bpf }),
            Err(reason) if request == HolderSearch::Bpf => {
                let attempted = format!("cannot search for holders by BPF: {reason}");
                return Err(Error::new(ErrorKind::Unsupported, attempted));
            }
            Err(reason) => Some(reason),
        },
    };
    let walk = walk_named_first(rows, wanted)?;
    Ok(Tables { walk, method: HolderMethod::Walk { not_bpf } })
}

/// Walks through all processes, but first through those that the rows name: the socket table's word is verified.
fn walk_named_first(rows: &[&Row], wanted: &[u64]) -> Result<Walk, Error> {
    let mut named: Vec<u32> = rows.iter().flat_map(|row| row.pids.iter().copied()).collect();
    named.sort_unstable();
    named.dedup();
    let mut found = if named.is_empty() { Walk::default() } else { walk_among(&named, wanted)? };
    let rest = found.missing(wanted);
    if !rest.is_empty() {
        let whole = walk(&rest)?;
        found.pids.clone_from(&whole.pids);
        found.add(whole);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::super::state::test_rows::{listener, row};
    use super::*;

    #[test]
    fn a_socket_of_this_process_is_found() {
        let (_listener, row) = listener();
        let rows = [&row];
        let mut state = HolderSearchState::new(&rows, HolderSearch::Walk);
        search(&mut state).unwrap();
        state.update_missing();
        assert!(state.missing.is_empty());
        assert!(state.walk.found.iter().any(|found| found.process.pid == std::process::id()));
    }

    #[test]
    fn no_process_is_read_for_rows_without_a_socket() {
        let mut state = HolderSearchState::new(&[], HolderSearch::Walk);
        search(&mut state).unwrap();
        assert!(state.walk.pids.is_empty() && state.walk.found.is_empty());
    }

    #[test]
    fn only_the_given_processes_are_read() {
        let (_listener, here) = listener();
        let rows = [row(1, u64::MAX), here];
        assert_eq!(held_among(&rows, &[std::process::id()]).unwrap(), [(std::process::id(), 1)]);
        assert_eq!(held_among(&rows, &[]).unwrap(), []);
    }
}
