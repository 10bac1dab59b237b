//! What applies to this process and may forbid a bind: capabilities, security modules, seccomp, BPF programs of the
//! cgroup. Read only after a bind was refused with EACCES or EPERM. Nothing here decides which of them it was.

use std::os::fd::AsFd;

use crate::model::Text;
use crate::os::Policies;
use crate::os::holders::sys::bpf;
use crate::os::linux_api::cgroup;
use crate::os::parse::linux::{proc_status, security_context, uid_map};

/// The bit of CAP_NET_BIND_SERVICE (linux/capability.h).
const NET_BIND_SERVICE: u32 = 10;
/// lsm_list_modules(2), Linux 6.8, which is 17 numbers after landlock_create_ruleset(2) on every architecture.
const LSM_LIST_MODULES: libc::c_long = libc::SYS_landlock_create_ruleset + 461 - 444;
/// The numbers of security modules (linux/lsm.h), by name.
const MODULES: [(u64, &str); 14] = [
    (100, "capability"),
    (101, "selinux"),
    (102, "smack"),
    (103, "tomoyo"),
    (104, "apparmor"),
    (105, "yama"),
    (106, "loadpin"),
    (107, "safesetid"),
    (108, "lockdown"),
    (109, "bpf"),
    (110, "landlock"),
    (111, "ima"),
    (112, "evm"),
    (113, "ipe"),
];

/// Reads what applies to this process.
pub(in crate::os) fn policies() -> Policies {
    let status = std::fs::read("/proc/thread-self/status").unwrap_or_default();
    let field = |name: &str| proc_status::field(&status, name);
    let is_first =
        std::fs::read_to_string("/proc/self/uid_map").ok().map(|map| uid_map::is_of_first_namespace(&map));
    let capabilities = field("CapEff").and_then(|value| u64::from_str_radix(value, 16).ok());
    let modules = modules();
    let has = |name: &str| {
        modules
            .as_ref()
            .is_none_or(|modules| modules.iter().any(|module| module.as_bytes() == name.as_bytes()))
    };
    let confinement = ["apparmor", "selinux", "smack"]
        .into_iter()
        .filter(|name| has(name))
        .find_map(|name| confinement(name, modules.is_some()));
    Policies {
        may_bind_privileged: match (capabilities, is_first) {
            (Some(capabilities), Some(true)) => Some(capabilities >> NET_BIND_SERVICE & 1 == 1),
            // Whether a capability of another user namespace counts depends on the user namespace that owns the network namespace.
            _ => None,
        },
        confinement,
        selinux_enforces: std::fs::read_to_string("/sys/fs/selinux/enforce")
            .ok()
            .map(|value| value.trim() == "1"),
        modules,
        seccomp: field("Seccomp").map(|value| value != "0"),
        no_new_privileges: field("NoNewPrivs").map(|value| value == "1"),
        bind_programs: cgroup::own().and_then(|own| bpf::bind_hooks(own.as_fd()).ok()),
    }
}

/// Returns the active security modules: from the kernel, or from securityfs on kernels before 6.8.
fn modules() -> Option<Vec<Text>> {
    let mut ids = [0_u64; 64];
    let mut size = u32::try_from(size_of_val(&ids)).ok()?;
    #[expect(unsafe_code, reason = "neither rustix nor nix has this system call")]
    // SAFETY: the kernel writes at most `size` bytes to `ids`, and the size to `size`; both outlive the call.
    let count =
        unsafe { libc::syscall(LSM_LIST_MODULES, ids.as_mut_ptr(), std::ptr::from_mut(&mut size), 0_u32) };
    if let Some(listed) = usize::try_from(count).ok().and_then(|count| ids.get(..count)) {
        return Some(listed.iter().map(|id| name(*id)).collect());
    }
    let listed = std::fs::read_to_string("/sys/kernel/security/lsm").ok()?;
    Some(listed.trim().split(',').map(Text::from).collect())
}

/// Returns the name of a security module; its number for one that this program does not know.
fn name(id: u64) -> Text {
    match MODULES.iter().find(|(known, _)| *known == id) {
        Some((_, name)) => Text::from(*name),
        None => Text::from(format!("security module {id}").as_str()),
    }
}

/// Returns how a security module confines this process: `docker-default (enforce)`. Several modules share the file
/// `attr/current` on kernels that do not list the modules; then it is AppArmor's or SELinux's, whichever is there.
fn confinement(module: &str, is_known: bool) -> Option<Text> {
    let own = format!("/proc/thread-self/attr/{module}/current");
    let shared = is_known.then_some("/proc/thread-self/attr/current");
    let bytes = std::fs::read(own).ok().or_else(|| std::fs::read(shared?).ok())?;
    security_context::confining(&bytes).map(|context| Text::from([module.as_bytes(), b" ", context].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_some() {
        let found = policies();
        assert!(found.seccomp.is_some() && found.no_new_privileges.is_some());
        assert_eq!(name(110), Text::from("landlock"));
    }
}
