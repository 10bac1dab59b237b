//! Netlink refused, as Android, gVisor and emulators of other processors do: the table comes from /proc/net with the
//! same listeners and holders, and a gap reports what it lacks.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, Need, Steps, folder, live_test, pids, port, without_netlink};
use crate::why::{must_have_verdict, obstacles, only_obstacle, run_why};
use serde_json::{Value, json};

/// The errors of a refusal: a policy forbids it (EPERM, EACCES), or the system lacks the protocol or the family.
const REFUSALS: [i32; 4] = [libc::EPERM, libc::EACCES, libc::EPROTONOSUPPORT, libc::EAFNOSUPPORT];

/// Returns whether netlink answers requests for sockets here. In an emulator it may not.
#[cfg(target_os = "linux")]
fn netlink_answers() -> bool {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, netlink, socket_with};
    let flags = SocketFlags::CLOEXEC;
    socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::SOCK_DIAG)).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn netlink_answers() -> bool {
    false
}

fn rows(answer: &JsonOutput) -> Vec<(String, String, Vec<u32>)> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or("?").to_owned();
    let row = |one: &Value| (text(one, "protocol"), text(one, "address"), pids(one));
    answer.listeners().iter().map(row).collect()
}

/// Returns whether a gap reports that the table came from /proc/net.
fn reports_proc_net(answer: &JsonOutput) -> bool {
    let gaps = answer.document["gaps"].as_array().map(Vec::as_slice).unwrap_or_default();
    gaps.iter().any(|gap| {
        gap["reason"] == "netlink"
            && gap["detail"].as_str().is_some_and(|detail| detail.contains("/proc/net"))
    })
}

#[live_test(Linux)]
fn the_source_of_the_table_is_named() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let answer = Cmd::new([format!("tcp/{}", server.port())]).answer(0);
    let listener = answer.only();
    answer.assert_eq(pids(listener), vec![server.pid()], "holder");
    answer.assert_eq(&listener["inode"], &json!(server.inode(0)), "inode");
    answer.assert_eq(
        reports_proc_net(&answer),
        !netlink_answers(),
        "a gap, exactly where netlink does not answer",
    );
    answer.assert_eq(
        listener["queue"].is_object(),
        netlink_answers(),
        "the queue, which only netlink reports",
    );
}

