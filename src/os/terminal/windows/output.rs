//! Standard output. On Windows' classic console escape sequences are enabled, or translated to its own calls if that
//! fails; any other output is written unchanged.

use std::io::{self, StdoutLock, Write};

use anstream::AutoStream;
use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Console::{GetStdHandle, STD_OUTPUT_HANDLE};

/// Returns whether the program was started without a standard output. The standard library drops what is written then.
#[expect(unsafe_code, reason = "the system's own interface")]
pub(crate) fn output_is_missing() -> bool {
    // SAFETY: the call takes a constant and returns a handle that is only compared.
    let handle = unsafe { GetStdHandle(STD_OUTPUT_HANDLE) };
    handle.is_null() || handle == INVALID_HANDLE_VALUE
}

/// Standard output.
pub(crate) struct Output(AutoStream<StdoutLock<'static>>);

/// Returns standard output.
pub(crate) fn output() -> Output {
    Output(AutoStream::always(io::stdout().lock()))
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if output_is_missing() {
            return Err(io::Error::other("standard output is closed"));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
