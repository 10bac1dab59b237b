//! A low limit of address space: the program answers or exits with status 3 and a message. From a small size up, it
//! neither aborts nor faults.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, live_test, pids, port};
use serde_json::json;

/// What the program needs besides its mapped files before it can report that memory is short: its stack, and the first
/// pages of its heap.
const FLOOR: u64 = 1 << 20;
/// With this limit it answers on every machine.
const ENOUGH: u64 = 40 << 20;

/// Returns the size of the mappings of the program and its libraries.
fn mapped_files(target: &str) -> u64 {
    let mut events = Cmd::new(["watch", "--ndjson", target]).stream();
    events.event("present");
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", events.pid())).expect("its maps");
    let length = |line: &str| {
        let (begin, end) = line.split_once(' ')?.0.split_once('-')?;
        Some(u64::from_str_radix(end, 16).ok()? - u64::from_str_radix(begin, 16).ok()?)
    };
    // The kernel's type information is mapped only while it is read.
    maps.lines().filter(|line| line.contains('/')).filter_map(length).sum()
}

#[live_test(Linux, Program("prlimit"))]
fn little_memory_causes_no_abort() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}"), "many=100".to_owned()]);
    let target = format!("tcp/{port}");
    let files = mapped_files(&target);
    let mut short = 0;
    let fine = (FLOOR..4 << 20).step_by(128 << 10);
    let coarse = (4 << 20..ENOUGH).step_by(4 << 20);
    for size in fine.chain(coarse).map(|more| files + more) {
        for words in [vec!["--json", &target], vec!["-a", "--json"], vec!["why", "--json", &target]] {
            let limit = ["prlimit".to_owned(), format!("--as={size}:{size}")];
            let output = Cmd::new(words.clone()).through(limit).run();
            match output.status.code() {
                Some(0 | 1) => {}
                Some(3) => {
                    short += 1;
                    output.assert(output.errors().contains("error: "), "it explains why there is no answer");
                }
                _ => output.fail(&format!("it ended by itself at {size} bytes, {files} of them mapped")),
            }
        }
    }
    let limit = ["prlimit".to_owned(), format!("--as={0}:{0}", files + ENOUGH)];
    let answer = Cmd::new([&target]).through(limit).answer(0);
    answer.assert_eq(pids(answer.only()), vec![server.pid()], "with enough memory, the holder");
    answer.assert_eq(&answer.only()["unseen"], &json!(null), "and nothing unseen");
    assert!(short > 0, "the sizes reach down to where it cannot answer");
}
