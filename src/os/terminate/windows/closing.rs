//! Asking a program to close, as the button in the corner of its window does.

use windows_sys::Win32::Foundation::{HWND, LPARAM};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    EnumWindows, GW_OWNER, GetClassNameW, GetWindow, GetWindowThreadProcessId, IsWindowVisible, PostMessageW,
    WM_CLOSE,
};

/// Classes of windows that show a console. The system reports such a window for a process that runs in the console, and
/// closing it ends all processes in it, including the shell.
const CONSOLES: [&str; 2] = ["ConsoleWindowClass", "PseudoConsoleWindow"];

/// The windows of one process.
struct Search {
    pid: u32,
    found: Vec<HWND>,
}

/// Asks every visible top-level window of a process to close. Returns false if there is none, or if none can be asked.
pub(in crate::os) fn ask_to_close(pid: u32) -> bool {
    let mut search = Search { pid, found: Vec::new() };
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: the call returns after the last of its calls to `visit`, and until then `search` is valid and accessed by
    // nothing else.
    unsafe {
        EnumWindows(Some(visit), (&raw mut search).expose_provenance().cast_signed());
    }
    let mut asked = false;
    for window in search.found {
        #[expect(unsafe_code, reason = "the system's own interface")]
        // SAFETY: a window that is gone by now is an error that the call gives.
        let posted = unsafe { PostMessageW(window, WM_CLOSE, 0, 0) };
        asked |= posted != 0;
    }
    asked
}

/// Adds a window if it is one of those searched for.
#[expect(unsafe_code, reason = "called by the system")]
// SAFETY: it is passed to EnumWindows alone, with the address of a `Search`.
unsafe extern "system" fn visit(window: HWND, search: LPARAM) -> i32 {
    let mut owner = 0;
    let mut class = [0_u16; 64];
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: the address is that of the `Search` that EnumWindows was called with; the buffer is as long as the length
    // that is passed with it.
    unsafe {
        let search = &mut *std::ptr::with_exposed_provenance_mut::<Search>(search.cast_unsigned());
        GetWindowThreadProcessId(window, &raw mut owner);
        if owner == search.pid && IsWindowVisible(window) != 0 && GetWindow(window, GW_OWNER).is_null() {
            let length = GetClassNameW(window, class.as_mut_ptr(), 64);
            let class = class.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default();
            if !CONSOLES.contains(&String::from_utf16_lossy(class).as_str()) {
                search.found.push(window);
            }
        }
    }
    1
}
