//! Matches and targets of iptables, which iptables-nft puts into rules of nftables.

use super::addresses::address_of;
use super::{Applies, Destination, Walk};
use crate::model::Protocol;

impl Walk<'_> {
    /// Decides a match of iptables; `None` if it fails.
    pub(super) fn xt_match(&self, name: &[u8], info: &[u8]) -> Option<Applies> {
        let port = self.connection.port;
        let short = |at: usize| Some(u16::from_ne_bytes(info.get(at..at + 2)?.try_into().ok()?));
        let ports = |at: usize| Some(short(at)?..=short(at + 2)?);
        let decided = |is_true: bool| is_true.then_some(Applies::Always);
        match name {
            // struct xt_tcp and struct xt_udp (linux/netfilter/xt_tcpudp.h).
            b"tcp" | b"udp" => {
                let is_tcp = name == b"tcp";
                if is_tcp != (self.connection.protocol == Protocol::Tcp) {
                    return None;
                }
                const INVERTS_DESTINATION: u8 = 2;
                let flags = info.get(if is_tcp { 11 } else { 8 }).copied();
                let (Some(to), Some(flags)) = (ports(4), flags) else { return Some(Applies::Unevaluated) };
                if to.contains(&port) == (flags & INVERTS_DESTINATION != 0) {
                    return None;
                }
                let all = 0..=u16::MAX;
                let is_plain = ports(0) == Some(all) && flags & !INVERTS_DESTINATION == 0;
                let of_flags = is_tcp
                    && (info.get(9).copied().unwrap_or(0) != 0 || info.get(8).copied().unwrap_or(0) != 0);
                Some(if is_plain && !of_flags { Applies::Always } else { Applies::Perhaps })
            }
            // struct xt_multiport_v1 (linux/netfilter/xt_multiport.h): flags, count, 15 ports, 15 flags, invert.
            b"multiport" => {
                const SOURCE: u8 = 0;
                let (Some(kind), Some(count), Some(inverted)) = (info.first(), info.get(1), info.get(47))
                else {
                    return Some(Applies::Unevaluated);
                };
                if *kind == SOURCE {
                    return Some(Applies::Perhaps);
                }
                let mut is_inside = false;
                let mut at = 0;
                while at < usize::from(*count).min(15) {
                    let one = short(2 + at * 2)?;
                    let is_range = info.get(32 + at).is_some_and(|flag| *flag != 0);
                    let last = if is_range { short(4 + at * 2)? } else { one };
                    is_inside |= (one..=last).contains(&port);
                    at += 1 + usize::from(is_range);
                }
                decided(is_inside != (*inverted != 0))
            }
            // struct xt_addrtype_info_v1: source, dest, flags. `--dst-type LOCAL` holds for every address here.
            b"addrtype" => {
                const LOCAL: u16 = 1 << 2;
                const INVERTS_DESTINATION: u32 = 2;
                let flags = info.get(4..8).and_then(|bytes| Some(u32::from_ne_bytes(bytes.try_into().ok()?)));
                match (short(0), short(2), flags) {
                    (Some(0), Some(LOCAL), Some(0)) => Some(Applies::Always),
                    (Some(0), Some(LOCAL), Some(INVERTS_DESTINATION)) => None,
                    _ => Some(Applies::Perhaps),
                }
            }
            b"comment" => Some(Applies::Always),
            _ => Some(Applies::Perhaps),
        }
    }
}

/// Returns whether a target of iptables gives a connection another destination.
pub(super) fn is_destination_target(name: &[u8]) -> bool {
    matches!(name, b"DNAT" | b"REDIRECT" | b"TPROXY" | b"NETMAP")
}

/// Returns the destination of an iptables target, as far as it is known: struct nf_nat_range and its IPv4 predecessor
/// (linux/netfilter/nf_nat.h).
pub(super) fn xt_destination(name: &[u8], revision: u32, info: &[u8], family: u8) -> Destination {
    const MAPS_ADDRESSES: u32 = 1;
    const SPECIFIES_PORTS: u32 = 2;
    let is_redirect = name == b"REDIRECT";
    if !is_redirect && name != b"DNAT" {
        return Destination { to: None, port: None, is_known: false };
    }
    let number = |at: usize| Some(u32::from_ne_bytes(info.get(at..at + 4)?.try_into().ok()?));
    let port = |at: usize| Some(u16::from_be_bytes(info.get(at..at + 2)?.try_into().ok()?));
    // The older structure begins with the number of ranges, which is one.
    let is_old = revision == 0 && family == 2;
    let (flags, address, port) = match is_old {
        true => (number(4), info.get(8..12), port(16)),
        false => (number(0), info.get(4..if family == 2 { 8 } else { 20 }), port(36)),
    };
    let has = |flag: u32| flags.is_some_and(|flags| flags & flag != 0);
    let to = address.and_then(address_of).filter(|_| has(MAPS_ADDRESSES) && !is_redirect);
    let port = port.filter(|_| has(SPECIFIES_PORTS));
    let is_known = (to.is_some() || is_redirect) && port.is_some() == has(SPECIFIES_PORTS);
    Destination { to, port, is_known }
}
