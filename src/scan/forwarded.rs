//! Ports that connections are forwarded from although no socket has them: published by a container runtime, or
//! forwarded by rules of the kernel.

use crate::enrich::containers::{ContainerLookup, SocketSearch};
use crate::enrich::forwarding_rules::{by_rules, drop_unreachable_loopback};
use crate::model::{Listener, Protocol, Selection, Snapshot, Socket, State};
use crate::os::{self, Row, RuntimeKind};

/// Which forwarded ports a scan reads.
pub(super) struct ForwardedPorts {
    /// The runtimes to ask. `None` if there is no sign of any.
    publishers: Option<Vec<RuntimeKind>>,
    /// All listeners of the socket table, if a runtime may be asked.
    listening: Vec<Socket>,
    /// The port whose rules are read. Rules of all ports at once are not followed.
    port: Option<u16>,
}

impl ForwardedPorts {
    /// Decides what to read, before rows are selected.
    pub(super) fn new(
        selection: &Selection,
        containers: &ContainerLookup<'_>,
        rows: &[Row],
    ) -> ForwardedPorts {
        // A published port has no holder that could be in a tree.
        let publishers =
            containers.publishers(SocketSearch::Nothing).filter(|_| !selection.needs_ancestors());
        let mut listening: Vec<Socket> = Vec::new();
        if publishers.is_some() {
            let sockets = rows.iter().map(|row| &row.socket);
            listening.extend(sockets.filter(|socket| socket.is_listener()).cloned());
        }
        // Only root can read the rules.
        let port = selection.one_port().filter(|_| os::privileged() && !selection.filters_by_process());
        ForwardedPorts { publishers, listening, port }
    }

    /// Asks fewer runtimes if the selection is one port and sockets have it.
    pub(super) fn narrow(
        &mut self,
        selection: &Selection,
        containers: &ContainerLookup<'_>,
        has_matches: bool,
    ) {
        if selection.one_port().is_some() && has_matches && self.publishers.is_some() {
            self.publishers = containers.publishers(SocketSearch::Sockets);
        }
    }

    /// Returns whether nothing is read.
    pub(super) fn is_empty(&self) -> bool {
        self.publishers.is_none() && self.port.is_none()
    }

    /// Reads the forwarded ports and adds those that are selected.
    pub(super) fn add(
        self,
        selection: &Selection,
        containers: &mut ContainerLookup<'_>,
        snapshot: &mut Snapshot,
    ) {
        if let Some(publishers) = &self.publishers {
            let forwarded = containers.forwarded(publishers, &self.listening, &snapshot.listeners);
            let (mut matching, _) =
                selection.split(forwarded, &snapshot.os, false, |listener| &listener.socket);
            let unknown = drop_unreachable_loopback(&mut matching, &|_| None);
            snapshot.complete &= unknown.is_none();
            snapshot.gaps.extend(unknown);
            snapshot.listeners.extend(matching);
            // A port that is published without a socket has no holder that a process filter could match.
            let is_known = self.port.is_some() || selection.filters_by_process();
            snapshot.complete &= !containers.lacks_published() || is_known;
        }
        if let Some(port) = self.port {
            add_by_rules(selection, port, snapshot);
        }
    }
}

/// Adds the addresses at which rules of the kernel forward one port. If there may be more, a gap reports this.
fn add_by_rules(selection: &Selection, port: u16, snapshot: &mut Snapshot) {
    let kernel = os::KernelRules::default();
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        if !selection.wants(protocol) {
            continue;
        }
        let (forwarded, known): (Vec<Listener>, Vec<Listener>) = snapshot
            .listeners
            .iter()
            .filter(|listener| listener.socket.protocol == protocol)
            .cloned()
            .partition(|listener| listener.socket.state == State::Forwarded);
        let rules = by_rules(&kernel, protocol, port, &forwarded, &known);
        let of_protocol = |listener: &&mut Listener| listener.socket.protocol == protocol;
        for listener in snapshot.listeners.iter_mut().filter(of_protocol) {
            rules.add_exceptions(std::slice::from_mut(listener));
        }
        let (matching, _) =
            selection.split(rules.forwarded, &snapshot.os, false, |listener| &listener.socket);
        snapshot.listeners.extend(matching);
        snapshot.complete &= rules.unknown.is_none();
        snapshot.gaps.extend(rules.unknown.filter(|gap| !snapshot.gaps.contains(gap)));
    }
}
