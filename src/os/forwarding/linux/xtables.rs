//! The NAT tables of the older iptables, iptables-legacy: whether they hold rules at all.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::CWD;
use rustix::net::{AddressFamily, SocketType};

use crate::os::linux_api::procfs;
use crate::os::parse::linux::kernel_lists::has_table;

/// struct ipt_getinfo and struct ip6t_getinfo, which are alike (linux/netfilter_ipv4/ip_tables.h).
#[repr(C)]
#[derive(Default)]
struct Info {
    name: [u8; 32],
    valid_hooks: u32,
    hook_entry: [u32; 5],
    underflow: [u32; 5],
    entries: u32,
    size: u32,
}

/// The entries of an empty NAT table: a policy for each of its four chains, and the one that ends it.
const EMPTY: u32 = 5;

/// Returns whether a NAT table of this network namespace holds rules. A table that does not exist yet is not requested,
/// because the kernel would create it.
pub(in crate::os) fn nat_table_has_rules() -> bool {
    let has = |names: &str, family: AddressFamily, level: libc::c_int| {
        let names = procfs::read_at(CWD, names, 64 * 1024).unwrap_or_default();
        has_table(&names, b"nat") && entries(family, level).is_some_and(|entries| entries > EMPTY)
    };
    has("/proc/thread-self/net/ip_tables_names", AddressFamily::INET, libc::IPPROTO_IP)
        || has("/proc/thread-self/net/ip6_tables_names", AddressFamily::INET6, libc::IPPROTO_IPV6)
}

/// Returns how many entries the NAT table of a family has.
fn entries(family: AddressFamily, level: libc::c_int) -> Option<u32> {
    // IPT_SO_GET_INFO and IP6T_SO_GET_INFO.
    const GET_INFO: libc::c_int = 64;
    let socket: OwnedFd =
        rustix::net::socket(family, SocketType::RAW, Some(rustix::net::ipproto::RAW)).ok()?;
    let mut info = Info::default();
    info.name.get_mut(..3)?.copy_from_slice(b"nat");
    let mut length = libc::socklen_t::try_from(size_of::<Info>()).ok()?;
    #[expect(unsafe_code, reason = "neither rustix nor nix has this socket option")]
    // SAFETY: `info` is a `repr(C)` structure of plain numbers, `length` is its size, and both live until the call
    // returns. The kernel writes no more than `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            GET_INFO,
            std::ptr::from_mut(&mut info).cast(),
            &raw mut length,
        )
    };
    (result == 0).then_some(info.entries)
}
