//! Tasks that run on threads on Linux only: those that need their own namespace, and two tasks at once.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::{join, may_start, share, spawn};
use crate::model::compact::CompactSort as _;

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

/// Does `work` for each item on this thread and on up to `most - 1` others, and returns the results in the order of the
/// items.
pub(in crate::os) fn map<I: Sync, T: Send>(
    items: &[I],
    most: usize,
    work: impl Fn(&I) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    in_order(share(most.min(items.len()), || take(items, &next, &work)))
}

/// Does what [`map`] does on other threads alone, never on the calling one.
///
/// # Errors
/// If no thread can be started.
pub(in crate::os) fn map_on_new_threads<I: Sync, T: Send>(
    items: &[I],
    most: usize,
    work: impl Fn(&I) -> T + Sync,
) -> io::Result<Vec<T>> {
    let most = most.min(items.len());
    if most == 0 {
        return Ok(Vec::new());
    }
    let most = if may_start(most + 1) { most } else { 1 };
    if !may_start(2) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    let next = AtomicUsize::new(0);
    let worker = || take(items, &next, &work);
    thread::scope(|scope| {
        let first = spawn(scope, worker)?;
        let others: Vec<_> = (1..most).map_while(|_| spawn(scope, worker).ok()).collect();
        Ok(in_order(std::iter::once(first).chain(others).map(join).collect()))
    })
}

/// Does `work` for items that no other thread has taken, until none is left, and returns each result with its position.
fn take<I, T>(items: &[I], next: &AtomicUsize, work: impl Fn(&I) -> T) -> Vec<(usize, T)> {
    let mut done = Vec::new();
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(item) = items.get(at) else { return done };
        done.push((at, work(item)));
    }
}

fn in_order<T>(parts: Vec<Vec<(usize, T)>>) -> Vec<T> {
    let mut done: Vec<(usize, T)> = parts.into_iter().flatten().collect();
    done.compact_sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(map(&items, 3, |item| *item), items);
        assert!(map(&items[..0], 3, |item| *item).is_empty());
        let own = thread::current().id();
        let elsewhere = |item: &usize| {
            assert_ne!(thread::current().id(), own);
            *item
        };
        assert_eq!(map_on_new_threads(&items, 3, elsewhere).unwrap(), items);
        assert_eq!(map_on_new_threads(&items[..1], 3, elsewhere).unwrap(), [0]);
        assert!(map_on_new_threads(&items[..0], 3, elsewhere).unwrap().is_empty());
    }

    #[test]
    fn both_are_done() {
        assert_eq!(run_both(|| 1, || 2), (1, 2));
        let own = thread::current().id();
        assert!(run_on_new_thread(|| thread::current().id()).is_ok_and(|id| id != own));
    }
}
