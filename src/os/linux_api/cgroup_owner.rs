//! The service and the container that a cgroup of this machine belongs to.

use std::sync::OnceLock;

use crate::model::{Container, Service};
use crate::os::linux_api::procfs;
use crate::os::parse::linux::cgroup_file;
use crate::os::parse::linux::cgroup_path::{self, Root};

/// The most bytes that are read of a file of /proc.
const LONGEST_FILE: u64 = 32 * 1024;

/// Returns the location of the cgroups of this machine's own service manager. It is read once: it stays the same as long
/// as the machine, or the container that this runs in, does.
fn root() -> &'static Root {
    static ROOT: OnceLock<Root> = OnceLock::new();
    ROOT.get_or_init(|| {
        let read = |path| procfs::read_at(rustix::fs::CWD, path, LONGEST_FILE).ok();
        let cgroup = read("/proc/1/cgroup").and_then(|file| cgroup_file::path_of_process(&file));
        Root::from(read("/proc/1/comm").as_deref(), cgroup.as_deref(), procfs::sees_all_cgroups())
    })
}

/// Returns the service and the container that a cgroup belongs to: the service of this machine's own managers, and the
/// outermost container. `is_in_own_pid_namespace` is called if the path does not begin as systemd's do.
pub(in crate::os) fn belongs_to(
    path: &[u8],
    is_in_own_pid_namespace: &mut dyn FnMut() -> bool,
) -> (Option<Service>, Option<Container>) {
    cgroup_path::belongs_to(root(), path, is_in_own_pid_namespace)
}

/// Returns the container that a cgroup belongs to.
pub(in crate::os) fn container(path: &[u8]) -> Option<Container> {
    belongs_to(path, &mut || false).1
}
