//! What bind attempts need from Windows. SO_REUSEADDR takes a port away from other processes on this system: it is
//! never set.

use std::io;

use crate::model::{ErrorName, Text};

/// Whether servers usually set SO_REUSEADDR on this system.
pub(crate) const SERVERS_REUSE: bool = false;

/// Returns an error's name, that of Unix if there is one: `EADDRINUSE`.
pub(crate) fn error_name(error: &io::Error) -> ErrorName {
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::AddrInUse, _) => ErrorName::InUse,
        (io::ErrorKind::AddrNotAvailable, _) => ErrorName::NotLocal,
        (io::ErrorKind::PermissionDenied, _) => ErrorName::Access,
        (_, Some(10047)) => ErrorName::NoFamily,
        (_, Some(number)) => ErrorName::Other(Text::from_display(format_args!("error {number}"))),
        (kind, None) => ErrorName::Other(Text::from_display(format_args!("{kind:?}"))),
    }
}

/// Returns an error: this system has no such option.
pub(crate) fn reuse_port(_socket: &socket2::Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns the index of an interface: Windows writes it as a number.
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    name.parse().ok()
}

/// Returns the number of an interface. Whether there is such an interface is not checked.
#[cfg(feature = "cli")]
pub(crate) fn interface_name(name_or_number: &str) -> Option<String> {
    name_or_number.parse::<u32>().ok().map(|number| number.to_string())
}
