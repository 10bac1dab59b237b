//! Netlink refused, as Android, gVisor and the emulation of other processors do: the table comes from /proc/net,
//! with the same listeners and holders, and a gap says what that does not tell.

use crate::stage::{Answer, Fixture, Look, Need, Steps, fixture_program, folder, pids, port};
use crate::why::{only_standing, standing, verdict, whole};
use serde_json::{Value, json};

cases![
    the_way_it_looked_is_said[Need::Linux],
    refused_netlink_falls_back_to_proc_net[Need::Linux, Need::Ipv6],
    refused_netlink_finds_each_by_its_protocol[Need::Linux, Need::Ipv6],
    refused_netlink_finds_unix_sockets[Need::Linux],
    refused_netlink_tells_no_socket_twice[Need::Linux],
    refused_netlink_still_tells_why[Need::Linux, Need::Ipv6],
    refused_netlink_still_knows_free_ports[Need::Linux],
    refused_netlink_is_reported_beside_the_rows[Need::Linux],
    refused_netlink_denies_no_silent_socket[Need::Linux],
    a_kernel_that_lists_no_silent_socket_denies_none[Need::Linux, Need::OLD_RELEASE],
    a_forced_reader_has_no_way_out[Need::Linux],
    where_everything_is_refused_nothing_is_denied[Need::Linux, Need::STRACE],
];

/// With what they refuse: a policy that forbids (EPERM, EACCES), a system that lacks the protocol or the family.
const REFUSALS: [i32; 4] = [libc::EPERM, libc::EACCES, libc::EPROTONOSUPPORT, libc::EAFNOSUPPORT];

/// A launcher after which netlink sockets answer with this error number.
pub(crate) fn without_netlink(error: i32) -> Vec<String> {
    let fixture = fixture_program();
    let fixture = fixture.to_str().expect("the path of the fixture is text").to_owned();
    vec![fixture, format!("refuse-netlink={error}"), "exec".to_owned()]
}

/// Whether netlink answers questions about sockets here: in an emulation it may not.
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

fn rows(answer: &Answer) -> Vec<(String, String, Vec<u32>)> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or("?").to_owned();
    let row = |one: &Value| (text(one, "protocol"), text(one, "address"), pids(one));
    answer.listeners().iter().map(row).collect()
}

/// Whether a gap says that the table came from /proc/net.
fn says_so(answer: &Answer) -> bool {
    let gaps = answer.document["gaps"].as_array().map(Vec::as_slice).unwrap_or_default();
    gaps.iter().any(|gap| {
        gap["reason"] == "netlink"
            && gap["detail"].as_str().is_some_and(|detail| detail.contains("/proc/net"))
    })
}

fn the_way_it_looked_is_said() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let answer = Look::at([format!("tcp/{}", server.port())]).answer(0);
    let listener = answer.only();
    answer.seen.equal(pids(listener), vec![server.pid()], "holder");
    answer.seen.equal(&listener["inode"], &json!(server.inode(0)), "inode");
    answer.seen.equal(says_so(&answer), !netlink_answers(), "a gap, exactly where netlink does not answer");
    answer.seen.equal(
        listener["queue"].is_object(),
        netlink_answers(),
        "the queue, which netlink alone tells",
    );
}

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
    let wanted = Look::at([&target]).answer(0);
    wanted.seen.equal(wanted.listeners().len(), 5, "listeners");
    for error in REFUSALS {
        let answer = Look::at([&target]).through(without_netlink(error)).answer(0);
        answer.seen.equal(rows(&answer), rows(&wanted), "the same listeners and holders");
        answer.seen.must(says_so(&answer), "a gap says by which way it looked");
        // The whole list, where the others on this machine come and go.
        let list = Look::at([] as [&str; 0]).through(without_netlink(error)).answer(0);
        let own = |one: &&Value| one["port"] == port || one["port"] == client;
        list.seen.equal(list.listeners().iter().filter(own).count(), 5, "the same in the list of all");
        list.seen.equal(pids(list.by_inode(server.inode(0))), server.family(), "with the same holders");
        list.seen.must(says_so(&list), "a gap says by which way it looked");
    }
}

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
        let asked = [
            vec![format!("{protocol}/{}", server.port())],
            vec![option.to_owned(), server.port().to_string()],
            vec![format!("{bracketed}:{}", server.port())],
        ];
        for arguments in asked {
            let answer = Look::at(arguments).through(without_netlink(libc::EACCES)).answer(0);
            let listener = answer.only();
            let told = ["protocol", "address", "port", "inode"].map(|key| listener[key].clone());
            let wanted = json!([protocol, address, server.port(), server.inode(0)]);
            answer.seen.equal(json!(told), wanted, "what it is");
            answer.seen.equal(pids(listener), vec![server.pid()], "holder");
            answer.seen.must(says_so(&answer), "a gap says by which way it looked");
        }
    }
}

