//! Console events that end this process, and whether standard output can be a screen.

mod output;

use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use windows_sys::Win32::System::Console::{
    ENABLE_VIRTUAL_TERMINAL_PROCESSING, GetConsoleMode, GetStdHandle, STD_OUTPUT_HANDLE,
    SetConsoleCtrlHandler, SetConsoleMode,
};
use windows_sys::core::BOOL;

use crate::os::Signal;
pub(crate) use output::{output, output_is_missing};

type SignalCallback = Box<dyn Fn(Signal) + Send>;

static TELL: OnceLock<Mutex<SignalCallback>> = OnceLock::new();

/// A console does not stop processes.
pub(crate) const CAN_STOP: bool = false;

/// Does nothing: a console does not stop processes.
pub(crate) fn stop(_group: bool) -> io::Result<()> {
    Ok(())
}

/// Calls `tell`, on a thread of its own, when Ctrl-C or Ctrl-Break is typed or the console is closed, and keeps the
/// process from ending at once. To be called once.
///
/// # Errors
/// If no handler can be installed. Then the event ends the process as usual.
#[expect(unsafe_code, reason = "the console is asked by a system call")]
pub(crate) fn on_signals(_stops: bool, tell: impl Fn(Signal) + Send + 'static) -> io::Result<()> {
    if TELL.set(Mutex::new(Box::new(tell))).is_err() {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists));
    }
    // SAFETY: the handler is a function of the process itself, and stays as long as it.
    match unsafe { SetConsoleCtrlHandler(Some(handler), 1) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Returns false: on this system a closed reader is detected only by the next write.
pub(crate) fn output_is_closed() -> bool {
    false
}

/// Returns whether the console supports escape sequences, after enabling them (Windows 10; not in its legacy mode).
#[expect(unsafe_code, reason = "the system's own interface")]
pub(crate) fn output_takes_escapes() -> bool {
    let mut mode = 0;
    // SAFETY: a handle of this process, which may be of another kind and is refused then, and a number to write to.
    unsafe {
        let output = GetStdHandle(STD_OUTPUT_HANDLE);
        GetConsoleMode(output, &raw mut mode) != 0
            && SetConsoleMode(output, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0
    }
}

#[expect(unsafe_code, reason = "the form that the system calls")]
unsafe extern "system" fn handler(_event: u32) -> BOOL {
    if let Some(tell) = TELL.get() {
        tell.lock().unwrap_or_else(PoisonError::into_inner)(Signal::End);
    }
    1
}
