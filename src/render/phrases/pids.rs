//! The messages beside a list of pids.

use super::gap::FOREIGN_PIDS;
use super::{address, container, help};
use crate::model::Listener;

/// Returns why no pids are printed. `namespace_is_known` is whether the pid namespace that /proc shows is known.
pub(crate) fn no_pids(namespace_is_known: bool) -> String {
    let why = match namespace_is_known {
        false => "cannot read which pid namespace /proc shows",
        true => FOREIGN_PIDS,
    };
    format!("no pids are printed: {why}")
}

/// Returns which holder has no pid in the list, why, and what would help.
pub(crate) fn unseen_holder_of(listener: &Listener) -> String {
    let port = listener.socket.endpoint.port().map_or_else(String::new, |port| format!(" port {port}"));
    let reason = listener.unseen.as_deref().map_or("unknown", |unseen| unseen.reason.as_str());
    let helps = listener.unseen.as_deref().and_then(|unseen| unseen.help.as_ref());
    let helps = helps.map_or_else(String::new, |helps| format!("; {}", help(helps)));
    format!("a holder of {}{port} ({reason}){helps}", address(&listener.socket))
}

/// Returns to which container a port is forwarded that no process holds.
pub(crate) fn forwarded_port(listener: &Listener) -> String {
    let to = listener.container.as_deref().map_or_else(String::new, container);
    let port = listener.socket.endpoint.port().unwrap_or_default();
    format!("port {port} is forwarded to container {to}; no process holds it here")
}
