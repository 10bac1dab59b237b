//! Whether /proc shows the pid namespace this process is in. If it does not, a pid that is read there belongs to
//! another process here, or to none.

use std::os::fd::AsFd;

use rustix::fs::CWD;
use rustix::io::Errno;

use crate::model::{Gap, GapDetail, GapKind, GapReason, Help};
use crate::os::linux_api::procfs;
use crate::os::parse::linux::proc_status;

/// Returns whether the pids in /proc are those of the pid namespace of this process; `None` if that cannot be read.
///
/// `NSpid` in /proc/self/status lists the pids of this process from the namespace of /proc down to its own
/// (proc_pid_status(5)). One pid, and the one that getpid(2) returns, means that the two are the same: /proc/self alone
/// does not, because a process can have one number in two namespaces. A /proc of a namespace that this process is not
/// part of has no /proc/self (ENOENT). hidepid does not hide a process from itself.
pub(in crate::os) fn is_own() -> Option<bool> {
    match rustix::fs::readlink("/proc/self", Vec::new()) {
        Ok(link) if link.to_bytes() != std::process::id().to_string().as_bytes() => return Some(false),
        Ok(_) => {}
        Err(Errno::NOENT) => return procfs::require().is_ok().then_some(false),
        Err(_) => return None,
    }
    let status = procfs::read_at(CWD, "/proc/self/status", 64 * 1024).ok()?;
    // A kernel without pid namespaces (or older than 4.1) has no such line; the link has decided.
    Some(proc_status::pid_namespaces(&status).is_none_or(|count| count == 1))
}

/// Returns whether the process that this is the directory of is in the pid namespace of /proc, and not in one below.
/// Every user may read that.
pub(in crate::os) fn contains(process: impl AsFd) -> bool {
    let status = procfs::read_at(process, "status", 64 * 1024);
    status.is_ok_and(|status| proc_status::pid_namespaces(&status) == Some(1))
}

/// Returns the gap for pids that are not those of this process's namespace, if that is so.
pub(in crate::os) fn gap() -> Option<Gap> {
    (is_own() == Some(false)).then(|| {
        let detail = GapDetail::ForeignProc;
        Gap::new(GapKind::Processes, GapReason::PidNamespace, 1, detail, Help::MatchingProc)
    })
}

/// Returns the pid of this process as /proc shows it.
pub(in crate::os) fn own_pid() -> Option<u32> {
    let link = rustix::fs::readlink("/proc/self", Vec::new()).ok()?;
    crate::os::parse::linux::proc_fd::number(&link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_in_its_own_proc() {
        assert_eq!(is_own(), Some(true));
    }

    #[test]
    fn processes_are_in_one_or_in_one_below() {
        assert!(contains(std::fs::File::open("/proc/self").unwrap()));
    }
}
