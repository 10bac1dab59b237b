//! Signals that end or stop this process, whether standard output is still read, and whether it can be a screen.

mod output;

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use crate::os::{Signal, threads};
pub(crate) use output::{output, output_is_missing};

/// The longest time until a signal is noticed whose handler could not wake the thread for signals.
const RECHECK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// The pause of the thread for signals if it is woken for none, because the kernel has no memory for its calls.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether a terminal can stop a process.
pub(crate) const CAN_STOP: bool = true;

/// Calls `tell`, on a separate thread, whenever SIGINT, SIGTERM or SIGHUP would end the process, and with `stops` also
/// when SIGTSTP would stop it and when SIGCONT continues it. A signal that the parent process had ignored, as nohup(1)
/// does, stays ignored.
///
/// # Errors
/// If no thread can be started or no handler be installed. Then every signal still does what it does by default.
pub(crate) fn on_signals(stops: bool, tell: impl Fn(Signal) + Send + 'static) -> io::Result<()> {
    let all =
        if stops { &[SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT][..] } else { &[SIGINT, SIGTERM, SIGHUP] };
    let handled: Vec<i32> = all.iter().copied().filter(|signal| !is_ignored(*signal)).collect();
    on_each_signal(handled, move |signal| {
        tell(match signal {
            SIGTSTP => Signal::Stop,
            SIGCONT => Signal::Continue,
            _ => Signal::End,
        });
    })
}

/// Calls `tell`, on a separate thread, for each of these signals that arrives.
///
/// # Errors
/// If no thread can be started or no handler be installed. Then every signal still does what it does by default.
pub(in crate::os) fn on_each_signal(
    handled: Vec<i32>,
    tell: impl Fn(i32) + Send + 'static,
) -> io::Result<()> {
    let (installed, ready) = mpsc::channel();
    // The handlers are installed by the thread that serves them: without it the signals would be lost.
    let listen = move || {
        let delivery = UnixStream::pair()
            .and_then(|(read, write)| SignalDelivery::with_pipe(read, write, SignalOnly, handled));
        let mut signals = match delivery {
            Ok(signals) => signals,
            Err(error) => return drop(installed.send(Err(error))),
        };
        let _ = installed.send(Ok(()));
        // The iterator of signal-hook panics if it cannot read from the socket, and a signal is lost if its handler
        // cannot write to it. The handler notes the signal before.
        let mut in_vain = 0_u32;
        loop {
            let mut woken = [PollFd::new(signals.get_read(), PollFlags::IN)];
            let is_idle = poll(&mut woken, Some(&RECHECK)) == Ok(0);
            let mut arrived = signals.pending().peekable();
            in_vain = if is_idle || arrived.peek().is_some() { 0 } else { in_vain.saturating_add(1) };
            // A signal may be read before the byte of its handler, so once is no failure.
            if in_vain > 1 {
                std::thread::sleep(PAUSE);
            }
            arrived.for_each(&tell);
        }
    };
    threads::detach("signals", listen)?;
    ready.recv().unwrap_or_else(|_| Err(io::Error::other("the thread for signals ended")))
}

/// Stops this process, or its whole process group, as the terminal's stop character does, and returns when it is
/// continued. The kernel ignores the request if nobody could continue it (an orphaned process group), and this function
/// returns at once.
pub(crate) fn stop(group: bool) -> io::Result<()> {
    if is_ignored(SIGTSTP) {
        return Ok(());
    }
    let handler = set_action(SIGTSTP, None)?;
    // The calling thread runs `main`, and the kernel delivers such a signal to it first.
    let stopped = match group {
        true => rustix::process::kill_current_process_group(rustix::process::Signal::TSTP),
        false => rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP),
    };
    set_action(SIGTSTP, Some(handler))?;
    Ok(stopped?)
}

/// Sets what a signal does, the default if `action` is `None`, and returns what it did.
#[expect(unsafe_code, reason = "what a signal does can be set in no safe form")]
fn set_action(signal: i32, action: Option<libc::sigaction>) -> io::Result<libc::sigaction> {
    // SAFETY: every field may be zero, and zeroes are the default action (SIG_DFL) with no flags and no mask. What is
    // set is either that or what this very call returned before. Both pointers are to memory of their type.
    unsafe {
        let action = action.unwrap_or_else(|| std::mem::zeroed());
        let mut old = std::mem::zeroed();
        match libc::sigaction(signal, &raw const action, &raw mut old) {
            0 => Ok(old),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Returns whether standard output has no reader any more: its pipe or terminal was closed at the other end.
pub(crate) fn output_is_closed() -> bool {
    if output_is_missing() {
        return true;
    }
    let output = io::stdout();
    let mut polled = [PollFd::new(&output, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // poll(2) always reports these two: Linux reports the first for a pipe, macOS and terminals the second.
    let closed = PollFlags::ERR | PollFlags::HUP;
    poll(&mut polled, Some(&now)).is_ok() && polled.iter().any(|output| output.revents().intersects(closed))
}

/// Returns true: terminals support escape sequences unless TERM is `dumb`, which `cli` checks.
pub(crate) fn output_takes_escapes() -> bool {
    true
}

/// Returns whether this process ignores a signal.
#[expect(unsafe_code, reason = "what a signal does can be asked in no safe form")]
pub(in crate::os) fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action nothing is changed; the old one is written into memory of its own type, all of
    // whose fields may be zero.
    let action = unsafe {
        match libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) {
            0 => action.assume_init(),
            _ => return false,
        }
    };
    action.sa_sigaction == libc::SIG_IGN
}
