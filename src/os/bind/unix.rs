//! What bind attempts need of a Unix system: names of errors, SO_REUSEPORT, names of interfaces.

use std::io;

use rustix::net::sockopt::set_socket_reuseport;

/// Whether servers set SO_REUSEADDR here as a rule. It means: what is left of closed connections does not block.
pub(crate) const SERVERS_REUSE: bool = true;

/// An error's name as the manuals have it: `EADDRINUSE`.
pub(crate) fn error_name(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("{:?}", nix::errno::Errno::from_raw(number)),
        None => format!("{:?}", error.kind()),
    }
}

/// Lets a socket share its port with those of the same user that allow it.
pub(crate) fn reuse_port(socket: &socket2::Socket) -> io::Result<()> {
    Ok(set_socket_reuseport(socket, true)?)
}

/// The number of an interface by its name, or by its number as text. A name may look like a number.
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok().or_else(|| name.parse().ok())
}

/// Returns the name of an interface that is given by its name or number. `None` if there is none.
#[cfg(feature = "cli")]
pub(crate) fn interface_name(name_or_number: &str) -> Option<String> {
    if nix::net::if_::if_nametoindex(name_or_number).is_ok() {
        return Some(name_or_number.to_owned());
    }
    let name = nix::net::if_::if_indextoname(name_or_number.parse().ok()?).ok()?;
    // Of a number that no interface has some C libraries give an empty name.
    name.into_string().ok().filter(|name| !name.is_empty())
}
