//! Netlink refused, interrupted, empty or broken: the answer is the same by another way, or an error.
//! Never a clean empty list, never an endless wait.

use crate::stage::{Answer, Fixture, Look, Need, Seen, fixture_program, folder, pids, port};
use serde_json::Value;

cases![
    refused_netlink_falls_back_to_proc_net[Need::Linux, Need::Ipv6],
    refused_netlink_still_knows_free_ports[Need::Linux],
    a_forced_reader_has_no_way_out[Need::Linux],
    an_interrupted_answer_is_asked_for_again[Need::Linux, Need::STRACE],
    a_broken_answer_is_never_an_empty_list[Need::Linux, Need::STRACE],
    a_refused_request_is_never_an_empty_list[Need::Linux, Need::STRACE],
];

/// A launcher after which netlink sockets answer with this error number.
pub(crate) fn without_netlink(error: i32) -> Vec<String> {
    let fixture = fixture_program();
    let fixture = fixture.to_str().expect("the path of the fixture is text").to_owned();
    vec![fixture, format!("refuse-netlink={error}"), "exec".to_owned()]
}

fn rows(answer: &Answer) -> Vec<(String, String, Vec<u32>)> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or("?").to_owned();
    let row = |one: &Value| (text(one, "protocol"), text(one, "address"), pids(one));
    answer.listeners().iter().map(row).collect()
}

fn refused_netlink_falls_back_to_proc_net() {
    let [port, client] = [port(), port()];
    let _server = Fixture::start([
        format!("tcp=127.0.0.1:{port}"),
        "fork=1".into(),
        format!("tcp=127.0.0.2:{port}"),
        format!("tcp=[::1]:{port}"),
        format!("udp=0.0.0.0:{port}"),
        format!("udp=[::1]:{port}"),
        format!("udp-client=127.0.0.1:{client},127.0.0.1:{port}"),
        format!("client=127.0.0.1:{port}"),
    ]);
    let target = format!("{port},{client}");
    let wanted = Look::at([&target]).answer(0);
    wanted.seen.equal(wanted.listeners().len(), 5, "listeners");
    for error in [libc::EPERM, libc::EPROTONOSUPPORT, libc::EAFNOSUPPORT] {
        let answer = Look::at([&target]).through(without_netlink(error)).answer(0);
        answer.seen.equal(rows(&answer), rows(&wanted), "the same listeners and holders");
        let gaps = answer.document["gaps"].to_string();
        let told = gaps.contains("netlink") || gaps.contains("/proc/net") || gaps.contains("sock_diag");
        answer.seen.must(told, "a gap says by which way it looked");
    }
}

fn a_forced_reader_has_no_way_out() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let forced = ["--reader".to_owned(), "native".to_owned(), port.to_string()];
    Look::at(forced.clone()).answer(0);
    let refused = Look::at(forced).through(without_netlink(libc::EPERM)).run().code(3);
    refused.must(refused.text().is_empty(), "nothing is answered");
}

fn refused_netlink_still_knows_free_ports() {
    let port = port();
    let answer = Look::at([port.to_string()]).through(without_netlink(libc::EPERM)).answer(1);
    answer.seen.equal(answer.listeners().len(), 0, "listeners");
}

/// Runs a look whose system calls strace tampers with.
fn tampered(inject: &str, target: &str) -> Seen {
    let log = folder()
        .join(format!("tampered-{}", inject.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")));
    let log = log.to_str().expect("its path is text").to_owned();
    let option = format!("inject={inject}");
    let strace = ["strace", "-f", "-qq", "-o", &log, "-e", "trace=%network", "-e", &option];
    Look::at(["--json", target]).through(strace).run().without_panic()
}

fn an_interrupted_answer_is_asked_for_again() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    for inject in ["recvmsg,recvfrom:error=EINTR:when=1", "sendto,sendmsg:error=EINTR:when=1"] {
        let answer = Answer::of(tampered(inject, &format!("tcp/{port}")).code(0));
        answer.seen.equal(pids(answer.only()), vec![server.pid()], "holder");
    }
}

/// Either the right answer, by whatever way, or exit code 3.
fn must_not_deny(seen: Seen, pid: u32) {
    if seen.status.code() == Some(3) {
        seen.must(!seen.errors().trim().is_empty() || !seen.stdout.is_empty(), "it says what failed");
        return;
    }
    let answer = Answer::of(seen.code(0));
    answer.seen.equal(pids(answer.only()), vec![pid], "holder");
}

fn a_broken_answer_is_never_an_empty_list() {
    let port = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let ways = [
        "recvmsg,recvfrom:retval=0",
        "recvmsg,recvfrom:retval=0:when=1",
        "recvmsg,recvfrom:retval=0:when=2",
        // Shorter than a header, a header alone, and half a message of what was never written.
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
