//! A process in hand by its handle: while that is open, its pid is not given away.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, TerminateProcess,
    WaitForSingleObject,
};

use super::{KERNEL, closing};
use crate::ProcessId;
use crate::os::processes;

/// A process that can be ended without mistaking another one for it.
#[derive(Debug)]
pub(crate) struct Grip {
    process: OwnedHandle,
    pid: u32,
}

impl Grip {
    /// Takes hold of a process; `None` where it has ended, also where its pid belongs to another one by now.
    pub(crate) fn of(id: ProcessId) -> io::Result<Option<Grip>> {
        if id.start.is_none() {
            return Err(io::Error::other("its start is not known, so that it cannot be told from another"));
        }
        let rights = PROCESS_TERMINATE | PROCESS_SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
        #[expect(unsafe_code, reason = "the system's own interface")]
        // SAFETY: numbers alone are passed; the handle that comes back is owned once, by what is made of it here.
        let process = unsafe {
            let handle = OpenProcess(rights, 0, id.pid);
            if handle.is_null() {
                let error = io::Error::last_os_error();
                let gone = error.raw_os_error() == i32::try_from(ERROR_INVALID_PARAMETER).ok();
                return if gone { Ok(None) } else { Err(error) };
            }
            OwnedHandle::from_raw_handle(handle)
        };
        let grip = Grip { process, pid: id.pid };
        let found = processes::read(std::iter::once(id.pid));
        let same = found.get(&id.pid).is_some_and(|process| process.id == id);
        Ok((same && !grip.has_ended()).then_some(grip))
    }

    /// Pids 0 and 4 are the kernel's own.
    pub(crate) fn is_kernel(&self) -> bool {
        KERNEL.contains(&self.pid)
    }

    /// The handle would not have been given otherwise.
    pub(crate) fn may_end(&self) -> io::Result<()> {
        Ok(())
    }

    /// Asks its windows to close, where it has some; ends it where there is nothing to ask. A console's other processes
    /// are never reached: a control event goes to a whole group, so none is sent. False where it had ended already.
    pub(crate) fn terminate(&self) -> io::Result<bool> {
        if self.has_ended() {
            return Ok(false);
        }
        // While the handle is open the pid is this process's.
        if closing::ask_to_close(self.pid) { Ok(true) } else { self.kill() }
    }

    /// Ends it. False where it had ended already.
    pub(crate) fn kill(&self) -> io::Result<bool> {
        if self.has_ended() {
            return Ok(false);
        }
        #[expect(unsafe_code, reason = "the system's own interface")]
        // SAFETY: the handle is open as long as `self`, and was opened with the right to terminate.
        let ended = unsafe { TerminateProcess(self.process.as_raw_handle(), 1) };
        if ended == 0 { Err(io::Error::last_os_error()) } else { Ok(true) }
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        #[expect(unsafe_code, reason = "the system's own interface")]
        // SAFETY: the handle is open as long as `self`, and was opened with the right to wait.
        let waited = unsafe { WaitForSingleObject(self.process.as_raw_handle(), 0) };
        waited == WAIT_OBJECT_0
    }
}
