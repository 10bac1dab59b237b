//! Stages, measures, compares.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use allears::internals::system;
use divan::Bencher;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::bare;
use super::stage::{self, Stage};

/// How often the two take turns for the ratio.
const TURNS: usize = 41;

static LISTENERS: OnceLock<Vec<u64>> = OnceLock::new();

pub(crate) fn main() {
    if stage::hold() {
        return;
    }
    let stage = Stage::begin();
    let listeners = LISTENERS.get_or_init(|| stage.listeners.clone());
    match std::env::args().any(|argument| argument == "--ratio") {
        true => {
            on_one_processor(|| ratio("one thread", listeners));
            ratio("all threads", listeners);
        }
        false => divan::main(),
    }
}

#[divan::bench(args = ["one thread", "all threads"], max_time = 3)]
fn bare_system_calls(bencher: Bencher<'_, '_>, threads: &str) {
    with_threads(threads, || {
        let threads = threads_here();
        bencher.bench_local(|| bare::walk(threads));
    });
}

#[divan::bench(args = ["one thread", "all threads"], max_time = 3)]
fn walk(bencher: Bencher<'_, '_>, threads: &str) {
    let listeners = LISTENERS.get().map(Vec::as_slice).unwrap_or_default();
    with_threads(threads, || bencher.bench_local(|| assert_eq!(walk_once(listeners), listeners.len())));
}

fn walk_once(listeners: &[u64]) -> usize {
    system::walk(listeners).expect("/proc can be listed")
}

/// As many as the walk takes now.
fn threads_here() -> usize {
    system::threads(usize::MAX)
}

fn with_threads(threads: &str, run: impl FnOnce()) {
    match threads {
        "one thread" => on_one_processor(run),
        _ => run(),
    }
}

/// The walk takes as many threads as it may use processors: so it takes one here.
fn on_one_processor(run: impl FnOnce()) {
    let before = sched_getaffinity(None).expect("the processors of this thread can be asked for");
    let first = (0..CpuSet::MAX_CPU).find(|processor| before.is_set(*processor)).unwrap_or_default();
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one).expect("this thread may keep to one of its processors");
    run();
    sched_setaffinity(None, &before).expect("this thread may return to its processors");
}

/// Lets both take turns and prints the median of their ratios.
fn ratio(name: &str, listeners: &[u64]) {
    let threads = threads_here();
    let mut turns: Vec<(f64, Duration, Duration)> = (0..TURNS)
        .map(|turn| {
            // Whoever comes first finds caches as the other left them: that changes too.
            let (bare, walk) = match turn % 2 {
                0 => {
                    let bare = time(|| bare::walk(threads));
                    (bare, time(|| walk_once(listeners)))
                }
                _ => {
                    let walk = time(|| walk_once(listeners));
                    (time(|| bare::walk(threads)), walk)
                }
            };
            (walk.as_secs_f64() / bare.as_secs_f64(), bare, walk)
        })
        .collect();
    turns.sort_by(|(one, ..), (other, ..)| one.total_cmp(other));
    let at = |part: usize| turns.get(TURNS * part / 4).copied().unwrap_or_default();
    let (low, _, _) = at(1);
    let (median, bare, walk) = at(2);
    let (high, _, _) = at(3);
    println!(
        "{name} ({threads}): walk {walk:.2?}, bare system calls {bare:.2?}; \
         ratio {median:.3}, half of {TURNS} turns within {low:.3} and {high:.3}"
    );
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let begin = Instant::now();
    std::hint::black_box(work());
    begin.elapsed()
}
