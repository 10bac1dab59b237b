//! Threads that are worth starting and can be done without. A system may refuse any of them (RLIMIT_NPROC, pids.max, no
//! memory): the work then runs on the calling thread, or is not done where only another thread could leave it behind.
//! All threads of this crate are started here.

use std::io;
use std::num::NonZero;
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

use super::memory;

/// The stack of a thread: the deepest use, a walk with its buffers in a debug build, is below 100 KiB.
const STACK: usize = 512 * 1024;

/// Returns how many threads run at the same time here.
pub(in crate::os) fn parallelism() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs `work` on this thread and on up to `most - 1` others at the same time, and returns what each of them gave.
/// `work` takes its share from what all of them can reach, so that a thread that does not start leaves nothing undone.
pub(crate) fn share<T: Send>(most: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    let most = if may_start(most) { most } else { 1 };
    thread::scope(|scope| {
        let others: Vec<_> = (1..most).map_while(|_| spawn(scope, &work).ok()).collect();
        let mut all = Vec::with_capacity(others.len() + 1);
        all.push(work());
        all.extend(others.into_iter().map(join));
        all
    })
}

/// Runs `beside` on another thread while `here` runs on this one, or after it if no thread can be started.
#[cfg(any(target_os = "linux", test))]
pub(in crate::os) fn both<A: Send, B>(beside: impl Fn() -> A + Sync, here: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let other = may_start(2).then(|| spawn(scope, &beside).ok()).flatten();
        let here = here();
        (other.map_or_else(&beside, join), here)
    })
}

/// Runs `work` on a thread that other threads do not share a namespace with afterwards.
///
/// # Errors
/// If no thread can be started.
#[cfg(any(target_os = "linux", test))]
pub(in crate::os) fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    if !may_start(2) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    thread::scope(|scope| spawn(scope, work).map(join))
}

/// Runs `work` on a thread that nobody waits for. It ends with the process.
///
/// # Errors
/// If no thread can be started.
pub(crate) fn detach(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    if !may_start(2) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    Builder::new().name(name.to_owned()).stack_size(STACK).spawn(work).map(drop)
}

fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    Builder::new().stack_size(STACK).spawn_scoped(scope, work)
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    match thread.join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Returns whether there is address space for so many threads, this one among them. The standard library allocates a
/// second stack for signals in a thread that has begun, and aborts the process if that fails.
fn may_start(threads: usize) -> bool {
    threads > 1 && memory::has_room(threads.saturating_mul(STACK * 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn work_is_shared() {
        let next = AtomicUsize::new(0);
        let done = share(4, || {
            let mut done = 0;
            while next.fetch_add(1, Ordering::Relaxed) < 1000 {
                done += 1;
            }
            done
        });
        assert_eq!(done.iter().sum::<usize>(), 1000);
        assert_eq!(share(1, || thread::current().id()), [thread::current().id()]);
    }

    #[test]
    fn both_are_done() {
        assert_eq!(both(|| 1, || 2), (1, 2));
        let own = thread::current().id();
        assert!(alone(|| thread::current().id()).is_ok_and(|id| id != own));
    }
}
