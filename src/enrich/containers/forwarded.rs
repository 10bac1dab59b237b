//! Ports that a runtime publishes only by rules of the kernel, without a socket.

use super::matching::RuntimeScope;
use super::{ContainerLookup, RuntimeQuery};
use crate::management::proxy;
use crate::model::{Container, Endpoint, Listener, Note, Socket, State};
use crate::os::RuntimeKind;

use std::net::{IpAddr, Ipv4Addr};

impl ContainerLookup<'_> {
    /// Returns a listener for each port that these runtimes publish in our network namespace without a socket. `sockets`
    /// are all listening sockets of the ports in question; `listeners` has the holders of some of them.
    pub(crate) fn forwarded(
        &mut self,
        kinds: &[RuntimeKind],
        sockets: &[Socket],
        listeners: &[Listener],
    ) -> Vec<Listener> {
        let of_system = |scope: RuntimeScope| matches!(scope, RuntimeScope::System | RuntimeScope::Given);
        self.query_runtimes(&[RuntimeQuery { kinds: kinds.to_vec(), uid: None, system: true }]);
        let answered = |result: &super::RuntimeResult| result.containers.is_ok() && of_system(result.scope);
        self.unlisted = self.is_silent(of_system) || !self.results.values().any(answered);
        let mut found: Vec<Listener> = Vec::new();
        let containers = self.results.values().filter_map(|result| result.containers.as_ref().ok());
        for containers in
            containers.filter(|containers| of_system(containers.scope) && containers.here == Some(true))
        {
            for running in &containers.running {
                for published in &running.published {
                    let address = published.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                    // A port without a container address of its family has no rule.
                    if !running.addresses.iter().any(|inside| inside.is_ipv4() == address.is_ipv4()) {
                        continue;
                    }
                    let endpoint = Endpoint::Ip { address, port: published.port, interface: None };
                    let mut socket = Socket::new(published.protocol, endpoint, State::Forwarded);
                    if socket.dual_stack.is_none() {
                        // A rule is of one family.
                        socket.dual_stack = Some(false);
                    }
                    let container = Container { port: Some(published.inside), ..running.container.clone() };
                    let known = |one: &Listener| one.socket.order(&socket).is_eq();
                    if has_socket(&socket, &container, sockets, listeners) || found.iter().any(known) {
                        continue;
                    }
                    let note = Some(Note::ForwardedByRuntime { not_at: Vec::new() });
                    found.push(Listener {
                        container: Some(container.into()),
                        note: note.map(Box::new),
                        ..Listener::new(socket)
                    });
                }
            }
        }
        found
    }
}

/// Returns whether a published port has a socket. A socket that is known to belong to another program does not count: the
/// rules take precedence over it.
fn has_socket(forwarded: &Socket, container: &Container, sockets: &[Socket], listeners: &[Listener]) -> bool {
    sockets.iter().filter(|socket| covers(socket, forwarded)).any(|socket| {
        let known = listeners.iter().find(|listener| listener.socket.inode == socket.inode);
        known.is_none_or(|listener| {
            let same = |other: &Container| other.id == container.id;
            listener.container.as_deref().is_some_and(same)
                || listener.unseen.is_some()
                || listener.holders.is_empty()
                || listener.holders.iter().any(|holder| proxy::proxy(&holder.process).is_some())
        })
    })
}

/// Returns whether a socket would receive the connections to a forwarded address.
fn covers(socket: &Socket, forwarded: &Socket) -> bool {
    let (Some(own), Some(asked)) = (socket.endpoint.address(), forwarded.endpoint.address()) else {
        return false;
    };
    let own = own.to_canonical();
    let address = match (own.is_unspecified(), asked) {
        (false, _) => own == asked,
        (true, IpAddr::V4(_)) => socket.takes_ipv4() != Some(false),
        (true, IpAddr::V6(_)) => own.is_ipv6(),
    };
    socket.is_listener()
        && socket.protocol == forwarded.protocol
        && socket.endpoint.port() == forwarded.endpoint.port()
        && socket.namespace.is_none()
        && address
}
