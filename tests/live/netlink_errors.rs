//! Netlink interrupted, empty or broken: the answer comes another way, or is an error. It is never an empty list
//! without a gap, and never an endless wait. Netlink that is refused from the start is in `no_netlink`.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, Output, folder, live_test, pids, port};

/// Runs a scan whose system calls strace tampers with.
fn tampered(inject: &str, target: &str) -> Output {
    let log = folder()
        .join(format!("tampered-{}", inject.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")));
    let log = log.to_str().expect("its path is text").to_owned();
    let option = format!("inject={inject}");
    let strace = ["strace", "-f", "-qq", "-o", &log, "-e", "trace=%network", "-e", &option];
    Cmd::new(["--json", target]).through(strace).run().without_panic()
}

#[live_test(Linux, STRACE)]
fn an_interrupted_dump_is_repeated() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    for inject in ["recvmsg,recvfrom:error=EINTR:when=1", "sendto,sendmsg:error=EINTR:when=1"] {
        let answer = JsonOutput::parse(tampered(inject, &format!("tcp/{port}")).code(0));
        answer.assert_eq(pids(answer.only()), vec![server.pid()], "holder");
    }
}

/// Asserts the right answer, however it was found, or exit code 3.
fn must_not_deny(output: Output, pid: u32) {
    if output.status.code() == Some(3) {
        output
            .assert(!output.errors().trim().is_empty() || !output.stdout.is_empty(), "it names what failed");
        return;
    }
    let answer = JsonOutput::parse(output.code(0));
    answer.assert_eq(pids(answer.only()), vec![pid], "holder");
}

#[live_test(Linux, STRACE)]
fn a_broken_dump_is_never_an_empty_list() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let ways = [
        "recvmsg,recvfrom:retval=0",
        "recvmsg,recvfrom:retval=0:when=1",
        "recvmsg,recvfrom:retval=0:when=2",
        // Shorter than a header, only a header, and half a message with an impossible length.
        "recvmsg,recvfrom:retval=7",
        "recvmsg,recvfrom:retval=16",
        "recvmsg,recvfrom:retval=100",
        "recvmsg,recvfrom:error=ENOBUFS",
        "recvmsg,recvfrom:error=ENOBUFS:when=1",
        "recvmsg,recvfrom:error=EIO",
        "recvmsg,recvfrom:error=EINTR",
    ];
    for inject in ways {
        must_not_deny(tampered(inject, &format!("tcp/{port}")), server.pid());
    }
}

#[live_test(Linux, STRACE)]
fn a_refused_request_is_never_an_empty_list() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let ways = [
        "sendto,sendmsg:error=ECONNREFUSED",
        "sendto,sendmsg:error=EPERM",
        "sendto,sendmsg:error=ENOMEM",
        "socket:error=EMFILE",
        "socket:error=EACCES",
        "bind:error=EADDRINUSE",
    ];
    for inject in ways {
        must_not_deny(tampered(inject, &format!("tcp/{port}")), server.pid());
    }
}
