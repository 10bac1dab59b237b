//! Parses targets with service names of the IANA registry and of the machine's services file.

use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};

use super::say;
use crate::model::{Target, TargetError};
use crate::os;
use crate::port_info;
use crate::port_info::{Services, ServicesFile};
use crate::render::phrases;
use crate::target_syntax::{Hosts, UnknownHosts};

/// Parses a list of targets of this machine.
pub(super) fn parse_list(text: &str) -> Result<Vec<Target>, TargetError> {
    Target::parse_list_with(text, &Services::new(machines_file), &ThisMachine)
}

/// Parses a list of targets of a saved snapshot, whose machine has other addresses.
pub(super) fn parse_list_of_snapshot(text: &str) -> Result<Vec<Target>, TargetError> {
    Target::parse_list_with(text, &Services::new(machines_file), &UnknownHosts)
}

/// Parses targets in the form of `lsof -i`.
pub(super) fn parse_lsof(text: &str) -> Result<Vec<Target>, TargetError> {
    Target::parse_lsof_with(text, &Services::new(machines_file), &ThisMachine)
}

/// This machine's name and addresses.
struct ThisMachine;

impl Hosts for ThisMachine {
    fn is_own_name(&self, name: &str) -> bool {
        let own = os::host_name();
        let own = own.to_string_lossy();
        let short = own.split('.').next().unwrap_or_default();
        !short.is_empty() && (own.eq_ignore_ascii_case(name) || short.eq_ignore_ascii_case(name))
    }

    fn has_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_this = |local: &os::LocalAddress| local.address.to_canonical() == address;
        if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
            return true;
        }
        let local = os::local_addresses();
        if local.iter().flatten().any(is_this) {
            return true;
        }
        // A route may add addresses that no interface has. Where the addresses cannot be read, only the error that the
        // system has for a foreign one shows that it is foreign.
        match UdpSocket::bind((address, 0)) {
            Ok(_) => true,
            Err(error) => local.is_none() && error.kind() != ErrorKind::AddrNotAvailable,
        }
    }
}

/// Returns whether this machine has an address.
pub(super) fn is_own_address(address: IpAddr) -> bool {
    ThisMachine.has_address(address)
}

/// Returns a target as it was typed, without the user name and password of a URL.
pub(super) fn without_password(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => {
            format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
        }
        None => text.to_owned(),
    }
}

/// Reads this machine's services file.
fn machines_file() -> ServicesFile {
    let (path, read) = os::services_file();
    ServicesFile { path: path.display().to_string(), read }
}

/// Prints which names mean other ports on this machine than in the registry.
pub(super) fn print_differences<'a>(targets: impl IntoIterator<Item = &'a Target>) {
    let mut printed: Vec<&str> = Vec::new();
    for target in targets {
        let Some(service) = target.service().filter(|service| !printed.contains(&service.name.as_str()))
        else {
            continue;
        };
        let registry = port_info::named(&service.name, target.protocol());
        if registry.is_empty() {
            continue;
        }
        printed.push(&service.name);
        say("note", &phrases::resolved_by_file(service, &registry));
    }
}
