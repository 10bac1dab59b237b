//! A process in hand: a pidfd (pidfd_open(2), Linux 5.3), so that a signal never meets another process.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::model::ProcessId;
use crate::os::EndSignal;
use crate::os::table::sys::procfs;

/// A process that can be ended without mistaking another one for it.
#[derive(Debug)]
pub(crate) struct KillHandle {
    process: OwnedFd,
    pid: u32,
    kernel: bool,
}

impl KillHandle {
    /// Takes hold of a process; `None` where it has ended, also where its pid belongs to another one by now. The pidfd
    /// comes first and the start is checked after: from then on the pidfd means this very process.
    pub(crate) fn of(id: ProcessId) -> io::Result<Option<KillHandle>> {
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
            None => Err(io::Error::other("its start is not known, so that it cannot be told from another")),
        }
    }

    /// Whether it is a thread of the kernel.
    pub(crate) fn is_kernel(&self) -> bool {
        self.kernel
    }

    /// Whether this process may end it.
    pub(crate) fn may_end(&self) -> io::Result<()> {
        // Signal 0 through a pidfd has no name in rustix. kill(2) with 0 may meet a later process with its pid, and
        // then says what would be allowed there: nothing is done by it.
        match i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            Some(pid) => match rustix::process::test_kill_process(pid) {
                Err(Errno::PERM) => Err(Errno::PERM.into()),
                _ => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Sends it a signal. False where it had ended already.
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

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        let mut waited = [PollFd::new(&self.process, PollFlags::IN)];
        matches!(poll(&mut waited, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(ready) if ready > 0)
    }
}

/// This program is never run by itself here.
pub(crate) fn errand(_arguments: &[std::ffi::OsString]) -> Option<bool> {
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
        assert!(KillHandle::of(reused).unwrap().is_none());
        assert!(KillHandle::of(ProcessId { pid: child.id(), start: None }).is_err());
        let grip = KillHandle::of(ProcessId { pid: child.id(), start: Some(start) }).unwrap().unwrap();
        assert!(!grip.has_ended() && !grip.is_kernel());
        assert!(grip.may_end().is_ok());
        assert!(grip.send(EndSignal::Kill).unwrap());
        child.wait().unwrap();
        assert!(grip.has_ended());
        assert!(!grip.send(EndSignal::Terminate).unwrap(), "nothing is left to be told");
        assert!(KillHandle::of(ProcessId { pid: child.id(), start: Some(start) }).unwrap().is_none());
    }
}
