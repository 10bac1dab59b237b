//! Addresses in the data of rules.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns the address in 4 or 16 bytes.
pub(super) fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}
