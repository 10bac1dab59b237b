//! Files of every kind as targets: the answer is clear, and nothing is opened. A listener that comes and goes gives one
//! consistent answer.

#![cfg(target_os = "linux")]

use crate::support::{Cmd, Fixture, Output, is_root, live_test, port};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn must_deny(path: &str) -> Output {
    let output = Cmd::new([path]).run().without_panic().code(1);
    output.assert(output.text().starts_with("nothing listens on "), "it answers for the path");
    output
}

#[live_test(OwnProcess)]
fn files_that_are_no_sockets_are_not_opened() {
    let folder = crate::support::folder().join(format!("targets-{}", port()));
    std::fs::create_dir_all(&folder).expect("make a folder");
    let path = |name: &str| folder.join(name);
    std::fs::write(path("file"), b"x").expect("make a file");
    std::os::unix::fs::symlink("nothing", path("dangling")).expect("make a link");
    std::os::unix::fs::symlink("circle", path("circle")).expect("make a link");
    let mode = nix::sys::stat::Mode::S_IRWXU;
    nix::unistd::mkfifo(&path("fifo"), mode).expect("make a FIFO");
    drop(std::os::unix::net::UnixListener::bind(path("left")).expect("make a socket"));
    let mut paths: Vec<PathBuf> =
        ["file", "dangling", "circle", "fifo", "left", "nothing", "file/below", "."].map(path).to_vec();
    paths.extend(["/dev/null", "/dev/tty", "/proc/self/fd/0", "/dev/ptmx"].map(PathBuf::from));
    if is_root() {
        use nix::sys::stat::{SFlag, makedev, mknod};
        // A device whose number belongs to no driver.
        mknod(&path("device"), SFlag::S_IFCHR, mode, makedev(60, 1)).expect("make a device");
        paths.push(path("device"));
    }
    for path in &paths {
        must_deny(path.to_str().expect("text"));
    }
    // Opening a FIFO for writing fails with ENXIO if nothing has it open for reading.
    let opened = rustix::fs::open(
        path("fifo"),
        rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK,
        rustix::fs::Mode::empty(),
    );
    assert_eq!(opened.err(), Some(rustix::io::Errno::NXIO));
}

#[live_test]
fn paths_of_any_length_and_any_bytes() {
    for length in [107, 108, 4095, 4096, 100_000] {
        must_deny(&format!("/{}", "a".repeat(length - 1)));
    }
    for path in ["/tmp/\u{1b}[31mred", "/tmp/a b'c\"d", "//", "/..", "@", "/\u{202e}x", "/tmp/\n"] {
        let output = Cmd::new([path]).run().without_panic();
        let code = output.status.code();
        output.assert(matches!(code, Some(1 | 2)), "a denial, or a usage error");
        let reported = output.both_streams();
        output.assert_eq(
            crate::support::control_character(&reported),
            None,
            "what a terminal would act upon",
        );
    }
}

/// The socket table and the bind attempt are two moments, but the answer is one.
#[live_test(OwnProcess)]
fn a_short_lived_listener_gives_one_answer() {
    let port = port();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut turn = 0_u64;
            while !ended.load(Ordering::Relaxed) {
                turn = (turn + 1237) % 5000;
                // The bind attempt of the program may be in the way.
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
                std::thread::sleep(Duration::from_micros(turn));
                drop(listener);
                std::thread::sleep(Duration::from_micros(5000 - turn));
            }
        });
        for _ in 0..300 {
            let output = Cmd::new([port.to_string()]).run();
            let contradicts =
                output.text().contains("nothing listens") && output.text().contains("is held by");
            ended.store(contradicts, Ordering::Relaxed);
            output.assert(!contradicts, "the answer contradicts itself");
        }
        ended.store(true, Ordering::Relaxed);
    });
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    // What blocks a wildcard without answering for it is still reported.
    let output = Cmd::new([format!("0.0.0.0:{port}")]).run().code(1);
    output.assert(output.text().contains("but it cannot be bound"), "the reason");
}
