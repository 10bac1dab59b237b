//! Whether a bind and a socket claim the same address, and why.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::BindTarget;
use crate::model::names::names;
use crate::model::{Endpoint, Socket};

impl BindTarget {
    /// Returns the addresses that a bind claims, each with whether it leaves IPv4 alone.
    fn addresses(&self) -> Vec<(IpAddr, bool)> {
        match self.address {
            Some(address) => vec![(address, false)],
            None => vec![(Ipv4Addr::UNSPECIFIED.into(), false), (Ipv6Addr::UNSPECIFIED.into(), false)],
        }
    }

    /// Returns whether a bind to this target claims an address that the socket has.
    pub(crate) fn overlaps(&self, socket: &Socket) -> bool {
        self.overlap(socket).is_some()
    }

    /// Returns how the target and the socket overlap, or `None` if they do not.
    pub(crate) fn overlap(&self, socket: &Socket) -> Option<Overlap> {
        if socket.endpoint.port() != Some(self.port) || socket.protocol != self.protocol {
            return None;
        }
        if let (Some(own), Endpoint::Ip { interface: Some(theirs), .. }) = (&self.interface, &socket.endpoint)
            && own != theirs
        {
            return None;
        }
        let theirs = socket.endpoint.address()?;
        let cover = Cover::new(theirs, socket.dual_stack == Some(false));
        self.addresses()
            .into_iter()
            .filter(|(address, v6only)| Cover::new(*address, *v6only).meets(&cover))
            .map(|(address, _)| Overlap::from_addresses(address, theirs))
            .min()
    }
}

/// The addresses that a socket takes in each family: one, all (the unspecified address), or none.
struct Cover {
    ipv4: Option<Ipv4Addr>,
    ipv6: Option<Ipv6Addr>,
}

impl Cover {
    fn new(address: IpAddr, v6only: bool) -> Cover {
        match address {
            IpAddr::V4(address) => Cover { ipv4: Some(address), ipv6: None },
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => Cover { ipv4: Some(address), ipv6: None },
                None => Cover {
                    ipv4: (address.is_unspecified() && !v6only).then_some(Ipv4Addr::UNSPECIFIED),
                    ipv6: Some(address),
                },
            },
        }
    }

    fn meets(&self, other: &Cover) -> bool {
        let ipv4 = matches!((self.ipv4, other.ipv4),
            (Some(a), Some(b)) if a == b || a.is_unspecified() || b.is_unspecified());
        let ipv6 = matches!((self.ipv6, other.ipv6),
            (Some(a), Some(b)) if a == b || a.is_unspecified() || b.is_unspecified());
        ipv4 || ipv6
    }
}

/// Why two addresses conflict. The best explanation comes first.
///
/// ```
/// use allears::Overlap;
///
/// assert_eq!("dual-stack".parse(), Ok(Overlap::DualStack));
/// assert!(Overlap::Same < Overlap::AskedWildcard, "the best explanation comes first");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Overlap {
    /// The addresses are equal.
    Same,
    /// The socket has `::` and takes IPv4 too.
    DualStack,
    /// The socket has a wildcard.
    TheirWildcard,
    /// The target is a wildcard.
    AskedWildcard,
}

impl Overlap {
    fn from_addresses(asked: IpAddr, theirs: IpAddr) -> Overlap {
        let (asked, theirs) = (asked.to_canonical(), theirs.to_canonical());
        match (asked, theirs) {
            _ if asked == theirs => Overlap::Same,
            (IpAddr::V4(_), IpAddr::V6(_)) => Overlap::DualStack,
            _ if theirs.is_unspecified() => Overlap::TheirWildcard,
            _ => Overlap::AskedWildcard,
        }
    }
}

names! { Overlap, "kind of overlap":
    Same => "same",
    DualStack => "dual-stack",
    TheirWildcard => "their-wildcard",
    AskedWildcard => "asked-wildcard",
}
