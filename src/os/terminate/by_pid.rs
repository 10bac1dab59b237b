//! A process in hand by pid and start time, which is compared again before each signal.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::model::ProcessId;
use crate::os::EndSignal;
use crate::os::process::sysinfo;

/// A process that can be ended. Between comparing and signalling lies an instant in which it could end and its pid be
/// given away; this system offers nothing better.
#[derive(Debug)]
pub(crate) struct KillHandle {
    id: ProcessId,
    pid: Pid,
}

impl KillHandle {
    /// Takes hold of a process; `None` where it has ended, also where its pid belongs to another one by now.
    pub(crate) fn of(id: ProcessId) -> io::Result<Option<KillHandle>> {
        let Some(pid) = i32::try_from(id.pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        if id.start.is_none() {
            return Err(io::Error::other("its start is not known, so that it cannot be told from another"));
        }
        let grip = KillHandle { id, pid };
        Ok((!grip.has_ended()).then_some(grip))
    }

    /// Kernel threads have no sockets here.
    pub(crate) fn is_kernel(&self) -> bool {
        self.id.pid == 0
    }

    /// Whether this process may end it.
    pub(crate) fn may_end(&self) -> io::Result<()> {
        match test_kill_process(self.pid) {
            Err(Errno::PERM) => Err(Errno::PERM.into()),
            _ => Ok(()),
        }
    }

    /// Sends it a signal. False where it had ended already.
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

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        let found = sysinfo::read(std::iter::once(self.id.pid));
        found.get(&self.id.pid).is_none_or(|process| process.id != self.id)
    }
}
