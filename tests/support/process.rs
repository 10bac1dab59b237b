//! Processes that tests signal and observe.

use super::until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Sends a signal to a process of this test.
#[track_caller]
pub(crate) fn send_signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).expect("a pid")), signal).expect("send a signal");
}

/// Stops a process, and waits until it is stopped: the signal is handled when the process is next scheduled.
#[track_caller]
pub(crate) fn stop(pid: u32) {
    send_signal(pid, Signal::SIGSTOP);
    wait_for_state(pid, 'T');
}

/// Returns the state of a process as a letter of proc_pid_stat(5).
pub(crate) fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

/// Waits until a process is in this state.
#[track_caller]
pub(crate) fn wait_for_state(pid: u32, wanted: char) {
    let reached = until(|| (state(pid) == Some(wanted)).then_some(()));
    assert!(reached.is_some(), "process {pid} does not reach the state {wanted}");
}

/// Returns whether a process runs. A zombie does not.
pub(crate) fn runs(pid: u32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}
