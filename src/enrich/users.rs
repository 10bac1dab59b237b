//! Names the users of sockets and processes.

use std::collections::BTreeMap;

use super::holder_processes;
use crate::model::{Listener, Process, Text};
use crate::os;

/// Adds the names of users that are known only by uid. Each uid is resolved once.
pub(crate) fn add(listeners: &mut [Listener]) {
    let mut names: BTreeMap<u32, Option<Text>> = BTreeMap::new();
    let mut name = |uid: Option<u32>| -> Option<Text> {
        uid.and_then(|uid| names.entry(uid).or_insert_with(|| os::user_name(uid)).clone())
    };
    for socket in listeners.iter_mut().map(|listener| &mut listener.socket) {
        socket.user = socket.user.take().or_else(|| name(socket.uid));
    }
    let is_unnamed = |process: &Process| process.uid.is_some() && process.user.is_none();
    holder_processes::change(listeners, is_unnamed, |process| process.user = name(process.uid));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, Evidence, Holder, ProcessId, Protocol, Socket, State};

    #[test]
    fn unnamed_users_are_named_and_named_ones_are_kept() {
        let mut listener =
            Listener::new(Socket::new(Protocol::Tcp, Endpoint::Unix { path: None }, State::Listen));
        let mut process = Process::new(ProcessId { pid: 7, start: None }, "node".into());
        (process.uid, process.user) = (Some(0), Some("of the snapshot".into()));
        listener.socket.uid = Some(0);
        listener.holders =
            vec![Holder { process: process.into(), descriptors: Vec::new(), evidence: Evidence::Descriptor }];
        add(std::slice::from_mut(&mut listener));
        assert_eq!(listener.socket.user, os::user_name(0));
        assert_eq!(listener.holders[0].process.user, Some("of the snapshot".into()));
    }
}
