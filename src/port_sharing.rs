//! Determines which of several sockets that share a port a peer reaches. Pure.
//!
//! The rules of Linux were measured on 6.18. Their source is compute_score() and the lookups in net/ipv4/inet_hashtables.c,
//! udp.c and their IPv6 counterparts. A specific address wins over a wildcard, whatever device either is bound to. Among
//! sockets with equal addresses:
//! - Sockets that share by SO_REUSEPORT form a group if their family, device and IPV6_V6ONLY are equal. The kernel spreads
//!   peers over the members of one group. IPv4 groups win over IPv6 groups. Among IPv4 groups, the group with the newest
//!   member wins; among IPv6 groups, the one with the oldest member.
//! - Among UDP sockets that share by SO_REUSEADDR only, a socket that is bound to a device wins, then an IPv4 socket, then
//!   the socket that was bound last.
//!
//! The kernel lists the sockets of one port in lookup order: a new socket comes first, except for IPv6 sockets with
//! SO_REUSEPORT, where a new socket comes last.

use crate::model::names::names;
use crate::model::{Protocol, Socket};
use crate::model::{System, Target};

/// The lowest rank of [`Target::answered_by`] for a socket that is bound to the target's own address.
const SPECIFIC: u8 = 3;

/// A socket option by which sockets share a port.
///
/// ```
/// use allears::ShareOption;
///
/// assert_eq!("reuse-port".parse(), Ok(ShareOption::ReusePort));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShareOption {
    /// SO_REUSEADDR.
    ReuseAddress,
    /// SO_REUSEPORT.
    ReusePort,
}

names! { ShareOption, "socket option to share a port":
    ReuseAddress => "reuse-address",
    ReusePort => "reuse-port",
}

/// The sockets that a peer reaches, as indexes into the given list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recipients {
    /// This socket.
    One(usize, PreferenceRule),
    /// One of these sockets: the kernel spreads peers over them.
    Spread(Vec<usize>),
    /// One of these sockets, but it is unknown which one.
    Unclear(Vec<usize>),
}

/// Why one socket is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PreferenceRule {
    /// No other socket has an equally good address.
    ByAddress,
    /// It is the newest of those with equal addresses.
    Last,
    /// It is the oldest of those with equal addresses.
    First,
}

impl Recipients {
    /// Returns the indexes of all sockets that a peer may reach.
    pub(crate) fn sockets(&self) -> &[usize] {
        match self {
            Recipients::One(only, _) => std::slice::from_ref(only),
            Recipients::Spread(several) | Recipients::Unclear(several) => several,
        }
    }
}

/// Returns which of these listeners of one protocol answers a target that has an address. `None` if none does. `in_order`
/// is whether the sockets are in the order in which the kernel listed them.
pub(crate) fn answering(
    os: &System,
    target: &Target,
    sockets: &[&Socket],
    sharing: Option<ShareOption>,
    in_order: bool,
) -> Option<Recipients> {
    let ranks = sockets.iter().enumerate().filter_map(|(at, socket)| Some((at, target.answered_by(socket)?)));
    let ranks: Vec<(usize, u8)> = ranks.collect();
    let best = ranks.iter().map(|(_, rank)| *rank).max()?;
    let level = |wanted: &dyn Fn(u8) -> bool| {
        let kept = ranks.iter().filter(|(_, rank)| wanted(*rank));
        kept.filter_map(|(at, _)| Some((*at, *sockets.get(*at)?))).collect::<Vec<_>>()
    };
    let equal = level(&|rank| rank == best);
    if *os != System::Linux {
        return Some(match equal.as_slice() {
            [(only, _)] => Recipients::One(*only, PreferenceRule::ByAddress),
            several => Recipients::Unclear(indices(several)),
        });
    }
    let is_udp = equal.iter().any(|(_, socket)| socket.protocol == Protocol::Udp);
    let by_port = || by_group(&equal, in_order);
    let same_level = level(&|rank| (rank >= SPECIFIC) == (best >= SPECIFIC));
    let by_address = || by_score(&same_level, in_order);
    Some(match (is_udp, sharing) {
        (false, _) | (_, Some(ShareOption::ReusePort)) => by_port(),
        (true, Some(ShareOption::ReuseAddress)) => by_address(),
        (true, None) => match (by_port(), by_address()) {
            (one, other) if one.sockets() == other.sockets() => one,
            (one, other) => {
                let mut either = [one.sockets(), other.sockets()].concat();
                either.sort_unstable();
                either.dedup();
                Recipients::Unclear(either)
            }
        },
    })
}

