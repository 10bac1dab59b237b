//! What holds a port at another address than the requested one.

use super::{endpoint, list_or, process};
use crate::model::{Listener, Target};

/// Returns what holds a port at another address, and at which of the targets it cannot be reached.
pub(crate) fn held_at_another_address(listener: &Listener, targets: &[&Target]) -> String {
    let holder = listener
        .head()
        .map_or_else(|| "a process that could not be seen".to_owned(), |holder| process(&holder.process));
    let addresses: Vec<_> = targets
        .iter()
        .filter_map(|target| target.address())
        .filter(|address| !address.is_unspecified())
        .collect();
    let unreachable = match addresses.is_empty() {
        true => String::new(),
        false => format!(" and cannot be reached at {}", list_or(addresses)),
    };
    format!("{} is held by {holder}{unreachable}", endpoint(&listener.socket))
}
