//! Asks a program to end by Ctrl+C in its console. Every process in a console receives it, so it is sent only if the
//! program is alone in its console, and only a process in that console can send it. A process has one console at a time:
//! to keep its own, this program runs a second time, without a console, as a helper.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::windows::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::System::Console::{
    AttachConsole, CTRL_C_EVENT, GenerateConsoleCtrlEvent, GetConsoleProcessList, SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Threading::DETACHED_PROCESS;

/// The option by which this program runs itself as the helper; a pid follows.
const HELPER_OPTION: &str = "--ctrl-c-for";
/// Whether this program can be the helper. A program that only uses the library cannot, and must not be started again.
static CAN_HELP: AtomicBool = AtomicBool::new(false);
/// How long the helper may take.
const LONGEST: Duration = Duration::from_secs(2);

/// Sends Ctrl+C to a process by its console. Returns false if it has none, or is not alone in it. The caller has a
/// handle to it, so that its pid is not reused meanwhile.
pub(in crate::os) fn send_for(pid: u32) -> bool {
    if !CAN_HELP.load(Ordering::Relaxed) {
        return false;
    }
    let Ok(program) = env::current_exe() else { return false };
    let mut command = Command::new(program);
    command.arg(HELPER_OPTION).arg(pid.to_string()).creation_flags(DETACHED_PROCESS);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut sent) = command.spawn() else { return false };
    let until = Instant::now() + LONGEST;
    loop {
        match sent.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(5)),
            Ok(None) | Err(_) => {
                // It is our own child, and not waited for yet.
                let _ended_by_now = sent.kill();
                return sent.wait().is_ok_and(|status| status.success());
            }
        }
    }
}

/// Runs as the helper if these are its arguments, and returns whether the process was sent Ctrl+C.
#[cfg(feature = "cli")]
pub(crate) fn ctrl_c_helper(arguments: &[OsString]) -> Option<bool> {
    CAN_HELP.store(true, Ordering::Relaxed);
    match arguments {
        [_, word, pid] if word == OsStr::new(HELPER_OPTION) => {
            Some(pid.to_str().and_then(|pid| pid.parse().ok()).is_some_and(ask))
        }
        _ => None,
    }
}

/// Attaches to the console of a process and sends Ctrl+C there.
fn ask(pid: u32) -> bool {
    // A third that does not fit is enough to know of.
    let mut inside = [0_u32; 3];
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: numbers are passed, and a buffer with its length; this process has no console that it could lose, and
    // null stands for ignoring Ctrl+C in it.
    unsafe {
        if AttachConsole(pid) == 0 {
            return false;
        }
        let count = GetConsoleProcessList(inside.as_mut_ptr(), inside.len() as u32);
        let listed = usize::try_from(count).ok().and_then(|count| inside.get(..count));
        if !listed.is_some_and(|listed| is_alone(listed, pid, std::process::id())) {
            return false;
        }
        SetConsoleCtrlHandler(None, 1) != 0 && GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0) != 0
    }
}

/// Returns whether only this process and its visitor are in a console.
fn is_alone(inside: &[u32], pid: u32, visitor: u32) -> bool {
    matches!(inside, [one, other] if (*one, *other) == (pid, visitor) || (*one, *other) == (visitor, pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_with_anybody_else_in_it_is_left_alone() {
        assert!(is_alone(&[7, 9], 7, 9) && is_alone(&[9, 7], 7, 9));
        for inside in [&[][..], &[7], &[9], &[7, 7], &[9, 9], &[7, 8], &[7, 8, 9], &[7, 9, 9]] {
            assert!(!is_alone(inside, 7, 9), "{inside:?}");
        }
    }

    #[test]
    fn only_the_helpers_own_arguments_start_it() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(ctrl_c_helper(&words(&["allears", "8080"])), None);
        assert_eq!(ctrl_c_helper(&words(&["allears", HELPER_OPTION])), None);
        assert_eq!(ctrl_c_helper(&words(&["allears", HELPER_OPTION, "8", "9"])), None);
        assert_eq!(ctrl_c_helper(&words(&["allears", HELPER_OPTION, "x"])), Some(false));
    }
}
