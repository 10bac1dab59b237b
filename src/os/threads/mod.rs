//! Starts all threads of this crate. Each of them is optional, because a system may refuse any of them (RLIMIT_NPROC,
//! pids.max, no memory): the work then runs on the calling thread, or is not done if it needs a thread that can be
//! abandoned.

#[cfg(target_os = "linux")]
mod linux;

use std::io;
use std::num::NonZero;
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

use super::memory;
#[cfg(target_os = "linux")]
pub(in crate::os) use linux::{map, map_on_new_threads, run_both, run_on_new_thread};

/// The stack of a thread: the deepest use, a walk with its buffers in a debug build, is below 100 KiB.
const STACK: usize = 512 * 1024;

/// Returns the number of threads that run at the same time on this machine.
pub(in crate::os) fn parallelism() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs `work` on this thread and on up to `most - 1` others at the same time, and returns the result of each. Each run of
/// `work` must take its share from common state, so that a thread that does not start leaves no work undone.
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

/// Runs `work` on a detached thread, which ends with the process.
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
}
