//! Targets.

#[cfg(feature = "cli")]
use std::net::IpAddr;

#[cfg(feature = "cli")]
use super::list_or;
use crate::bind_attempt::BindTarget;
#[cfg(feature = "cli")]
use crate::model::target::ServiceName;
#[cfg(feature = "cli")]
use crate::port_info::ServicePorts;
#[cfg(feature = "cli")]
use crate::render::escape::escape;

/// Returns the target as an argument of `free`: `3000`, `udp/53`. It has no address, because `free` takes none.
pub(crate) fn target(target: &BindTarget) -> String {
    format!("{}{}", target.protocol.prefix(), target.port)
}

/// Returns the port with its protocol, and the address if it has one: `10309/tcp`, `10309/tcp on 127.0.0.1`.
#[cfg(feature = "cli")]
pub(crate) fn bind_target(target: &BindTarget) -> String {
    let port = format!("{}/{}", target.port, target.protocol.as_str());
    let interface = target.interface.as_ref().map_or_else(String::new, |name| format!("%{}", escape(name)));
    match target.address {
        None => port,
        Some(address) if address.is_ipv6() => format!("{port} on [{address}{interface}]"),
        Some(address) => format!("{port} on {address}"),
    }
}

/// Returns by which file a service name is resolved that the registry gives other ports.
#[cfg(feature = "cli")]
pub(crate) fn resolved_by_file(service: &ServiceName, registry: &[ServicePorts]) -> String {
    let ports = |one: &ServicePorts| match one.ports.end() - one.ports.start() {
        0 => one.ports.start().to_string(),
        _ => format!("{}-{}", one.ports.start(), one.ports.end()),
    };
    let mut registered: Vec<String> = registry.iter().map(ports).collect();
    registered.dedup();
    let [name, file] = [&service.name, &service.file].map(|text| escape(&text.as_str().into()));
    format!("{name} is resolved by {file}; in the IANA registry it is port {}", list_or(registered))
}

/// Returns that the interface of an address has no meaning.
#[cfg(feature = "cli")]
pub(crate) fn ignored_interface(address: IpAddr, interface: &str) -> String {
    format!("{address} needs no interface: %{} is ignored", escape(&interface.into()))
}
