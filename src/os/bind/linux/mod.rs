//! What Linux allows to bind: sysctls, addresses by rtnetlink, security policies.

pub(in crate::os) mod limits;
pub(in crate::os) mod local_addresses;
pub(in crate::os) mod policy;

#[cfg(feature = "cli")]
pub(in crate::os) use limits::limits as ready_limits;
pub(in crate::os) use limits::{fin_timeout, limits, time_wait_left};
pub(in crate::os) use local_addresses::local_addresses;
pub(in crate::os) use policy::policies;

use crate::model::Gap;
use crate::os::HttpSysUrls;

/// Whether a bind of a socket that has a port already fails only after all checks but the one for conflicts. The order
/// in `inet_bind` and `inet6_bind` (5.10 to 7.3): security modules, BPF programs of the cgroup, the address (IPv4), the
/// privilege, and then EINVAL.
pub(crate) const BOUND_SOCKETS_ARE_CHECKED: bool = true;

/// The pid by which HTTP.sys holds ports: `None`, because only Windows has it.
pub(crate) const HTTP_SYS_PID: Option<u32> = None;

/// Returns nothing: only Windows has HTTP.sys.
pub(in crate::os) fn http_sys_urls(_port: u16) -> (Vec<HttpSysUrls>, Option<Gap>) {
    (Vec::new(), None)
}
