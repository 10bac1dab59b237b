//! What several topics read from the Linux kernel: netlink, `/proc`, cgroups, and the namespaces of this process. It
//! depends on `model`, `parse`, `users` and `open_files`, and on no other topic.

pub(in crate::os) mod bpf;
pub(in crate::os) mod cgroup;
pub(in crate::os) mod cgroup_owner;
pub(in crate::os) mod inet_diag;
pub(in crate::os) mod missing_permissions;
pub(in crate::os) mod netlink;
pub(in crate::os) mod pid_namespace;
pub(in crate::os) mod proc_path;
pub(in crate::os) mod procfs;
mod skipped;
pub(in crate::os) mod sock_diag;
pub(in crate::os) mod thread_list;
pub(in crate::os) mod unix_diag;
pub(in crate::os) mod user_namespace;
