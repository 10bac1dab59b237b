//! Adds the interface of this machine to targets that need one.

use std::net::{IpAddr, Ipv6Addr};

use super::say;
use crate::model::Protocol;
use crate::model::{Target, TargetError};
use crate::os::{self, LocalAddress};
use crate::render::phrases;
use crate::target_syntax::Interfaces;

/// Adds the interface to a target whose address needs one. The machine's addresses are read only for such targets.
/// `protocol` is that of a target that names none.
pub(super) fn add_interface(target: Target, protocol: Option<Protocol>) -> Result<Target, TargetError> {
    if !target.address().is_some_and(|address| address.is_ipv6()) {
        return Ok(target);
    }
    let protocol = target.protocol().or(protocol);
    let address = target.address();
    let scoped = target.scoped(protocol, &LocalInterfaces::default())?;
    if let (Some(ignored), Some(address)) = (&scoped.ignored, address) {
        say("note", &phrases::ignored_interface(address, ignored));
    }
    Ok(scoped.target)
}

/// This machine. Its addresses are read on first use.
#[derive(Default)]
struct LocalInterfaces(std::cell::OnceCell<Vec<LocalAddress>>);

impl LocalInterfaces {
    fn link_locals(&self) -> impl Iterator<Item = (&LocalAddress, Ipv6Addr)> {
        let addresses = self.0.get_or_init(|| os::local_addresses().unwrap_or_default());
        addresses.iter().filter_map(|local| match local.address {
            IpAddr::V6(address) if address.is_unicast_link_local() => Some((local, address)),
            _ => None,
        })
    }
}

impl Interfaces for LocalInterfaces {
    fn find(&self, name_or_number: &str) -> Option<String> {
        os::interface_name(name_or_number)
    }

    fn with_address(&self, address: Ipv6Addr) -> Vec<String> {
        let having = self.link_locals().filter(|(_, own)| *own == address);
        let mut names: Vec<String> =
            having.map(|(local, _)| local.interface.to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }

    fn link_local(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.link_locals().map(|(local, _)| local.interface.to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
