//! Parsers of what Linux reports: netlink messages, files of /proc, type information, and what systemd writes. Pure:
//! compiled and tested on every system.

pub(in crate::os) mod btf;
pub(in crate::os) mod cgroup_boundary;
pub(in crate::os) mod cgroup_file;
pub(in crate::os) mod cgroup_mounts;
pub(in crate::os) mod cgroup_path;
pub(in crate::os) mod cmdline;
pub(in crate::os) mod container_starters;
pub(in crate::os) mod dbus_handshake;
pub(in crate::os) mod dbus_message;
pub(in crate::os) mod inet_diag;
pub(in crate::os) mod kernel_lists;
pub(in crate::os) mod kernel_release;
pub(in crate::os) mod kernel_sockets;
pub(in crate::os) mod lockdown;
pub(in crate::os) mod mountinfo;
pub(in crate::os) mod namespace_link;
pub(in crate::os) mod netlink;
pub(in crate::os) mod nftables;
pub(in crate::os) mod proc_fd;
pub(in crate::os) mod proc_maps;
pub(in crate::os) mod proc_net;
pub(in crate::os) mod proc_stat;
pub(in crate::os) mod proc_status;
pub(in crate::os) mod restart_policy;
pub(in crate::os) mod restart_settings;
pub(in crate::os) mod rtnetlink;
pub(in crate::os) mod security_context;
#[cfg(feature = "cli")]
pub(in crate::os) mod socket_event;
pub(in crate::os) mod syscall_file;
pub(in crate::os) mod sysctl;
pub(in crate::os) mod timens_offsets;
pub(in crate::os) mod uid_map;
pub(in crate::os) mod unit_file;
pub(in crate::os) mod unit_syntax;
pub(in crate::os) mod unix_diag;
pub(in crate::os) mod wchan;
