//! A handle to a process. While it is open, Windows does not reuse the pid.

pub(in crate::os) mod closing;
pub(in crate::os) mod console;

#[cfg(feature = "cli")]
pub(crate) use console::ctrl_c_helper;

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::WAIT_OBJECT_0;
use windows_sys::Win32::System::Threading::{
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, TerminateProcess,
    WaitForSingleObject,
};

use crate::model::ProcessId;
use crate::os::EndSignal;
use crate::os::parse::windows::process_times::KERNEL;
use crate::os::windows_api;

/// A process that can be ended, and is never mistaken for another one.
#[derive(Debug)]
pub(crate) struct KillHandle {
    process: OwnedHandle,
    pid: u32,
}

impl KillHandle {
    /// Opens a process. `None` if it has ended, also if its pid belongs to another process by now: one with another
    /// creation time.
    pub(crate) fn open(id: ProcessId) -> io::Result<Option<KillHandle>> {
        if KERNEL.contains(&id.pid) {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "it is the kernel of Windows, which is never ended",
            ));
        }
        let rights = PROCESS_TERMINATE | PROCESS_SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
        let Some(process) = windows_api::open(id.pid, rights)? else { return Ok(None) };
        let Some(start) = id.start else {
            return Err(io::Error::other("its start time is unknown, so a reused pid cannot be ruled out"));
        };
        let same = windows_api::lifetime_of(&process).id_start() == Some(start);
        let handle = KillHandle { process, pid: id.pid };
        Ok((same && !handle.has_ended()).then_some(handle))
    }

    /// Returns false: the kernel's processes cannot be opened.
    pub(crate) fn is_kernel(&self) -> bool {
        KERNEL.contains(&self.pid)
    }

    /// Returns no error: otherwise the handle could not have been opened.
    pub(crate) fn may_end(&self) -> io::Result<()> {
        Ok(())
    }

    /// Asks it to end, or ends it. Returns false if it had ended already.
    pub(crate) fn send(&self, signal: EndSignal) -> io::Result<bool> {
        match signal {
            EndSignal::Terminate => self.terminate(),
            EndSignal::Kill => self.kill(),
            other => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("Windows has no signal of the kind {other:?}"),
            )),
        }
    }

    /// Asks its windows to close. If it has none, sends Ctrl+C to its console, unless other processes are in that;
    /// otherwise ends it. Returns false if it had ended already.
    fn terminate(&self) -> io::Result<bool> {
        if self.has_ended() {
            return Ok(false);
        }
        // While the handle is open the pid is this process's.
        if closing::ask_to_close(self.pid) || console::send_for(self.pid) { Ok(true) } else { self.kill() }
    }

    /// Ends it. Returns false if it had ended already.
    fn kill(&self) -> io::Result<bool> {
        if self.has_ended() {
            return Ok(false);
        }
        #[expect(unsafe_code, reason = "the system's own interface")]
        // SAFETY: the handle is open as long as `self`, and was opened with the right to terminate.
        let ended = unsafe { TerminateProcess(self.process.as_raw_handle(), 1) };
        if ended == 0 { Err(io::Error::last_os_error()) } else { Ok(true) }
    }

    /// Returns whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        #[expect(unsafe_code, reason = "the system's own interface")]
        // SAFETY: the handle is open as long as `self`, and was opened with the right to wait.
        let waited = unsafe { WaitForSingleObject(self.process.as_raw_handle(), 0) };
        waited == WAIT_OBJECT_0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    /// A process that stays until its input ends.
    fn waiting() -> Child {
        let mut command = Command::new("cmd");
        command.args(["/c", "set /p nothing="]).stdin(Stdio::piped()).stdout(Stdio::null());
        command.spawn().unwrap()
    }

    fn id(child: &Child) -> ProcessId {
        ProcessId { pid: child.id(), start: windows_api::lifetime(child.id()).id_start() }
    }

    #[test]
    fn the_kernel_is_refused() {
        for pid in KERNEL {
            for start in [None, Some(0), windows_api::lifetime(pid).id_start()] {
                let refused = KillHandle::open(ProcessId { pid, start }).unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
            }
        }
    }

    #[test]
    fn creation_time_identifies_a_process() {
        let mut child = waiting();
        let id = id(&child);
        let start = id.start.unwrap();
        for other in [start - 1, start + 1, 0] {
            let other = ProcessId { start: Some(other), ..id };
            assert!(KillHandle::open(other).unwrap().is_none(), "a pid that was given anew");
        }
        assert!(
            KillHandle::open(ProcessId { start: None, ..id }).is_err(),
            "a process without a known start is not ended"
        );
        let handle = KillHandle::open(id).unwrap().unwrap();
        assert!(!handle.has_ended() && child.try_wait().unwrap().is_none(), "nothing was done to it");
        assert!(handle.kill().unwrap());
        child.wait().unwrap();
        assert!(handle.has_ended() && !handle.kill().unwrap() && !handle.terminate().unwrap());
        assert!(KillHandle::open(id).unwrap().is_none(), "it has ended");
    }
}
