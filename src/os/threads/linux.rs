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

/// Runs `work` on up to `most` other threads at the same time, and returns the result of each. Each run of `work` must take
/// its share from common state. It never runs on the calling thread.
///
/// # Errors
/// If no thread can be started.
pub(in crate::os) fn share_on_new_threads<T: Send>(
    most: usize,
    work: impl Fn() -> T + Sync,
) -> io::Result<Vec<T>> {
    let most = if may_start(most.saturating_add(1)) { most } else { 1 };
    if !may_start(2) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    thread::scope(|scope| {
        let first = spawn(scope, &work)?;
        let others: Vec<_> = (1..most).map_while(|_| spawn(scope, &work).ok()).collect();
        Ok(std::iter::once(first).chain(others).map(join).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn shares_are_never_done_on_the_calling_thread() {
        let next = AtomicUsize::new(0);
        let own = thread::current().id();
        let done = share_on_new_threads(3, || {
            assert_ne!(thread::current().id(), own);
            let mut done = 0;
            while next.fetch_add(1, Ordering::Relaxed) < 1000 {
                done += 1;
            }
            done
        });
        assert_eq!(done.unwrap().into_iter().sum::<usize>(), 1000);
        assert_eq!(share_on_new_threads(0, || 7).unwrap(), [7], "one at least");
    }

    #[test]
    fn both_are_done() {
        assert_eq!(run_both(|| 1, || 2), (1, 2));
        let own = thread::current().id();
        assert!(run_on_new_thread(|| thread::current().id()).is_ok_and(|id| id != own));
    }
}