fn indices(sockets: &[(usize, &Socket)]) -> Vec<usize> {
    sockets.iter().map(|(at, _)| *at).collect()
}

/// Returns the answer among sockets with equal addresses that share by SO_REUSEPORT.
fn by_group(equal: &[(usize, &Socket)], in_order: bool) -> Recipients {
    let alike = |a: &Socket, b: &Socket| {
        a.endpoint == b.endpoint
            && (a.dual_stack == b.dual_stack || a.dual_stack.is_none() || b.dual_stack.is_none())
    };
    let group = |of: &Socket| equal.iter().copied().filter(|(_, it)| alike(of, it)).collect::<Vec<_>>();
    let is_ipv6 = |(_, socket): &&(usize, &Socket)| socket.endpoint.address().is_some_and(|it| it.is_ipv6());
    let Some((_, chosen)) = equal.first() else { return Recipients::Unclear(Vec::new()) };
    let chosen = group(chosen);
    match (chosen.as_slice(), chosen.len() == equal.len()) {
        (_, false) if !in_order => Recipients::Unclear(indices(equal)),
        ([(only, _)], true) => Recipients::One(*only, PreferenceRule::ByAddress),
        ([(only, socket)], false) if is_ipv6(&&(*only, *socket)) => {
            Recipients::One(*only, PreferenceRule::First)
        }
        ([(only, _)], false) => Recipients::One(*only, PreferenceRule::Last),
        (several, _) => Recipients::Spread(indices(several)),
    }
}

