//! Whether connections to a port are passed on although no socket of the port does it: by a container runtime's rules,
//! by NAT. A port is free only if a bind succeeds and nothing forwards it.

use std::net::{IpAddr, SocketAddr};

use super::{connect, observe};
#[cfg(feature = "cli")]
use crate::containers::Runtimes;
use crate::containers::{Found, Inquiry};
use crate::os;
use crate::verdict::Asked;
#[cfg(feature = "cli")]
use crate::{Error, plan::Forwarding};
use crate::{Gap, Listener, Protocol, Socket};

/// What connections and rules tell of one port.
#[derive(Debug)]
pub(super) struct Evidence {
    /// The places that are forwarded.
    pub(super) forwarded: Vec<Listener>,
    /// The addresses of this machine that a connection was tried to, and whether it was answered.
    pub(super) reached: Vec<(SocketAddr, bool)>,
    /// Why more may be forwarded than is known.
    pub(super) unknown: Option<Gap>,
}

impl Evidence {
    /// Returns the first address at which a connection was answered.
    pub(super) fn answered(&self) -> Option<SocketAddr> {
        self.reached.iter().find(|(_, answered)| *answered).map(|(address, _)| *address)
    }
}

/// Returns what is known of the forwarding of a port, whatever the address, for who is about to call it free.
///
/// # Errors
/// Where the socket table cannot be read.
#[cfg(feature = "cli")]
pub(crate) fn forwarding(asked: &Asked, runtimes: &Runtimes) -> Result<Forwarding, Error> {
    let table = observe::sockets(asked.protocol, Some(asked.port), false)?;
    let listening = observe::listening(&table.rows);
    let rows = table.rows.into_iter().filter(|row| row.socket.is_listener()).collect();
    let (mut known, _) = observe::holders(rows)?;
    let mut inquiry = Inquiry::new(runtimes);
    inquiry.name(&mut known);
    let evidence = gather(asked, &mut inquiry, &listening, &known);
    let answered = evidence.answered();
    let forwarded: Vec<Listener> =
        evidence.forwarded.into_iter().filter(|listener| asked.overlaps(&listener.socket)).collect();
    Ok(match (forwarded.is_empty(), answered, evidence.unknown) {
        (false, ..) => Forwarding::Forwarded(forwarded),
        (true, Some(address), _) => Forwarding::Answered(address),
        (true, None, Some(gap)) => Forwarding::Unknown(gap),
        (true, None, None) => Forwarding::RuledOut,
    })
}

/// Gathers what is known of the forwarding of a port. `listening` are all listeners of the port, `known` what is known of
/// some of them.
pub(super) fn gather(
    asked: &Asked,
    inquiry: &mut Inquiry<'_>,
    listening: &[Socket],
    known: &[Listener],
) -> Evidence {
    let listens = !listening.is_empty();
    let reached = if listens { Vec::new() } else { connections(asked) };
    let found = match (reached.iter().any(|(_, answered)| *answered), listens) {
        (true, _) => Found::AnswerWithoutSocket,
        (false, true) => Found::Sockets,
        (false, false) => Found::Nothing,
    };
    let publishers = inquiry.publishers(found);
    let forwarded = observe::forwarded(inquiry, publishers, asked, listening, known);
    Evidence { forwarded, reached, unknown: inquiry.forwarding_gap() }
}

/// Connects to the addresses of this machine at which a forwarded port may be answered. Loopback alone does not tell:
/// rules of Docker leave it to docker-proxy.
fn connections(asked: &Asked) -> Vec<(SocketAddr, bool)> {
    /// The most addresses besides loopback.
    const MOST: usize = 4;
    if asked.protocol != Protocol::Tcp || asked.interface.is_some() {
        return Vec::new();
    }
    let local = os::local_addresses().unwrap_or_default();
    let is_local = |address: IpAddr| local.iter().any(|local| local.address == address);
    let addresses = match asked.address {
        Some(address) if address.is_unspecified() => connect::loopback(asked.address),
        Some(address) if address.to_canonical().is_loopback() || is_local(address) => vec![address],
        Some(_) => Vec::new(),
        None => connect::loopback(None),
    };
    let mut reached: Vec<(SocketAddr, bool)> = Vec::new();
    let mut try_address = |address: IpAddr| {
        let address = SocketAddr::new(address, asked.port);
        let answered = connect::is_answered(address);
        reached.push((address, answered));
        answered
    };
    let answered = addresses.into_iter().fold(false, |answered, address| try_address(address) || answered);
    if !answered && asked.address.is_none_or(|address| address.is_unspecified()) && os::containers_run() {
        let wanted = |address: &IpAddr| {
            !address.is_loopback()
                && !is_link_local(*address)
                && asked.address.is_none_or(|asked| asked.is_ipv4() == address.is_ipv4())
        };
        local.iter().map(|local| local.address).filter(wanted).take(MOST).any(try_address);
    }
    reached
}

/// Whether an address needs an interface to be connected to.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    }
}
