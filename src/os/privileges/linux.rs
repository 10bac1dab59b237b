//! Capabilities (capabilities(7)), and the user for access to files (setfsuid(2)).

use nix::unistd::{Uid, setfsuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

const NONE: CapabilitySets = CapabilitySets {
    effective: CapabilitySet::empty(),
    permitted: CapabilitySet::empty(),
    inheritable: CapabilitySet::empty(),
};

/// Empties every set of capabilities of this thread: effective, permitted, inheritable, ambient and bounding. From then
/// on no program that it runs gets any, whatever its file or its user (no_new_privs).
pub(in crate::os) fn drop_all() {
    // Kernels from before 3.5 do not know it.
    let _ = set_no_new_privs(true);
    let Ok(held) = capabilities(None) else { return };
    if held.permitted.contains(CapabilitySet::SETPCAP) {
        // The kernel refuses the first number that it does not know.
        let each = (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number));
        let _ = each.map_while(|one| remove_capability_from_bounding_set(one).ok()).count();
    }
    // Emptying the permitted set empties the ambient set too, but not if that fails.
    let _ = clear_ambient_capability_set();
    let _ = set_capabilities(None, NONE);
}

/// Runs `work` with an empty effective set.
pub(in crate::os) fn lowered<T>(work: impl FnOnce() -> T) -> T {
    let held = capabilities(None).ok().filter(|held| !held.effective.is_empty());
    let Some(held) = held else { return work() };
    let lowered = CapabilitySets { effective: CapabilitySet::empty(), ..held };
    let is_lowered = set_capabilities(None, lowered).is_ok();
    let result = work();
    if is_lowered {
        // What is permitted can always become effective.
        let _ = set_capabilities(None, held);
    }
    result
}

/// Gives up the rights of this thread for good, except that it may open what `user` may open. For root only: other users
/// stay who they are.
pub(in crate::os) fn confine(user: Option<u32>) {
    open_files_as(user);
    drop_all();
}

/// Runs `work` with the rights that [`confine`] leaves.
pub(in crate::os) fn confined<T>(user: Option<u32>, work: impl FnOnce() -> T) -> T {
    // This takes a capability, and so comes first.
    let own = open_files_as(user);
    let result = lowered(work);
    if let Some(own) = own {
        // The kernel gives the capabilities for files back with root's access to them.
        setfsuid(own);
    }
    result
}

/// Makes `user` the user by whose rights this thread opens files. It may not be signalled by that user, and a peer still
/// sees the thread's own user. Returns the user before, if it is another one.
fn open_files_as(user: Option<u32>) -> Option<Uid> {
    let own = Uid::effective();
    let user = user.map(Uid::from_raw).filter(|user| own.is_root() && *user != own)?;
    Some(setfsuid(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn sets() -> CapabilitySets {
        capabilities(None).unwrap()
    }

    #[test]
    fn everything_is_dropped_in_this_thread_alone() {
        let before = sets();
        thread::spawn(move || {
            drop_all();
            assert_eq!(sets(), NONE);
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let value =
                |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
            for key in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
                assert_eq!(value(key), "0000000000000000", "{key}");
            }
            if before.permitted.contains(CapabilitySet::SETPCAP) {
                assert_eq!(value("CapBnd:"), "0000000000000000");
            }
            assert_eq!(value("NoNewPrivs:"), "1");
            thread::spawn(|| assert_eq!(sets(), NONE, "a thread that it starts")).join().unwrap();
        })
        .join()
        .unwrap();
        assert_eq!(sets(), before);
    }

    #[test]
    fn lowered_rights_come_back() {
        let before = sets();
        lowered(|| {
            assert_eq!(sets().effective, CapabilitySet::empty());
            assert_eq!(sets().permitted, before.permitted);
            lowered(|| assert_eq!(sets().effective, CapabilitySet::empty()));
        });
        assert_eq!(sets(), before);
    }

    #[test]
    fn files_are_opened_as_another_user() {
        if !Uid::effective().is_root() {
            return;
        }
        let folder = std::env::temp_dir().join(format!("allears-confined-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("secret");
        std::fs::write(&file, b"").unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let before = sets();
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(confined(Some(65_534), || std::fs::read(&file)).is_err());
                assert!(std::fs::read(&file).is_ok(), "the rights are back");
                assert_eq!(sets(), before);
                assert!(
                    confined(None, || std::fs::read(&file)).is_ok(),
                    "a file of root needs no capability"
                );
                confine(Some(65_534));
                assert!(std::fs::read(&file).is_err());
                assert_eq!(sets(), NONE);
            });
        });
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