fn refused_netlink_finds_unix_sockets() {
    let path = folder().join(format!("no-netlink-{}", std::process::id()));
    let path = path.to_str().expect("its path is text").to_owned();
    let name = format!("@allears-no-netlink-{}", std::process::id());
    let strange = [path.as_bytes(), b"-\xff\x1b[31m"].concat();
    let server = Steps::new([format!("unix={path}"), "fork=1".to_owned(), format!("unix={name}")])
        .bytes("unix", &strange)
        .start();
    for error in REFUSALS {
        for (asked, inode) in [(&path, 0), (&name, 1)] {
            let answer = Look::at([asked]).through(without_netlink(error)).answer(0);
            answer.seen.equal(&answer.only()["path"], &json!(asked), "path");
            answer.seen.equal(&answer.only()["inode"], &json!(server.inode(inode)), "inode");
            answer.seen.must(pids(answer.only()).contains(&server.pid()), "holder");
            answer.seen.must(says_so(&answer), "a gap says by which way it looked");
        }
        let list = Look::at(["-x"]).through(without_netlink(error)).answer(0);
        list.seen.equal(pids(list.by_inode(server.inode(0))), server.family(), "holders");
        let kept = crate::stage::decoded(&list.by_inode(server.inode(2))["path_bytes"]);
        list.seen.equal(kept, strange.clone(), "bytes of a path that is no text");
        let free = Look::at([format!("{path}-free")]).through(without_netlink(error)).answer(1);
        free.seen.equal(free.listeners().len(), 0, "listeners at a free path");
    }
}

/// The kernel writes its tables a page at a time, and where sockets come meanwhile some stand on two pages.
fn refused_netlink_tells_no_socket_twice() {
    let steady = Fixture::start(["many=200"]);
    let _churn = Fixture::start(["churn=8"]);
    let pid = steady.pid().to_string();
    for _ in 0..100 {
        let answer = Look::at(["--pid", &pid]).through(without_netlink(libc::EPERM)).answer(0);
        answer.seen.equal(answer.listeners().len(), 200, "listeners");
    }
}

fn refused_netlink_still_tells_why() {
    let tcp = Fixture::start([format!("tcp=127.0.0.1:{}", port()), "fork=1".into()]);
    let udp = Fixture::start([format!("udp=127.0.0.1:{}", port())]);
    let sixth = Fixture::start(["v6only".into(), format!("tcp=[::1]:{}", port())]);
    for error in REFUSALS {
        let asked = [
            (format!("{}", tcp.port()), &tcp),
            (format!("udp/{}", udp.port()), &udp),
            (format!("[::1]:{}", sixth.port()), &sixth),
        ];
        for (target, server) in asked {
            let look = Look::at(["why", "--json", &target]).through(without_netlink(error));
            let answer = whole(look, 1);
            verdict(&answer, "listening");
            answer.seen.equal(&only_standing(&answer)["inode"], &json!(server.inode(0)), "inode");
            answer.seen.equal(pids(only_standing(&answer)), server.family(), "holders");
        }
        let free = format!("127.0.0.2:{}", tcp.port());
        let answer = whole(Look::at(["why", "--json", &free]).through(without_netlink(error)), 0);
        answer.seen.equal(standing(&answer).len(), 0, "nothing stands in the way");
    }
}

fn refused_netlink_still_knows_free_ports() {
    let port = port();
    for error in REFUSALS {
        for target in [port.to_string(), format!("udp/{port}"), format!("[::1]:{port}")] {
            let answer = Look::at([target]).through(without_netlink(error)).answer(1);
            answer.seen.equal(answer.listeners().len(), 0, "listeners");
        }
    }
}

