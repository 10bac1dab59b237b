//! Ends processes of macOS. A handle has a process's pid and start time, and compares both again before each signal.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::model::ProcessId;
use crate::os::EndSignal;
use crate::os::process::sysinfo;

/// A process that can be ended. It could end, and its pid be reused, in the instant between the comparison and the
/// signal; this system offers nothing better.
#[derive(Debug)]
pub(crate) struct KillHandle {
    id: ProcessId,
    pid: Pid,
}

impl KillHandle {
    /// Refers to a process. `None` if it has ended, also if its pid belongs to another process by now.
    pub(crate) fn open(id: ProcessId) -> io::Result<Option<KillHandle>> {
        let Some(pid) = i32::try_from(id.pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        if id.start.is_none() {
            return Err(io::Error::other("its start time is unknown, so a reused pid cannot be ruled out"));
        }
        let handle = KillHandle { id, pid };
        Ok((!handle.has_ended()).then_some(handle))
    }

    /// Returns whether it is the kernel. Kernel threads have no sockets on this system.
    pub(crate) fn is_kernel(&self) -> bool {
        self.id.pid == 0
    }

    /// Returns an error if this process may not end it.
    pub(crate) fn may_end(&self) -> io::Result<()> {
        match test_kill_process(self.pid) {
            Err(Errno::PERM) => Err(Errno::PERM.into()),
            _ => Ok(()),
        }
    }

    /// Sends it a signal. Returns false if it had ended already.
    pub(crate) fn send(&self, signal: EndSignal) -> io::Result<bool> {
        self.signal(signal.signal())
    }

    fn signal(&self, signal: Signal) -> io::Result<bool> {
        if self.has_ended() {
            return Ok(false);
        }
        match kill_process(self.pid, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        let found = sysinfo::read(std::iter::once(self.id.pid));
        found.get(&self.id.pid).is_none_or(|process| process.id != self.id)
    }
}

/// Returns nothing: this system needs no helper process for Ctrl+C.
#[cfg(feature = "cli")]
pub(crate) fn ctrl_c_helper(_arguments: &[std::ffi::OsString]) -> Option<bool> {
    None
}
