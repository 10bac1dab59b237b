//! What is different between two snapshots: listeners that were opened, closed, or changed hands. Pure.

use std::collections::HashMap;

use crate::{Endpoint, Listener, Protocol, Snapshot, Text};

/// What became of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It was not there before.
    Opened,
    /// It is not there any more.
    Closed,
    /// It is there in both, with another socket, other holders, or another service or container.
    Changed,
}

/// A listener that is not the same in both snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// What became of it.
    pub kind: ChangeKind,
    /// As it was; `None` for one that was opened.
    pub before: Option<Listener>,
    /// As it is; `None` for one that was closed.
    pub after: Option<Listener>,
}

impl ChangeKind {
    /// The kind's name: `opened`, `closed`, `changed`.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Opened => "opened",
            ChangeKind::Closed => "closed",
            ChangeKind::Changed => "changed",
        }
    }
}

impl Change {
    /// The listener as it is, or as it was where it is gone.
    pub fn listener(&self) -> Option<&Listener> {
        self.after.as_ref().or(self.before.as_ref())
    }
}

/// Where a listener is. Several may share a place (SO_REUSEPORT).
type Place<'a> = (Option<u16>, Protocol, &'a Endpoint, Option<std::net::SocketAddr>, Option<&'a [u8]>);

fn place(listener: &Listener) -> Place<'_> {
    let socket = &listener.socket;
    let namespace = socket.namespace.as_ref().map(Text::as_bytes);
    (socket.endpoint.port(), socket.protocol, &socket.endpoint, socket.peer, namespace)
}

/// What is different between two snapshots, in the order of the later one's listeners, with those that are gone where
/// they would stand. Of two listeners at one place the same socket is the same listener, then the same holders are;
/// another socket at a place that only one had and has is a change of hands. What fluctuates by itself (queues,
/// connections, times) is no difference.
pub fn changes(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    let mut places: HashMap<Place<'_>, (Vec<&Listener>, Vec<&Listener>)> = HashMap::new();
    for listener in &before.listeners {
        places.entry(place(listener)).or_default().0.push(listener);
    }
    for listener in &after.listeners {
        places.entry(place(listener)).or_default().1.push(listener);
    }
    let mut changes = Vec::new();
    for (old, new) in places.into_values() {
        pair(old, new, &mut changes);
    }
    let position = |change: &Change| change.listener().map(|listener| listener.socket.clone());
    changes.sort_by(|a, b| match (position(a), position(b)) {
        (Some(a), Some(b)) => a.order(&b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
    changes
}

/// Pairs the listeners of one place.
fn pair(mut old: Vec<&Listener>, new: Vec<&Listener>, changes: &mut Vec<Change>) {
    let same: [fn(&Listener, &Listener) -> bool; 3] = [
        |a, b| a.socket.inode.is_some() && a.socket.inode == b.socket.inode,
        |a, b| pids(a) == pids(b),
        |_, _| true,
    ];
    let mut rest = new;
    for same in same {
        rest.retain(|after| {
            let Some(at) = old.iter().position(|before| same(before, after)) else { return true };
            let before = old.remove(at);
            if !is_the_same(before, after) {
                let (before, after) = (Some(before.clone()), Some((*after).clone()));
                changes.push(Change { kind: ChangeKind::Changed, before, after });
            }
            false
        });
    }
    let closed =
        |before: &Listener| Change { kind: ChangeKind::Closed, before: Some(before.clone()), after: None };
    changes.extend(old.into_iter().map(closed));
    let opened =
        |after: &Listener| Change { kind: ChangeKind::Opened, before: None, after: Some(after.clone()) };
    changes.extend(rest.into_iter().map(opened));
}

fn pids(listener: &Listener) -> Vec<(u32, Option<u64>)> {
    listener.holders.iter().map(|holder| (holder.process.id.pid, holder.process.id.start)).collect()
}

fn is_the_same(a: &Listener, b: &Listener) -> bool {
    let names = |listener: &Listener| -> Vec<Text> {
        listener.holders.iter().map(|holder| holder.process.name.clone()).collect()
    };
    let reason = |listener: &Listener| listener.unseen.as_ref().map(|unseen| unseen.reason);
    a.socket.inode == b.socket.inode
        && a.socket.state == b.socket.state
        && a.socket.uid == b.socket.uid
        && a.socket.dual_stack == b.socket.dual_stack
        && pids(a) == pids(b)
        && names(a) == names(b)
        && reason(a) == reason(b)
        && a.service == b.service
        && a.container == b.container
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Evidence, Holder, Process, ProcessId, Socket, State};

    fn listener(port: u16, inode: u64, pids: &[u32]) -> Listener {
        let endpoint = Endpoint::Ip { address: "127.0.0.1".parse().unwrap(), port, interface: None };
        let mut listener = Listener::new(Socket::new(Protocol::Tcp, endpoint, State::Listen));
        listener.socket.inode = Some(inode);
        let holder = |pid: &u32| Holder {
            process: Process { ..Process::new(ProcessId { pid: *pid, start: Some(1) }, "server".into()) },
            descriptors: vec![3],
            evidence: Evidence::Descriptor,
        };
        listener.holders = pids.iter().map(holder).collect();
        listener
    }

    fn snapshot(listeners: Vec<Listener>) -> Snapshot {
        Snapshot {
            host: "h".into(),
            os: "linux".into(),
            taken_at: jiff::Timestamp::UNIX_EPOCH,
            privileged: true,
            complete: true,
            listeners,
            gaps: Vec::new(),
            how: Vec::new(),
        }
    }

    /// `opened 80`
    fn told(before: Vec<Listener>, after: Vec<Listener>) -> Vec<String> {
        let told = |change: &Change| {
            let port = change.listener().and_then(|listener| listener.socket.endpoint.port());
            format!("{} {}", change.kind.as_str(), port.unwrap_or_default())
        };
        changes(&snapshot(before), &snapshot(after)).iter().map(told).collect()
    }

    #[test]
    fn what_came_what_went_and_what_changed_hands() {
        let old = || vec![listener(80, 1, &[5]), listener(81, 2, &[6]), listener(82, 3, &[7])];
        assert_eq!(told(old(), old()), [""; 0]);
        let new = vec![listener(79, 9, &[4]), listener(80, 1, &[5]), listener(82, 3, &[8])];
        assert_eq!(told(old(), new), ["opened 79", "closed 81", "changed 82"]);
        // Another socket in the same hands is a change too: the server was started again, or bound anew.
        assert_eq!(told(vec![listener(80, 1, &[5])], vec![listener(80, 2, &[5])]), ["changed 80"]);
    }

    #[test]
    fn what_fluctuates_is_no_difference() {
        let mut busy = listener(80, 1, &[5]);
        busy.socket.queue = Some(crate::Queue { waiting: 3, limit: Some(5) });
        busy.holders.iter_mut().for_each(|holder| holder.descriptors.push(4));
        assert_eq!(told(vec![listener(80, 1, &[5])], vec![busy]), [""; 0]);
    }

    #[test]
    fn listeners_of_one_place_are_told_apart() {
        let both = vec![listener(80, 1, &[5]), listener(80, 2, &[6])];
        assert_eq!(told(both.clone(), vec![listener(80, 2, &[6])]), ["closed 80"]);
        let turned = vec![listener(80, 2, &[6]), listener(80, 1, &[5])];
        assert_eq!(told(both, turned), [""; 0]);
    }
}