#[live_test(Linux, Ipv6)]
fn refused_netlink_falls_back_to_proc_net() {
    let [port, client] = [port(), port()];
    let server = Fixture::start([
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
    let wanted = Cmd::new([&target]).answer(0);
    wanted.assert_eq(wanted.listeners().len(), 5, "listeners");
    for error in REFUSALS {
        let answer = Cmd::new([&target]).through(without_netlink(error)).answer(0);
        answer.assert_eq(rows(&answer), rows(&wanted), "the same listeners and holders");
        answer.assert(reports_proc_net(&answer), "a gap names the source of the table");
        // The whole list, in which other sockets of this machine come and go.
        let list = Cmd::new([] as [&str; 0]).through(without_netlink(error)).answer(0);
        let own = |one: &&Value| one["port"] == port || one["port"] == client;
        list.assert_eq(list.listeners().iter().filter(own).count(), 5, "the same in the list of all");
        list.assert_eq(pids(list.by_inode(server.inode(0))), server.family(), "with the same holders");
        list.assert(reports_proc_net(&list), "a gap names the source of the table");
    }
}

#[live_test(Linux, Ipv6)]
fn refused_netlink_finds_each_by_its_protocol() {
    let kinds = [
        ("tcp", "127.0.0.1", "-t"),
        ("tcp", "::1", "-6"),
        ("tcp", "::", "-t"),
        ("udp", "0.0.0.0", "-u"),
        ("udp", "::1", "-6"),
        ("udp", "::", "-u"),
    ];
    for (protocol, address, option) in kinds {
        let bracketed = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        let server = Fixture::start([format!("{protocol}={bracketed}:{}", port())]);
        let requested = [
            vec![format!("{protocol}/{}", server.port())],
            vec![option.to_owned(), server.port().to_string()],
            vec![format!("{bracketed}:{}", server.port())],
        ];
        for arguments in requested {
            let answer = Cmd::new(arguments).through(without_netlink(libc::EACCES)).answer(0);
            let listener = answer.only();
            let reported = ["protocol", "address", "port", "inode"].map(|key| listener[key].clone());
            let wanted = json!([protocol, address, server.port(), server.inode(0)]);
            answer.assert_eq(json!(reported), wanted, "what it is");
            answer.assert_eq(pids(listener), vec![server.pid()], "holder");
            answer.assert(reports_proc_net(&answer), "a gap names the source of the table");
        }
    }
}

#[live_test(Linux)]
fn refused_netlink_finds_unix_sockets() {
    let path = folder().join(format!("no-netlink-{}", std::process::id()));
    let path = path.to_str().expect("its path is text").to_owned();
    let name = format!("@allears-no-netlink-{}", std::process::id());
    let strange = [path.as_bytes(), b"-\xff\x1b[31m"].concat();
    let server = Steps::new([format!("unix={path}"), "fork=1".to_owned(), format!("unix={name}")])
        .bytes("unix", &strange)
        .start();
    for error in REFUSALS {
        for (requested, inode) in [(&path, 0), (&name, 1)] {
            let answer = Cmd::new([requested]).through(without_netlink(error)).answer(0);
            answer.assert_eq(&answer.only()["path"], &json!(requested), "path");
            answer.assert_eq(&answer.only()["inode"], &json!(server.inode(inode)), "inode");
            answer.assert(pids(answer.only()).contains(&server.pid()), "holder");
            answer.assert(reports_proc_net(&answer), "a gap names the source of the table");
        }
        let list = Cmd::new(["-x"]).through(without_netlink(error)).answer(0);
        list.assert_eq(pids(list.by_inode(server.inode(0))), server.family(), "holders");
        let kept = crate::support::decode_base64(&list.by_inode(server.inode(2))["path_bytes"]);
        list.assert_eq(kept, strange.clone(), "bytes of a path that is no text");
        let free = Cmd::new([format!("{path}-free")]).through(without_netlink(error)).answer(1);
        free.assert_eq(free.listeners().len(), 0, "listeners at a free path");
    }
}

/// The kernel writes its tables a page at a time. If sockets are opened meanwhile, some are on two pages.
#[live_test(Linux)]
fn refused_netlink_lists_no_socket_twice() {
    let steady = Fixture::start(["many=200"]);
    let _churn = Fixture::start(["churn=8"]);
    let pid = steady.pid().to_string();
    for _ in 0..100 {
        let answer = Cmd::new(["--pid", &pid]).through(without_netlink(libc::EPERM)).answer(0);
        answer.assert_eq(answer.listeners().len(), 200, "listeners");
    }
}

#[live_test(Linux, Ipv6)]
fn refused_netlink_still_answers_why() {
    let tcp = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=1".into()]);
    let udp = Fixture::start([format!("udp=127.0.0.1:{}", port())]);
    let sixth = Fixture::start(["v6only".into(), format!("tcp=[::1]:{}", port())]);
    for error in REFUSALS {
        let requested = [
            (format!("{}", tcp.port()), &tcp),
            (format!("udp/{}", udp.port()), &udp),
            (format!("[::1]:{}", sixth.port()), &sixth),
        ];
        for (target, server) in requested {
            let cmd = Cmd::new(["why", "--json", &target]).through(without_netlink(error));
            let answer = run_why(cmd, 1);
            must_have_verdict(&answer, "listening");
            answer.assert_eq(&only_obstacle(&answer)["inode"], &json!(server.inode(0)), "inode");
            answer.assert_eq(pids(only_obstacle(&answer)), server.family(), "holders");
        }
        let free = format!("127.0.0.2:{}", tcp.port());
        let answer = run_why(Cmd::new(["why", "--json", &free]).through(without_netlink(error)), 0);
        answer.assert_eq(obstacles(&answer).len(), 0, "nothing prevents the bind");
    }
}

#[live_test(Linux)]
fn refused_netlink_still_knows_free_ports() {
    let port = port();
    for error in REFUSALS {
        for target in [port.to_string(), format!("udp/{port}"), format!("[::1]:{port}")] {
            let answer = Cmd::new([target]).through(without_netlink(error)).answer(1);
            answer.assert_eq(answer.listeners().len(), 0, "listeners");
        }
    }
}

/// For people who read the table or the card, and for those who ask how it was read.
#[live_test(Linux)]
fn refused_netlink_is_reported_beside_the_rows() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let port = server.port().to_string();
    let launcher = || without_netlink(libc::EPERM);
    for arguments in [vec![port.clone()], vec!["-t".to_owned()], vec!["--all".to_owned(), port.clone()]] {
        let output = Cmd::new(arguments).through(launcher()).run().code(0);
        output.assert(output.errors().contains("not read: netlink"), "the fallback is reported");
        output.assert(output.errors().contains("/proc/net"), "with what was read instead");
    }
    let output = Cmd::new(["--verbose", "-t", &port]).through(launcher()).run().code(0);
    output.assert(
        output.errors().contains("sockets: tcp/ipv4, tcp/ipv6: from /proc/net"),
        "the source of each table",
    );
    let output = Cmd::new(["--verbose", "-t", &port]).run().code(0);
    let source = if netlink_answers() { "netlink (sock_diag)" } else { "/proc/net" };
    output.assert(
        output.errors().contains(&format!("sockets: tcp/ipv4, tcp/ipv6: from {source}")),
        "the source",
    );
}

/// A socket that is bound and does not listen is not in /proc/net, so its absence there proves nothing.
#[live_test(Linux)]
fn refused_netlink_does_not_deny_bound_sockets() {
    let silent = Fixture::start([format!("bound=127.0.0.1:{}", port())]);
    let target = silent.port().to_string();
    let answer = Cmd::new(["--all", &target]).through(without_netlink(libc::EPERM)).answer(3);
    must_lack_bound_sockets(&answer);
    // A scan for listeners only misses none of them. (On a machine with containers a forwarded port may be missed.)
    let output = Cmd::new(["--json", &target]).through(without_netlink(libc::EPERM)).run().without_panic();
    output.assert(!output.text().contains("\"bound\""), "no gap for what was not requested");
    let output = Cmd::new(["--all", &target]).through(without_netlink(libc::EPERM)).run().code(3);
    output.assert(output.errors().contains(&format!("allears why {target}")), "what answers instead");
}

/// Before Linux 6.8 the kernel ignores requests for such sockets. Here a kernel that lists them reports an older
/// release, so an empty answer proves nothing and a row does.
#[live_test(Linux, OLD_RELEASE)]
fn a_kernel_without_bound_sockets_denies_none() {
    let target = port().to_string();
    must_lack_bound_sockets(&Cmd::new(["--all", &target]).through(["setarch", "--uname-2.6"]).answer(3));
    let silent = Fixture::start([format!("bound=127.0.0.1:{target}")]);
    let cmd = Cmd::new(["--all", &target]).through(["setarch", "--uname-2.6"]);
    if Need::Kernel(6, 8).missing().is_none() && netlink_answers() {
        let answer = cmd.answer(0);
        answer.assert_eq(&answer.only()["inode"], &json!(silent.inode(0)), "inode");
    } else {
        must_lack_bound_sockets(&cmd.answer(3));
    }
}

/// Asserts that nothing was found, and that bound sockets which do not listen may be missing.
fn must_lack_bound_sockets(answer: &JsonOutput) {
    answer.assert_eq(answer.listeners().len(), 0, "rows");
    answer.assert_eq(&answer.document["complete"], &json!(false), "complete");
    let gaps = answer.document["gaps"].as_array().map(Vec::as_slice).unwrap_or_default();
    answer.assert(gaps.iter().any(|gap| gap["reason"] == "bound"), "a gap for silent sockets");
}

#[live_test(Linux)]
fn a_forced_reader_has_no_fallback() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let forced = ["--reader".to_owned(), "native".to_owned(), port.to_string()];
    Cmd::new(forced.clone()).answer(0);
    for error in REFUSALS {
        let refused = Cmd::new(forced.clone()).through(without_netlink(error)).run().code(3);
        refused.assert(refused.text().is_empty(), "nothing is answered");
    }
}

/// As for apps on newer Androids: neither netlink nor /proc/net.
#[live_test(Linux, STRACE)]
fn with_all_sources_refused_the_exit_code_is_3() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let strace = |inject: &str| {
        let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", "/proc/thread-self/net", "-e", inject];
        let mut launcher = without_netlink(libc::EACCES);
        launcher.extend(strace.map(str::to_owned));
        launcher
    };
    let open = "inject=open,openat,openat2:error=EACCES";
    let target = server.port().to_string();
    for arguments in
        [&["--json", &target[..]][..], &["--json"], &["-q", &target], &["why", "--json", &target]]
    {
        let output = Cmd::new(arguments.iter().copied()).through(strace(open)).run().without_panic().code(3);
        output.assert(
            arguments[0] == "-q" || output.errors().contains("/proc"),
            "it names what it may not read",
        );
        output.assert(!output.text().contains("listeners"), "no list is given");
    }
}
