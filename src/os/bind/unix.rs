//! What bind attempts need from a Unix system: names of errors, SO_REUSEPORT, names of interfaces.

use std::io;

use rustix::net::sockopt::set_socket_reuseport;

use crate::model::{ErrorName, Gap};
use crate::os::HttpSysUrls;

/// Whether servers usually set SO_REUSEADDR on this system. With it, remnants of closed connections do not block a
/// bind.
pub(crate) const SERVERS_REUSE: bool = true;

/// Returns an error's name as in the manual pages: `EADDRINUSE`.
pub(crate) fn error_name(error: &io::Error) -> ErrorName {
    match error.raw_os_error() {
        Some(number) => format!("{:?}", nix::errno::Errno::from_raw(number)).as_str().into(),
        None => format!("{:?}", error.kind()).as_str().into(),
    }
}

/// Lets a socket share its port with other sockets of the same user that also set this option.
pub(crate) fn reuse_port(socket: &socket2::Socket) -> io::Result<()> {
    Ok(set_socket_reuseport(socket, true)?)
}

/// Returns the index of an interface, given its name or its index as text. A name may look like a number.
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok().or_else(|| name.parse().ok())
}

/// Returns the name of an interface, given its name or index. `None` if there is none.
#[cfg(feature = "cli")]
pub(crate) fn interface_name(name_or_number: &str) -> Option<String> {
    if nix::net::if_::if_nametoindex(name_or_number).is_ok() {
        return Some(name_or_number.to_owned());
    }
    let name = nix::net::if_::if_indextoname(name_or_number.parse().ok()?).ok()?;
    // Some C libraries return an empty name for a number that no interface has.
    name.into_string().ok().filter(|name| !name.is_empty())
}

/// The pid by which HTTP.sys holds ports: `None`, because only Windows has it.
pub(crate) const HTTP_SYS_PID: Option<u32> = None;

/// Returns nothing: only Windows has HTTP.sys.
pub(in crate::os) fn http_sys_urls(_port: u16) -> (Vec<HttpSysUrls>, Option<Gap>) {
    (Vec::new(), None)
}
