//! Adds the children of holders.

use super::holder_processes;
use crate::model::process_table::ProcessEntry;
use crate::model::{Listener, Process, RelatedProcess};
use crate::os;

/// Adds the children of every holder by one read of the system's processes. A process that has ended and waits for its
/// parent to notice is none of them. If the processes cannot be read, the children stay unknown.
pub(crate) fn add(listeners: &mut [Listener]) {
    if listeners.iter().all(|listener| listener.holders.is_empty()) {
        return;
    }
    let Ok(table) = os::process_table() else { return };
    let related = |entry: &ProcessEntry| RelatedProcess { pid: entry.id.pid, name: entry.name.clone() };
    let add = |process: &mut Process| {
        // A process that ended meanwhile has none that are known: its pid may be another's.
        let is_there = table.find(process.id).is_some();
        let children = || table.children(process.id.pid).filter(|child| !child.zombie).map(related).collect();
        process.children = is_there.then(children);
    };
    holder_processes::change(listeners, |_| true, add);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, Evidence, Holder, Protocol, Socket, State};

    #[test]
    fn a_process_that_ended_has_unknown_children() {
        let entry = os::process_table().unwrap().get(std::process::id()).unwrap().clone();
        let mut ended = entry.id;
        ended.start = ended.start.map(|start| start + 1);
        let holder = |id| Holder {
            process: Process::new(id, entry.name.clone()).into(),
            descriptors: Vec::new(),
            evidence: Evidence::Descriptor,
        };
        let mut listener =
            Listener::new(Socket::new(Protocol::Tcp, Endpoint::Unix { path: None }, State::Listen));
        listener.holders = vec![holder(entry.id), holder(ended)];
        add(std::slice::from_mut(&mut listener));
        let [own, ended] = &listener.holders[..] else { panic!("two holders") };
        assert!(own.process.children.is_some());
        assert_eq!(ended.process.children, None, "another process has its pid");
    }
}
