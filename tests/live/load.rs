//! Many sockets and descriptors, file systems that never answer, and a machine that changes during the scan.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, holders, live_test, pids, port, without_netlink};
use serde_json::json;

#[live_test(Linux, Root, Program("nsenter"), Fuse)]
fn a_descriptor_on_a_hung_file_system_does_not_block() {
    let port = port();
    let hung = crate::support::folder().join(format!("hung-{port}"));
    std::fs::create_dir_all(&hung).expect("make a folder to mount on");
    let folder = hung.to_str().expect("its path is text").to_owned();
    // Its working directory is there too, and the program runs where the mount can be reached.
    let steps = ["namespace=mount".into(), format!("hung={folder}"), format!("tcp=127.0.0.1:{port}")];
    let server = Fixture::start(steps);
    let target = format!("tcp/{port}");
    for arguments in [vec!["--json", &target], vec![&target], vec!["--parents", "--wide", &target], vec![]] {
        let output = Cmd::new(arguments).inside(server.pid(), ["mount"]).run().code(0);
        output.assert(output.text().contains(&server.pid().to_string()), "the holder is there");
    }
    let answer = Cmd::new([&target]).inside(server.pid(), ["mount"]).answer(0);
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(
        &holder["directory"],
        &json!(folder),
        "directory, which is read without a child process",
    );
}

#[live_test(Linux)]
fn hundreds_of_listeners_among_thousands_of_descriptors() {
    let port = port();
    let steps = |idle: u16| vec!["many=250".to_owned(), format!("idle={idle}")];
    let servers = [Fixture::start(steps(500)), Fixture::start(steps(300)), Fixture::start(steps(0))];
    let busy = Fixture::start([format!("tcp=127.0.0.1:{port}"), "crowd=200".to_owned()]);
    let answer = Cmd::new(["-t"]).answer(0);
    let by_inode: std::collections::BTreeMap<_, _> =
        answer.listeners().iter().map(|one| (one["inode"].as_u64(), one)).collect();
    for server in &servers {
        for index in 0..250 {
            let Some(listener) = by_inode.get(&Some(server.inode(index))) else {
                answer.fail("a listener is missing");
            };
            answer.assert_eq(pids(listener), vec![server.pid()], "holder");
        }
    }
    let requested = Cmd::new([format!("tcp/{port}")]).answer(0);
    requested.assert_eq(pids(requested.only()), vec![busy.pid()], "holder of a listener with connections");
    requested.assert_eq(requested.listeners().len(), 1, "its connections are not listeners");
}

/// The kernel skips rows of a table when others are closed while it writes the table.
#[live_test(Linux)]
fn no_socket_is_missing_while_others_are_closed() {
    let steady: Vec<Fixture> = (0..4).map(|_| Fixture::start(["many-udp=900"])).collect();
    let _floods = [Fixture::start(["flood=200"]), Fixture::start(["flood=200"])];
    let pids = steady.iter().flat_map(|server| ["--pid".to_owned(), server.pid().to_string()]);
    let arguments: Vec<String> = ["-u".to_owned(), "--csv".to_owned()].into_iter().chain(pids).collect();
    // A line with the names of the columns, and the sockets.
    let lines = 1 + 4 * 900;
    for _ in 0..looks(8) {
        let output = Cmd::new(&arguments).run().code(0);
        output.assert_eq(output.text().lines().count(), lines, "lines");
    }
    // /proc/net/udp skips hundreds.
    for _ in 0..looks(2) {
        let output = Cmd::new(&arguments).through(without_netlink(libc::EPERM)).run().code(0);
        output.assert_eq(output.text().lines().count(), lines, "lines, without netlink");
    }
}

/// ALLEARS_LOOKS sets more repetitions, if there is time.
fn looks(usual: usize) -> usize {
    std::env::var("ALLEARS_LOOKS").ok().and_then(|looks| looks.parse().ok()).unwrap_or(usual)
}

#[live_test(Linux)]
fn thousands_of_short_lived_listeners() {
    let port = port();
    let steady = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let _churns = [Fixture::start(["churn=16"]), Fixture::start(["churn=16"])];
    for _ in 0..looks(300) {
        let answer = Cmd::new([] as [&str; 0]).answer(0);
        answer.assert_eq(pids(answer.by_inode(steady.inode(0))), vec![steady.pid()], "the one that stays");
        for listener in answer.listeners() {
            for holder in holders(listener) {
                let named =
                    holder["name"].as_str().and_then(|name| name.strip_prefix('p')?.parse::<u64>().ok());
                if let Some(named) = named {
                    answer.assert_eq(&json!(named), &listener["port"], "the port in the name of the holder");
                }
            }
        }
    }
}
