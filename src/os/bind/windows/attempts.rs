//! What bind attempts need of Windows. SO_REUSEADDR takes a port away from others here: it is never set.

use std::io;

/// Whether servers set SO_REUSEADDR here as a rule.
pub(crate) const SERVERS_REUSE: bool = false;

/// An error's name, the one that Unix has where there is one: `EADDRINUSE`.
pub(crate) fn error_name(error: &io::Error) -> String {
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::AddrInUse, _) => "EADDRINUSE".to_owned(),
        (io::ErrorKind::AddrNotAvailable, _) => "EADDRNOTAVAIL".to_owned(),
        (io::ErrorKind::PermissionDenied, _) => "EACCES".to_owned(),
        (_, Some(10047)) => "EAFNOSUPPORT".to_owned(),
        (_, Some(number)) => format!("error {number}"),
        (kind, None) => format!("{kind:?}"),
    }
}

/// Ports are not shared by this option here.
pub(crate) fn reuse_port(_socket: &socket2::Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The number of an interface, which is how Windows writes it.
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    name.parse().ok()
}

/// Interfaces are numbers here, and which there are is not read.
#[cfg(feature = "cli")]
pub(crate) fn interface_name(name_or_number: &str) -> Option<String> {
    name_or_number.parse::<u32>().ok().map(|number| number.to_string())
}
