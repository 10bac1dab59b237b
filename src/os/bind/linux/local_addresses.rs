//! The addresses of this machine, from rtnetlink(7). getifaddrs(3) makes the same request, but aborts the program if a
//! reply is not what it expects (glibc 2.36).

use std::cell::RefCell;

use crate::model::Text;
use crate::os::bind::port_limits::LocalAddress;
use crate::os::linux_api::netlink::dump;
use crate::os::parse::linux::rtnetlink::{ADDRESS_HEADER, address};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;

/// Returns the addresses of this network namespace. `None` if they cannot be read.
pub(in crate::os) fn local_addresses() -> Option<Vec<LocalAddress>> {
    let found = RefCell::new(Vec::new());
    let mut each = |message: &[u8]| found.borrow_mut().extend(address(message));
    dump(None, RTM_GETADDR, &[0; ADDRESS_HEADER], RTM_NEWADDR, &mut each, &mut || found.borrow_mut().clear())
        .ok()?;
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
            .map(|(address, index, usability)| LocalAddress { address, interface: name(index), usability })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn loopback_is_on_lo() {
        let found = local_addresses().unwrap();
        let lo = found.iter().find(|local| local.address == IpAddr::from([127, 0, 0, 1])).unwrap();
        assert_eq!(lo.interface.as_str(), Some("lo"));
    }
}
