//! The command that shows the holders of a socket.

use crate::model::{Endpoint, Help, Protocol, ScanTarget, Socket, Target, Text};
use crate::os::linux_api::missing_permissions::missing_permissions;

/// Returns the command that shows the holders of a socket, and the permission that is missing.
pub(super) fn help(socket: &Socket) -> Help {
    let missing = missing_permissions();
    if crate::os::privileged() {
        return Help::Rights(missing);
    }
    Help::PrivilegedScan { target: Some(target(socket)), missing }
}

/// Returns the target for a socket: its port, its path if that is a target, or all Unix sockets.
fn target(socket: &Socket) -> ScanTarget {
    match &socket.endpoint {
        // A bare port means TCP and UDP.
        Endpoint::Ip { port, .. } if socket.protocol == Protocol::UdpLite => ScanTarget::UdpLitePort(*port),
        Endpoint::Ip { port, .. } => ScanTarget::Port(*port),
        Endpoint::Unix { path } => {
            let is_target = |path: &&Text| {
                let targets =
                    path.as_str().and_then(|path| Target::parse_list(path).ok()).unwrap_or_default();
                matches!(targets.as_slice(), [only] if only.is_unix())
            };
            path.as_ref().filter(is_target).cloned().map_or(ScanTarget::AllUnix, ScanTarget::Path)
        }
    }
}
