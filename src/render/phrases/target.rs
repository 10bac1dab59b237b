//! Targets of binds.

use crate::bind_attempt::BindTarget;
#[cfg(feature = "cli")]
use crate::render::escape::escape;

/// Returns what was asked for as one types it for `free`: `3000`, `udp/53`. It has no address, because `free` takes none.
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