/// Returns the answer among UDP sockets that share by SO_REUSEADDR. A device counts more than the family.
fn by_score(sockets: &[(usize, &Socket)], in_order: bool) -> Recipients {
    let score = |socket: &Socket| {
        let device = matches!(&socket.endpoint, crate::model::Endpoint::Ip { interface: Some(_), .. });
        (device, socket.endpoint.address().is_some_and(|address| address.is_ipv4()))
    };
    let best = sockets.iter().map(|(_, socket)| score(socket)).max();
    let equal: Vec<_> = sockets.iter().copied().filter(|(_, socket)| Some(score(socket)) == best).collect();
    match equal.as_slice() {
        [(only, _)] => Recipients::One(*only, PreferenceRule::ByAddress),
        [(first, _), ..] if in_order => Recipients::One(*first, PreferenceRule::Last),
        several => Recipients::Unclear(indices(several)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, State};

    fn socket(protocol: Protocol, address: &str, device: Option<&str>) -> Socket {
        let state = if protocol == Protocol::Udp { State::Bound } else { State::Listen };
        let endpoint =
            Endpoint::Ip { address: address.parse().unwrap(), port: 80, interface: device.map(Into::into) };
        let mut socket = Socket::new(protocol, endpoint, state);
        if address == "::" {
            socket.dual_stack = Some(true);
        }
        socket
    }

    /// The sockets of a row are in the order in which they were bound. Each row was measured on Linux 6.18 by counting
    /// connections or datagrams over loopback.
    #[test]
    fn linux_prefers_the_measured_sockets() {
        use PreferenceRule::{ByAddress, First, Last};
        let one = |at, decided| Some(Recipients::One(at, decided));
        let spread = |several: &[usize]| Some(Recipients::Spread(several.to_vec()));
        let (any4, lo4, any6, lo6) = ("0.0.0.0", "127.0.0.1", "::", "::1");
        let (plain, dev) = (None, Some("lo"));
        let tcp = (Protocol::Tcp, Some(ShareOption::ReusePort));
        let udp = (Protocol::Udp, Some(ShareOption::ReusePort));
        let udp_address = (Protocol::Udp, Some(ShareOption::ReuseAddress));
        for (kind, peer, sockets, wanted) in [
            (tcp, lo4, vec![(any4, plain), (any4, plain), (any4, plain)], spread(&[0, 1, 2])),
            (tcp, lo4, vec![(any4, plain), (any4, dev)], one(1, Last)),
            (tcp, lo4, vec![(any4, dev), (any4, plain)], one(1, Last)),
            (tcp, lo4, vec![(any4, plain), (any4, plain), (any4, dev)], one(2, Last)),
            (tcp, lo4, vec![(any4, dev), (any4, plain), (any4, plain)], spread(&[1, 2])),
            (tcp, lo4, vec![(any4, plain), (any4, dev), (any4, plain)], spread(&[0, 2])),
            (tcp, lo4, vec![(lo4, plain), (any4, dev)], one(0, ByAddress)),
            (tcp, lo4, vec![(any4, dev), (lo4, plain)], one(1, ByAddress)),
            (tcp, lo4, vec![(lo4, dev), (lo4, plain)], one(1, Last)),
            (tcp, lo6, vec![(any6, plain), (any6, dev)], one(0, First)),
            (tcp, lo6, vec![(any6, dev), (any6, plain), (any6, plain)], one(0, First)),
            (tcp, lo6, vec![(any6, plain), (any6, plain), (any6, dev)], spread(&[0, 1])),
            (tcp, lo6, vec![(any6, dev), (lo6, plain)], one(1, ByAddress)),
            (tcp, lo4, vec![(any6, dev), (any4, plain)], one(1, ByAddress)),
            (tcp, lo4, vec![(any4, plain), (any6, dev)], one(0, ByAddress)),
            (tcp, lo4, vec![(any6, plain), (any6, plain)], spread(&[0, 1])),
            (tcp, lo4, vec![("::ffff:127.0.0.1", plain), (any4, plain)], one(0, ByAddress)),
            (tcp, lo4, vec![("::ffff:127.0.0.1", plain), (lo4, plain)], one(1, ByAddress)),
            (udp, lo4, vec![(any4, plain), (any4, plain)], spread(&[0, 1])),
            (udp, lo4, vec![(any4, dev), (any4, plain)], one(1, Last)),
            (udp, lo6, vec![(any6, plain), (any6, dev)], one(0, First)),
            (udp, lo6, vec![(any6, plain), (any6, plain), (any6, dev)], spread(&[0, 1])),
            (udp, lo4, vec![(any4, plain), (any6, dev)], one(0, ByAddress)),
            (udp_address, lo4, vec![(any4, plain), (any4, plain), (any4, plain)], one(2, Last)),
            (udp_address, lo4, vec![(any4, dev), (any4, plain)], one(0, ByAddress)),
            (udp_address, lo6, vec![(any6, plain), (any6, plain)], one(1, Last)),
            (udp_address, lo6, vec![(any6, dev), (any6, plain)], one(0, ByAddress)),
            (udp_address, lo4, vec![(any6, dev), (any4, plain)], one(0, ByAddress)),
            (udp_address, lo4, vec![(lo4, plain), (any4, dev)], one(0, ByAddress)),
        ] {
            let (protocol, sharing) = kind;
            let sockets: Vec<Socket> = sockets.iter().map(|(at, by)| socket(protocol, at, *by)).collect();
            // The kernel lists a new IPv6 socket with SO_REUSEPORT last, and every other new socket first.
            let is_ipv6 = sockets.iter().all(|it| it.family() == crate::model::Family::Ipv6);
            let keeps_order = sharing == Some(ShareOption::ReusePort) && is_ipv6;
            let mut order: Vec<usize> = (0..sockets.len()).collect();
            if !keeps_order {
                order.reverse();
            }
            let listed: Vec<&Socket> = order.iter().map(|at| &sockets[*at]).collect();
            let target = Target::exactly(protocol, peer.parse().unwrap(), 80);
            let found = answering(&System::Linux, &target, &listed, sharing, true).map(|found| {
                let came = |at: &usize| order[*at];
                match found {
                    Recipients::One(at, decided) => Recipients::One(came(&at), decided),
                    Recipients::Spread(several) => {
                        let mut several: Vec<usize> = several.iter().map(came).collect();
                        several.sort_unstable();
                        Recipients::Spread(several)
                    }
                    unclear => unclear,
                }
            });
            assert_eq!(found, wanted, "{kind:?} {sockets:?}");
        }
    }

    #[test]
    fn without_the_order_or_the_option_the_answer_is_unclear() {
        let both = [socket(Protocol::Udp, "0.0.0.0", None), socket(Protocol::Udp, "0.0.0.0", None)];
        let both: Vec<&Socket> = both.iter().collect();
        let target = Target::exactly(Protocol::Udp, [127, 0, 0, 1].into(), 80);
        let unclear = Some(Recipients::Unclear(vec![0, 1]));
        assert_eq!(answering(&System::Linux, &target, &both, None, true), unclear);
        assert_eq!(
            answering(&System::Linux, &target, &both, Some(ShareOption::ReuseAddress), false),
            unclear
        );
        assert_eq!(answering(&System::Macos, &target, &both, Some(ShareOption::ReusePort), true), unclear);
        let other = Target::exactly(Protocol::Udp, [127, 0, 0, 1].into(), 81);
        assert_eq!(answering(&System::Linux, &other, &both, None, true), None);
    }
}
