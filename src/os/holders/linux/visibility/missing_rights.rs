//! The permissions that this process lacks, and the command that shows the holders of a socket.

use rustix::thread::CapabilitySet;

use crate::model::{Endpoint, Help, MissingRights, Protocol, Socket, Target, Text};
use crate::os::namespaces::sys::user_namespace;

/// Returns the command that shows the holders of a socket, and the permission that is missing.
pub(super) fn help(socket: &Socket) -> Help {
    let missing = rights();
    if crate::os::privileged() {
        return Help::Rights(missing);
    }
    Help::PrivilegedScan { target: Some(argument(socket)), missing }
}

/// Returns the target for a socket: its port, its path if that is a target by itself, or all Unix sockets.
fn argument(socket: &Socket) -> Text {
    match &socket.endpoint {
        // A bare port means TCP and UDP.
        Endpoint::Ip { port, .. } if socket.protocol == Protocol::UdpLite => {
            Text::from_display(format_args!("udplite/{port}"))
        }
        Endpoint::Ip { port, .. } => Text::from_display(port),
        Endpoint::Unix { path } => {
            let is_target = |path: &&Text| {
                let targets =
                    path.as_str().and_then(|path| Target::parse_list(path).ok()).unwrap_or_default();
                matches!(targets.as_slice(), [only] if only.is_unix())
            };
            path.as_ref().filter(is_target).cloned().unwrap_or_else(|| "-x".into())
        }
    }
}

/// Returns what this process lacks to read other users' descriptor tables (ptrace(2), access mode checking).
/// Capabilities decide: root may lack some, and other users may have them.
pub(in crate::os) fn rights() -> MissingRights {
    let held = rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let inspect = held.contains(CapabilitySet::SYS_PTRACE);
    let search = held.intersects(CapabilitySet::DAC_READ_SEARCH | CapabilitySet::DAC_OVERRIDE);
    match (inspect, search) {
        (true, true) if user_namespace::current().is_some() => MissingRights::UserNamespace,
        (true, true) => MissingRights::Guarded,
        (false, false) if !crate::os::privileged() => MissingRights::Privileges,
        _ => MissingRights::Capabilities { sys_ptrace: !inspect, dac_read_search: !search },
    }
}
