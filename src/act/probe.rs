//! Connects over loopback to find out whether a port answers, regardless of the socket table. It sends no data.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket as SockSocket, Type};

use crate::model::{Endpoint, Listener, Note, Protocol, Snapshot, Socket, State};
use crate::model::{Probe, ProbeOutcome};
use crate::os::threads;

/// How long a listener has to answer a probe.
const PROBE_LIMIT: Duration = Duration::from_secs(1);
/// How long a port without a listener has to answer. A refusal on loopback comes at once.
const FORWARD_LIMIT: Duration = Duration::from_millis(300);
/// The most listeners that are probed at the same time.
const MOST_CONCURRENT: usize = 32;

/// Connects to an address, and closes the connection.
fn probe(address: SocketAddr, limit: Duration) -> Probe {
    let begun = Instant::now();
    let connected = connect(address, limit);
    let took = begun.elapsed();
    let outcome = match connected {
        Ok(socket) if is_connected_to_itself(&socket, address) => ProbeOutcome::Refuses,
        Ok(_) => ProbeOutcome::Accepts,
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => ProbeOutcome::Refuses,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => ProbeOutcome::Silent,
            _ => ProbeOutcome::Failed,
        },
    };
    Probe { outcome, took }
}

/// Connects a socket that sends a reset when it is closed, however this process ends. A reset leaves nothing behind at
/// either end: no connection in the accept queue, and no TIME_WAIT on the port.
pub(super) fn connect(address: SocketAddr, limit: Duration) -> io::Result<SockSocket> {
    let socket = SockSocket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.connect_timeout(&SockAddr::from(address), limit)?;
    Ok(socket)
}

/// Returns whether a socket is its own peer, because the system assigned it the port that it connects to.
pub(super) fn is_connected_to_itself(socket: &SockSocket, address: SocketAddr) -> bool {
    socket.local_addr().ok().and_then(|own| own.as_socket()) == Some(address)
}

/// Returns the outcome of a connection to an address of this machine that has no listener.
pub(crate) fn probe_outcome(address: SocketAddr) -> ProbeOutcome {
    probe(address, FORWARD_LIMIT).outcome
}

/// Returns the loopback addresses that reach a wildcard.
pub(crate) fn loopback(wildcard: Option<IpAddr>) -> Vec<IpAddr> {
    let (v4, v6) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
    if wildcard.is_some_and(|address| address.is_ipv4()) { vec![v4] } else { vec![v4, v6] }
}

/// Probes each TCP listener of a snapshot that can be reached over loopback.
pub fn probe_listeners(snapshot: &mut Snapshot) {
    let wanted: Vec<(usize, SocketAddr)> = snapshot
        .listeners
        .iter()
        .enumerate()
        .filter_map(|(at, it)| Some((at, probe_address(&it.socket)?)))
        .collect();
    let next = AtomicUsize::new(0);
    let found = threads::share(wanted.len().min(MOST_CONCURRENT), || {
        let mut found: Vec<(usize, Probe)> = Vec::new();
        while let Some((at, address)) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.push((*at, probe(*address, PROBE_LIMIT)));
        }
        found
    });
    for listener in &mut snapshot.listeners {
        if let (Protocol::Tcp, Endpoint::Ip { interface: Some(interface), .. }, None) =
            (listener.socket.protocol, &listener.socket.endpoint, &listener.note)
            && probe_address(&listener.socket).is_none()
        {
            listener.note = Some(Box::new(Note::NotProbed { interface: interface.clone() }));
        }
    }
    for (at, mut probe) in found.into_iter().flatten() {
        if let Some(listener) = snapshot.listeners.get_mut(at) {
            if probe.outcome == ProbeOutcome::Accepts && all_suspended(listener) {
                probe.outcome = ProbeOutcome::Connects;
            }
            listener.probe = Some(probe);
        }
    }
}

/// Returns whether every holder is visible and suspended.
fn all_suspended(listener: &Listener) -> bool {
    listener.unseen.is_none()
        && !listener.holders.is_empty()
        && listener.holders.iter().all(|holder| holder.process.condition.is_some())
}

/// Returns the address that reaches a listening socket without leaving this machine.
pub(super) fn probe_address(socket: &Socket) -> Option<SocketAddr> {
    let Socket { protocol: Protocol::Tcp, state: State::Listen, namespace: None, endpoint, .. } = socket
    else {
        return None;
    };
    match endpoint {
        // A socket that is bound to another interface than lo cannot be reached over loopback.
        Endpoint::Ip { interface: Some(interface), .. } if interface.as_bytes() != b"lo" => None,
        Endpoint::Ip { address, port, .. } => {
            let address = match address.to_canonical() {
                IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
                address => address,
            };
            Some(SocketAddr::new(address, *port))
        }
        Endpoint::Unix { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::test_support::eventually;

    #[test]
    fn accepts_and_refuses() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(probe(address, PROBE_LIMIT).outcome, ProbeOutcome::Accepts);
        assert_eq!(probe_outcome(address), ProbeOutcome::Accepts);
        drop(listener);
        assert!(eventually(|| std::net::TcpStream::connect(address).is_err()));
        assert_eq!(probe(address, PROBE_LIMIT).outcome, ProbeOutcome::Refuses);
        assert_eq!(probe_outcome(address), ProbeOutcome::Refuses);
    }
}
