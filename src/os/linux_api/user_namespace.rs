//! The user namespace this process is in, and the uids that the kernel reports there for users without
//! a number (user_namespaces(7)).
//!
//! The kernel reports the overflow uid, 65534 as a rule, for every user that the caller's user namespace has no number
//! for. The user nobody has the same number; the two must not be confused.

use std::os::unix::ffi::OsStrExt as _;

use crate::model::{Socket, UnknownUser, UserNamespace, UserRange};
use crate::os::parse::linux::{namespace_link, sysctl, uid_map};

/// The number of the first user namespace (PROC_USER_INIT_INO in the kernel's proc_ns.h).
const FIRST: u64 = 4_026_531_837;
/// How many uids there are. The last number is none: it stands for "no user" in system calls.
const ALL_USERS: u64 = 0xffff_ffff;
/// The overflow uid if the kernel reports none.
const DEFAULT_OVERFLOW: u32 = 65_534;

/// Returns the user namespace of this process. `None` for the first one, and on kernels without user namespaces.
pub(in crate::os) fn current() -> Option<UserNamespace> {
    let link = std::fs::read_link("/proc/self/ns/user").ok()?;
    let id = namespace_link::number(link.as_os_str().as_bytes(), b"user:[").filter(|id| *id != FIRST)?;
    let map = std::fs::read_to_string("/proc/self/uid_map").ok()?;
    Some(UserNamespace { id, users: uid_map::ranges(&map) })
}

/// The uid that the kernel reports for users without a number in this user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) struct OverflowUid {
    uid: u32,
    /// Why a user with this uid is unknown.
    reason: UnknownUser,
}

impl OverflowUid {
    /// Returns the overflow uid of this process's user namespace. `None` if every user has a number in it.
    pub(in crate::os) fn current() -> Option<OverflowUid> {
        let namespace = current()?;
        let content = std::fs::read_to_string("/proc/sys/kernel/overflowuid").ok();
        let uid = content.and_then(|uid| sysctl::number(&uid)).unwrap_or(DEFAULT_OVERFLOW);
        OverflowUid::from_map(&namespace.users, uid)
    }

    fn from_map(users: &[UserRange], uid: u32) -> Option<OverflowUid> {
        let mapped: u64 = users.iter().map(|range| u64::from(range.count)).sum();
        if mapped >= ALL_USERS {
            return None;
        }
        let is_mapped =
            users.iter().any(|range| uid.checked_sub(range.first).is_some_and(|at| at < range.count));
        let reason = if is_mapped { UnknownUser::UnmappedOrOverflow } else { UnknownUser::Unmapped };
        Some(OverflowUid { uid, reason })
    }

    /// Returns whether this uid stands for users without a number.
    pub(in crate::os) fn matches(self, uid: u32) -> bool {
        self.uid == uid
    }

    /// Makes an overflow uid an unknown one.
    pub(in crate::os) fn unmap(self, uid: &mut Option<u32>, unknown: &mut Option<UnknownUser>) {
        if *uid == Some(self.uid) {
            *uid = None;
            *unknown = Some(self.reason);
        }
    }

    /// Removes the user of a socket if its uid stands for users without a number. Up to Linux 6.12 a
    /// socket without a holder is reported as the first namespace's root, who need not have a number here.
    pub(in crate::os) fn unmap_socket(self, socket: &mut Socket) {
        self.unmap(&mut socket.uid, &mut socket.unknown_user);
        if socket.inode.is_none() && socket.unknown_user.is_some() {
            socket.unknown_user = Some(UnknownUser::NotReported);
        }
    }
}

/// Sets the user of a socket whose inode is known already. A uid of 0 without an inode means that the kernel does not
/// say: sockets in TIME_WAIT on every kernel (inet_twsk_diag_fill in net/ipv4/inet_diag.c), and those that no process holds
/// any more on 5.10, 6.1 and 6.12, while 6.18 and 7.3 report their user (observed).
pub(in crate::os) fn set_user(socket: &mut Socket, uid: u32) {
    match (socket.inode, uid) {
        (None, 0) => socket.unknown_user = Some(UnknownUser::NotReported),
        _ => socket.uid = Some(uid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_users_have_no_number() {
        let overflow =
            |map: &str| OverflowUid::from_map(&uid_map::ranges(map), 65_534).map(|overflow| overflow.reason);
        assert_eq!(overflow("         0          0 4294967295\n"), None);
        assert_eq!(overflow("0 4001 1\n"), Some(UnknownUser::Unmapped));
        assert_eq!(overflow(""), Some(UnknownUser::Unmapped), "a namespace that has no map yet");
        let rootless = "         0       1000          1\n         1     100000      65536\n";
        assert_eq!(overflow(rootless), Some(UnknownUser::UnmappedOrOverflow));
        assert_eq!(overflow("0 0 65534\n65535 65535 4294901760\n"), Some(UnknownUser::Unmapped));
    }
}
