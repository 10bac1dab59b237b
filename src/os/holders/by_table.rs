//! The sockets that processes hold, on systems that search all holders at once.

use super::{ProgramWords, SocketHolder, sys};
use crate::model::{Error, HolderSearch};
use crate::os::table::Row;

/// Returns which of these sockets each of these processes has open: the pid and the row's index, ascending.
///
/// # Errors
/// If processes cannot be read.
pub(in crate::os) fn held_among(rows: &[Row], pids: &[u32]) -> Result<Vec<(u32, usize)>, Error> {
    let rows: Vec<&Row> = rows.iter().collect();
    let holders = sys::holders(&rows, HolderSearch::Auto, ProgramWords::default())?;
    let by_row = |(at, held): (usize, &Vec<SocketHolder>)| {
        held.iter().map(|held| (held.process.pid(), at)).collect::<Vec<_>>()
    };
    let mut found: Vec<(u32, usize)> = holders.held.iter().enumerate().flat_map(by_row).collect();
    found.retain(|(pid, _)| pids.contains(pid));
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
