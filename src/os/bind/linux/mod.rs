//! What Linux allows to bind: sysctls, addresses by rtnetlink, security policies.

pub(in crate::os) mod limits;
pub(in crate::os) mod local_addresses;
pub(in crate::os) mod policy;

pub(in crate::os) use super::unix::http_sys_urls;
#[cfg(feature = "cli")]
pub(crate) use super::unix::interface_name;
pub(crate) use super::unix::{HTTP_SYS_PID, SERVERS_REUSE, error_name, interface_index, reuse_port};
pub(in crate::os) use limits::limits as ready_limits;
pub(in crate::os) use limits::{fin_timeout, limits, time_wait_left};
pub(in crate::os) use local_addresses::local_addresses;
pub(in crate::os) use policy::policies;

/// Whether a bind of a socket that has a port already fails only after all checks but the one for conflicts. The order
/// in `inet_bind` and `inet6_bind` (5.10 to 7.3): security modules, BPF programs of the cgroup, the address (IPv4), the
/// privilege, and then EINVAL.
pub(crate) const BOUND_SOCKETS_ARE_CHECKED: bool = true;
