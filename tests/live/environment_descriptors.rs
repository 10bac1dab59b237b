//! A low limit of file descriptors: the program answers, or an error names the limit. It never denies what it could not
//! read.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, live_test, port};

/// The exit status of the loader if it cannot open the libraries.
const LOADER: i32 = 127;

#[live_test(Linux, Program("prlimit"))]
fn few_descriptors_do_not_report_a_free_port() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let target = format!("tcp/{port}");
    let mut errors = 0;
    for limit in 3..=20 {
        let limited = ["prlimit".to_owned(), format!("--nofile={limit}:{limit}")];
        let lists: [&[&str]; 7] = [
            &[&target],
            &["--probe", &target],
            &["-q", &target],
            &["--csv", &target],
            &["-t"],
            &[],
            &["--all-namespaces", &target],
        ];
        for words in lists.map(|words| [&["--holders=walk"], words].concat()) {
            let output = Cmd::new(words.clone()).through(limited.clone()).run().without_panic();
            let code = output.status.code().unwrap_or(-1);
            if code == LOADER && output.errors().contains("shared libraries") {
                continue;
            }
            output.assert(code == 0 || code == 3, "it answers or fails, and never denies");
            let limit = format!("the limit of this shell is {limit}; raise it with ulimit -n");
            if code == 3 && !words.contains(&"-q") {
                errors += 1;
                output.assert(output.errors().contains(&limit), "the error names the limit");
            }
            if code == 0 && words == ["--holders=walk", &target] && !output.text().contains("fixture") {
                errors += 1;
                output.assert(output.text().contains(&limit), "the card explains why it has no holder");
            }
        }
        let why = Cmd::new(["why", &target]).through(limited).run().without_panic();
        let code = why.status.code().unwrap_or(-1);
        why.assert([1, 3, LOADER].contains(&code), "a port that is held is never free");
    }
    assert!(errors > 0, "the limits reach down to where it cannot answer");
}