/// For a person who reads the table or the card, and for one who asks how it was read.
fn refused_netlink_is_reported_beside_the_rows() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let port = server.port().to_string();
    let launcher = || without_netlink(libc::EPERM);
    for arguments in [vec![port.clone()], vec!["-t".to_owned()], vec!["--all".to_owned(), port.clone()]] {
        let seen = Look::at(arguments).through(launcher()).run().code(0);
        seen.must(seen.errors().contains("not read: netlink"), "the fallback is reported");
        seen.must(seen.errors().contains("/proc/net"), "with what was read instead");
    }
    let seen = Look::at(["--verbose", "-t", &port]).through(launcher()).run().code(0);
    seen.must(
        seen.errors().contains("sockets: tcp/ipv4, tcp/ipv6: from /proc/net"),
        "the source of each table",
    );
    let seen = Look::at(["--verbose", "-t", &port]).run().code(0);
    let source = if netlink_answers() { "netlink (sock_diag)" } else { "/proc/net" };
    seen.must(seen.errors().contains(&format!("sockets: tcp/ipv4, tcp/ipv6: from {source}")), "the source");
}

/// A socket that is bound and does not listen is not in /proc/net: its absence there denies nothing.
fn refused_netlink_denies_no_silent_socket() {
    let silent = Fixture::start([format!("bound=127.0.0.1:{}", port())]);
    let target = silent.port().to_string();
    let answer = Look::at(["--all", &target]).through(without_netlink(libc::EPERM)).answer(3);
    lacks_bound(&answer);
    // Asked for listeners alone, none of them is missing. (On a machine with containers a forwarded port may be.)
    let seen = Look::at(["--json", &target]).through(without_netlink(libc::EPERM)).run().without_panic();
    seen.must(!seen.text().contains("\"bound\""), "no gap for what was not asked about");
    let seen = Look::at(["--all", &target]).through(without_netlink(libc::EPERM)).run().code(3);
    seen.must(seen.errors().contains(&format!("allears why {target}")), "what answers instead");
}

/// Before Linux 6.8 the kernel ignores that such sockets are asked for. Here a kernel that lists them gives the name of
/// an older one, so an empty answer proves nothing and a row does.
fn a_kernel_that_lists_no_silent_socket_denies_none() {
    let target = port().to_string();
    lacks_bound(&Look::at(["--all", &target]).through(["setarch", "--uname-2.6"]).answer(3));
    let silent = Fixture::start([format!("bound=127.0.0.1:{target}")]);
    let look = Look::at(["--all", &target]).through(["setarch", "--uname-2.6"]);
    if Need::Kernel(6, 8).missing().is_none() && netlink_answers() {
        let answer = look.answer(0);
        answer.seen.equal(&answer.only()["inode"], &json!(silent.inode(0)), "inode");
    } else {
        lacks_bound(&look.answer(3));
    }
}

/// Nothing was found, and that sockets which are bound and do not listen may be missing.
fn lacks_bound(answer: &Answer) {
    answer.seen.equal(answer.listeners().len(), 0, "rows");
    answer.seen.equal(&answer.document["complete"], &json!(false), "complete");
    let gaps = answer.document["gaps"].as_array().map(Vec::as_slice).unwrap_or_default();
    answer.seen.must(gaps.iter().any(|gap| gap["reason"] == "bound"), "a gap for silent sockets");
}

fn a_forced_reader_has_no_way_out() {
    let port = port();
    let _server = Fixture::start([format!("tcp=127.0.0.1:{port}")]);
    let forced = ["--reader".to_owned(), "native".to_owned(), port.to_string()];
    Look::at(forced.clone()).answer(0);
    for error in REFUSALS {
        let refused = Look::at(forced.clone()).through(without_netlink(error)).run().code(3);
        refused.must(refused.text().is_empty(), "nothing is answered");
    }
}

/// As for the programs of newer Androids: neither netlink nor /proc/net.
fn where_everything_is_refused_nothing_is_denied() {
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
        let seen = Look::at(arguments.iter().copied()).through(strace(open)).run().without_panic().code(3);
        seen.must(arguments[0] == "-q" || seen.errors().contains("/proc"), "it says what it may not read");
        seen.must(!seen.text().contains("listeners"), "no list is given");
    }
}
