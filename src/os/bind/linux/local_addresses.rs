//! The addresses of this machine, from rtnetlink(7). getifaddrs(3) makes the same request, but aborts the program if a
//! reply is not what it expects (glibc 2.36).

use std::cell::RefCell;
use std::net::IpAddr;

use crate::model::Text;
use crate::os::bind::port_limits::{Local, Usability};
use crate::os::table::sys::netlink::{attributes, dump};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
// Flags of an address (linux/if_addr.h).
const IFA_F_OPTIMISTIC: u32 = 0x04;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_TENTATIVE: u32 = 0x40;
/// struct ifaddrmsg of linux/if_addr.h; the interface's number is its last field.
const HEADER: usize = 8;

/// Returns the addresses of this network namespace. `None` if they cannot be read.
pub(in crate::os) fn local_addresses() -> Option<Vec<Local>> {
    let found = RefCell::new(Vec::new());
    let mut each = |message: &[u8]| found.borrow_mut().extend(address(message));
    dump(None, RTM_GETADDR, &[0; HEADER], RTM_NEWADDR, &mut each, &mut || found.borrow_mut().clear()).ok()?;
    let mut names: Vec<(u32, Text)> = Vec::new();
    let mut name = |index: u32| match names.iter().find(|(known, _)| *known == index) {
        Some((_, name)) => name.clone(),
        None => {
            let name = nix::net::if_::if_indextoname(index).unwrap_or_default();
            let name = Text::from(name.to_bytes());
            names.push((index, name.clone()));
            name
        }
    };
    let local = found.into_inner().into_iter();
    Some(
        local
            .map(|(address, index, usability)| Local { address, interface: name(index), usability })
            .collect(),
    )
}

/// Returns the address in an RTM_NEWADDR message, the number of its interface, and whether it can be bound. Of a
/// point-to-point link IFA_ADDRESS is the other end's.
fn address(message: &[u8]) -> Option<(IpAddr, u32, Usability)> {
    let index = u32::from_ne_bytes(message.get(4..HEADER)?.try_into().ok()?);
    // The header holds the lower eight flags only; IFA_FLAGS holds all of them.
    let mut flags = u32::from(*message.get(2)?);
    let (mut own, mut other) = (None, None);
    attributes(message.get(HEADER..)?, |kind, value| match kind {
        IFA_LOCAL => own = ip(value),
        IFA_ADDRESS => other = ip(value),
        IFA_FLAGS => flags = value.try_into().map_or(flags, u32::from_ne_bytes),
        _ => {}
    });
    own.or(other).map(|address| (address, index, usability(address, flags)))
}

/// Returns whether the kernel lets an address with these flags be bound (ipv6_chk_addr_and_flags() in
/// net/ipv6/addrconf.c: a tentative address is refused, unless it is optimistic too). An address that is a duplicate
/// stays tentative.
fn usability(address: IpAddr, flags: u32) -> Usability {
    let has = |flag: u32| flags & flag != 0;
    match () {
        () if address.is_ipv4() || !has(IFA_F_TENTATIVE) => Usability::Usable,
        () if has(IFA_F_DADFAILED) => Usability::Duplicate,
        () if has(IFA_F_OPTIMISTIC) => Usability::Usable,
        () => Usability::Tentative,
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn loopback_is_on_lo() {
        let found = local_addresses().unwrap();
        let lo = found.iter().find(|local| local.address == IpAddr::from([127, 0, 0, 1])).unwrap();
        assert_eq!(lo.interface.as_str(), Some("lo"));
    }

    #[test]
    fn what_flags_say_of_an_address() {
        let v6 = IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(usability(v6, 0x80), Usability::Usable);
        assert_eq!(usability(v6, IFA_F_TENTATIVE), Usability::Tentative);
        assert_eq!(usability(v6, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC), Usability::Usable);
        assert_eq!(usability(v6, IFA_F_TENTATIVE | IFA_F_DADFAILED), Usability::Duplicate);
        assert_eq!(usability(IpAddr::from([10, 0, 0, 1]), IFA_F_TENTATIVE), Usability::Usable);
    }

    proptest! {
        #[test]
        fn any_bytes(message: Vec<u8>) {
            let _ = address(&message);
        }
    }
}
