//! Changes to the processes of holders. Sockets with the same holder share its process, and still do after a change.

use std::collections::BTreeMap;

use crate::model::{Listener, Process, Shared};

/// Changes each process of these listeners for which `concerns` returns true. A process that many sockets share is changed
/// once, and they share the result.
pub(super) fn change(
    listeners: &mut [Listener],
    concerns: impl Fn(&Process) -> bool,
    mut change: impl FnMut(&mut Process),
) {
    // The old process stays in memory until the end, so that no other can have its place.
    let mut changed: BTreeMap<usize, (Shared<Process>, Shared<Process>)> = BTreeMap::new();
    for holder in listeners.iter_mut().flat_map(|listener| &mut listener.holders) {
        if !concerns(&holder.process) {
            continue;
        }
        let (_, new) = changed.entry(holder.process.place()).or_insert_with(|| {
            let mut new = Process::clone(&holder.process);
            change(&mut new);
            (holder.process.clone(), Shared::from(new))
        });
        holder.process = new.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, Protocol, Socket, State};
    use crate::verdict::test_support::held_by;

    #[test]
    fn sockets_of_one_process_still_share_it() {
        let socket = Socket::new(Protocol::Tcp, Endpoint::Unix { path: None }, State::Listen);
        let node = held_by(Listener::new(socket.clone()), "node");
        let mut listeners = [node.clone(), node, held_by(Listener::new(socket), "java")];
        let mut changes = 0;
        change(
            &mut listeners,
            |process| process.name.as_bytes() == b"node",
            |process| {
                changes += 1;
                process.uid = Some(7);
            },
        );
        let [first, second, other] = &listeners;
        assert_eq!(
            (changes, first.holders[0].process.uid, other.holders[0].process.uid),
            (1, Some(7), Some(1000))
        );
        assert!(first.holders[0].process.is_same(&second.holders[0].process));
    }
}
