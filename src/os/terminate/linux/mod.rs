//! A handle to a process by a pidfd (pidfd_open(2), Linux 5.3), so that a signal never reaches another process.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::model::ProcessId;
use crate::os::EndSignal;
use crate::os::linux_api::procfs;

/// A process that can be ended, and is never mistaken for another one.
#[derive(Debug)]
pub(crate) struct KillHandle {
    process: OwnedFd,
    pid: u32,
    kernel: bool,
}

impl KillHandle {
    /// Opens a process. `None` if it has ended, also if its pid belongs to another process by now. The pidfd is opened
    /// first and the start checked after it: from then on the pidfd refers to this process.
    pub(crate) fn open(id: ProcessId) -> io::Result<Option<KillHandle>> {
        let Some(pid) = i32::try_from(id.pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        let process = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => process,
            Err(Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = match rustix::fs::open(format!("/proc/{}", id.pid), flags, Mode::empty()) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(stat) = procfs::stat(&directory) else { return Ok(None) };
        match id.start {
            Some(start) if start == stat.start => {
                Ok(Some(KillHandle { process, pid: id.pid, kernel: stat.kernel }))
            }
            Some(_) => Ok(None),
            None => Err(io::Error::other("its start time is unknown, so a reused pid cannot be ruled out")),
        }
    }

    /// Returns whether it is a thread of the kernel.
    pub(crate) fn is_kernel(&self) -> bool {
        self.kernel
    }

    /// Returns an error if this process may not end it.
    pub(crate) fn may_end(&self) -> io::Result<()> {
        // Signal 0 through a pidfd has no name in rustix. kill(2) with 0 may meet a later process with its pid, and
        // then reports what would be allowed there, and does nothing.
        match i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            Some(pid) => match rustix::process::test_kill_process(pid) {
                Err(Errno::PERM) => Err(Errno::PERM.into()),
                _ => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Sends it a signal. Returns false if it had ended already.
    pub(crate) fn send(&self, signal: EndSignal) -> io::Result<bool> {
        self.signal(signal.signal())
    }

    fn signal(&self, signal: Signal) -> io::Result<bool> {
        match pidfd_send_signal(&self.process, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        let mut waited = [PollFd::new(&self.process, PollFlags::IN)];
        matches!(poll(&mut waited, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(ready) if ready > 0)
    }
}

/// Returns nothing: this system needs no helper process for Ctrl+C.
#[cfg(feature = "cli")]
pub(crate) fn ctrl_c_helper(_arguments: &[std::ffi::OsString]) -> Option<bool> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_of(pid: u32) -> u64 {
        let directory = rustix::fs::open(format!("/proc/{pid}"), OFlags::RDONLY, Mode::empty()).unwrap();
        procfs::stat(&directory).unwrap().start
    }

    #[test]
    fn a_process_with_another_start_is_another_process() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let start = start_of(child.id());
        let reused = ProcessId { pid: child.id(), start: Some(start + 1) };
        assert!(KillHandle::open(reused).unwrap().is_none());
        assert!(KillHandle::open(ProcessId { pid: child.id(), start: None }).is_err());
        let handle = KillHandle::open(ProcessId { pid: child.id(), start: Some(start) }).unwrap().unwrap();
        assert!(!handle.has_ended() && !handle.is_kernel());
        assert!(handle.may_end().is_ok());
        assert!(handle.send(EndSignal::Kill).unwrap());
        child.wait().unwrap();
        assert!(handle.has_ended());
        assert!(!handle.send(EndSignal::Terminate).unwrap(), "no process is left to signal");
        assert!(KillHandle::open(ProcessId { pid: child.id(), start: Some(start) }).unwrap().is_none());
    }
}
