//! The addresses of this machine, from rtnetlink(7). getifaddrs(3) asks the same, and ends the program if an answer is not
//! what it expects (glibc 2.36).

use std::cell::RefCell;
use std::net::IpAddr;

use super::netlink::{attributes, dump};
use crate::Text;
use crate::os::machine::Local;

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// struct ifaddrmsg of linux/if_addr.h; the interface's number is its last field.
const HEADER: usize = 8;

/// Returns the addresses of this network namespace. `None` if the kernel does not tell them.
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
    Some(local.map(|(address, index)| Local { address, interface: name(index) }).collect())
}

/// The address in an RTM_NEWADDR message, and the number of its interface. Of a point-to-point link IFA_ADDRESS is the other
/// end's.
fn address(message: &[u8]) -> Option<(IpAddr, u32)> {
    let index = u32::from_ne_bytes(message.get(4..HEADER)?.try_into().ok()?);
    let (mut own, mut other) = (None, None);
    attributes(message.get(HEADER..)?, |kind, value| match kind {
        IFA_LOCAL => own = ip(value),
        IFA_ADDRESS => other = ip(value),
        _ => {}
    });
    own.or(other).map(|address| (address, index))
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

    proptest! {
        #[test]
        fn any_bytes(message: Vec<u8>) {
            let _ = address(&message);
        }
    }
}
