//! What applies to this process and may forbid a bind: capabilities, security modules, seccomp, BPF programs of the
//! cgroup. Read only after a bind was refused with EACCES or EPERM. Nothing here decides which of them it was.

use std::os::fd::AsFd;

use crate::model::{Confinement, SecurityModule, Text};
use crate::os::Policies;
use crate::os::holders::sys::bpf;
use crate::os::linux_api::cgroup;
use crate::os::parse::linux::proc_status::Restrictions;
use crate::os::parse::linux::{security_context, uid_map};

/// The bit of CAP_NET_BIND_SERVICE (linux/capability.h).
const NET_BIND_SERVICE: u32 = 10;
/// lsm_list_modules(2), Linux 6.8, which is 17 numbers after landlock_create_ruleset(2) on every architecture.
const LSM_LIST_MODULES: libc::c_long = libc::SYS_landlock_create_ruleset + 461 - 444;
/// The numbers of security modules (linux/lsm.h).
const MODULES: [(u64, SecurityModule); 14] = [
    (100, SecurityModule::Capability),
    (101, SecurityModule::SeLinux),
    (102, SecurityModule::Smack),
    (103, SecurityModule::Tomoyo),
    (104, SecurityModule::AppArmor),
    (105, SecurityModule::Yama),
    (106, SecurityModule::LoadPin),
    (107, SecurityModule::SafeSetId),
    (108, SecurityModule::Lockdown),
    (109, SecurityModule::Bpf),
    (110, SecurityModule::Landlock),
    (111, SecurityModule::Ima),
    (112, SecurityModule::Evm),
    (113, SecurityModule::Ipe),
];

/// The modules that say in /proc how they confine a process, each with its folder in `attr`.
const CONFINING: [(SecurityModule, &str); 3] = [
    (SecurityModule::AppArmor, "apparmor"),
    (SecurityModule::SeLinux, "selinux"),
    (SecurityModule::Smack, "smack"),
];

/// Reads what applies to this process.
pub(in crate::os) fn policies() -> Policies {
    let status = std::fs::read("/proc/thread-self/status").unwrap_or_default();
    let restrictions = Restrictions::parse(&status);
    let is_first =
        std::fs::read_to_string("/proc/self/uid_map").ok().map(|map| uid_map::is_initial_map(&map));
    let modules = modules();
    let has = |module: &SecurityModule| modules.as_ref().is_none_or(|modules| modules.contains(module));
    let confinement = CONFINING
        .into_iter()
        .filter(|(module, _)| has(module))
        .find_map(|(module, folder)| confinement(module, folder, modules.is_some()));
    Policies {
        may_bind_privileged: match (restrictions.capabilities, is_first) {
            (Some(capabilities), Some(true)) => Some(capabilities >> NET_BIND_SERVICE & 1 == 1),
            // Whether a capability of another user namespace counts depends on the user namespace that owns the network namespace.
            _ => None,
        },
        confinement,
        selinux_enforces: std::fs::read_to_string("/sys/fs/selinux/enforce")
            .ok()
            .map(|value| value.trim() == "1"),
        modules,
        seccomp: restrictions.seccomp,
        no_new_privileges: restrictions.no_new_privileges,
        bind_programs: cgroup::own().and_then(|own| bpf::bind_hooks(own.as_fd()).ok()),
    }
}

/// Returns the active security modules: from the kernel, or from securityfs on kernels before 6.8.
fn modules() -> Option<Vec<SecurityModule>> {
    let mut ids = [0_u64; 64];
    let mut size = u32::try_from(size_of_val(&ids)).ok()?;
    #[expect(unsafe_code, reason = "neither rustix nor nix has this system call")]
    // SAFETY: the kernel writes at most `size` bytes to `ids`, and the size to `size`; both outlive the call.
    let count =
        unsafe { libc::syscall(LSM_LIST_MODULES, ids.as_mut_ptr(), std::ptr::from_mut(&mut size), 0_u32) };
    if let Some(listed) = usize::try_from(count).ok().and_then(|count| ids.get(..count)) {
        return Some(listed.iter().map(|id| module(*id)).collect());
    }
    let listed = std::fs::read_to_string("/sys/kernel/security/lsm").ok()?;
    Some(listed.trim().split(',').map(SecurityModule::from).collect())
}

/// Returns the security module with a number.
fn module(id: u64) -> SecurityModule {
    let known = MODULES.into_iter().find(|(known, _)| *known == id);
    known.map_or(SecurityModule::Numbered(id), |(_, module)| module)
}

/// Returns how a security module confines this process. Several modules share the file
/// `attr/current` on kernels that do not list the modules; then it is AppArmor's or SELinux's, whichever is there.
fn confinement(module: SecurityModule, folder: &str, is_known: bool) -> Option<Confinement> {
    let own = format!("/proc/thread-self/attr/{folder}/current");
    let shared = is_known.then_some("/proc/thread-self/attr/current");
    let bytes = std::fs::read(own).ok().or_else(|| std::fs::read(shared?).ok())?;
    security_context::confining(&bytes).map(|context| Confinement { module, context: Text::from(context) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_of_this_process_are_read() {
        let found = policies();
        assert!(found.seccomp.is_some() && found.no_new_privileges.is_some());
        assert_eq!(module(110), SecurityModule::Landlock);
        assert_eq!(module(999), SecurityModule::Numbered(999));
    }
}
