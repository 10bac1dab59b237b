//! Tasks that run on threads on Linux only: those that need their own namespace, and two tasks at once.

use std::io;
use std::thread;

use super::{join, may_start, spawn};

/// Runs `beside` on another thread while `here` runs on this one, or after it if no thread can be started.
pub(in crate::os) fn run_both<A: Send, B>(beside: impl Fn() -> A + Sync, here: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let other = may_start(2).then(|| spawn(scope, &beside).ok()).flatten();
        let here = here();
        (other.map_or_else(&beside, join), here)
    })
}

/// Runs `work` on a thread of its own, so that a namespace which it enters does not become that of another thread.
///
/// # Errors
/// If no thread can be started.
pub(in crate::os) fn run_on_new_thread<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    if !may_start(2) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    thread::scope(|scope| spawn(scope, work).map(join))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_done() {
        assert_eq!(run_both(|| 1, || 2), (1, 2));
        let own = thread::current().id();
        assert!(run_on_new_thread(|| thread::current().id()).is_ok_and(|id| id != own));
    }
}
