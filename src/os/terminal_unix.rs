//! What a terminal and whoever else started this process is asked: to tell when it is to end, by signals; whether
//! anybody reads what it writes; whether that can be a screen.

use std::io;
use std::sync::mpsc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::threads;

/// Calls this, on a thread of its own, whenever SIGINT, SIGTERM or SIGHUP would end the process, and keeps it from
/// ending. Where no thread can be started the signals end it as ever, and this is an error. What whoever started the process had it ignore, as nohup(1) does, is ignored still.
pub(crate) fn on_ending(tell: impl Fn() + Send + 'static) -> io::Result<()> {
    let heeded: Vec<i32> =
        [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)).collect();
    // The thread comes first: a signal that is caught and then read by nobody would be lost, and the process could not
    // be ended by it any more.
    let (send, receive) = mpsc::channel::<Signals>();
    threads::detach("signals", move || {
        if let Ok(mut signals) = receive.recv() {
            signals.forever().for_each(|_| tell());
        }
    })?;
    send.send(Signals::new(heeded)?).map_err(io::Error::other)
}

/// Whether nobody can read any more what is written to standard output: a pipe or a terminal that was closed at its
/// other end.
pub(crate) fn output_is_closed() -> bool {
    let output = io::stdout();
    let mut polled = [PollFd::new(&output, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // These two are told without being asked for: the one of a pipe by Linux, the other by macOS and of terminals.
    let closed = PollFlags::ERR | PollFlags::HUP;
    poll(&mut polled, Some(&now)).is_ok() && polled.iter().any(|output| output.revents().intersects(closed))
}

/// Whether a terminal heeds escape sequences: which it does, where TERM does not say otherwise.
pub(crate) fn output_takes_escapes() -> bool {
    true
}

#[expect(unsafe_code, reason = "what a signal does can be asked in no safe form")]
fn is_ignored(signal: i32) -> bool {
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
