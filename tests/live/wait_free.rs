//! `wait --free`: it ends when the caller can bind the port, and its checks disturb no other process.

#![cfg(unix)]

use crate::support::{
    Cmd, Fixture, NOBODY, Need, folder, in_new_netns, ip, live_test, ordinary_user, port, set_limit,
};
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs the rest of its arguments in a sandbox that forbids to bind TCP ports.
const NO_BIND: &str = "\
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
handled = struct.pack('QQ', 0, 1)
ruleset = libc.syscall(444, handled, len(handled), 0)
assert ruleset >= 0
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.syscall(446, ruleset, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
";

const PYTHON: Need = Need::Program("python3");

/// Landlock that knows of ports.
const LANDLOCK: Need = Need::Probe("Landlock for ports", &["python3", "-c", NO_BIND, "true"]);

/// Runs the rest of its arguments in a cgroup that refuses an IPv4 port after it was bound.
const REFUSED_LATE: &str = "\
import ctypes, os, struct, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
port = int(sys.argv[1])
def call(command, attributes):
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b'\\0'))
    result = libc.syscall({'x86_64': 321}.get(os.uname().machine, 280), command, buffer, 128)
    assert result >= 0, os.strerror(ctypes.get_errno())
    return result
one = lambda code, registers, offset, value: struct.pack('BBhi', code, registers, offset, value)
program = ctypes.create_string_buffer(one(0x61, 0x12, 44, 0) + one(0xb7, 0, 0, 1) + one(0x55, 2, 1, port)
    + one(0xb7, 0, 0, 0) + one(0x95, 0, 0, 0), 40)
license = ctypes.create_string_buffer(b'GPL')
pointer = ctypes.addressof
loaded = call(5, struct.pack('IIQQIIQII16sII', 9, 5, pointer(program), pointer(license), 0, 0, 0, 0, 0, b'late', 0, 12))
folder = next(line.split()[4] for line in open('/proc/self/mountinfo') if ' - cgroup2 ' in line)
folder += '/allears-late-%d' % os.getpid()
os.mkdir(folder)
try:
    place = os.open(folder, os.O_RDONLY)
    call(8, struct.pack('IIII', place, loaded, 12, 0))
    inside = lambda: open(folder + '/cgroup.procs', 'w').write('0')
    code = subprocess.run(sys.argv[2:], preexec_fn=inside).returncode
finally:
    os.rmdir(folder)
sys.exit(code)
";

/// BPF programs of a cgroup.
const POST_BIND: Need =
    Need::Probe("BPF programs of a cgroup", &["python3", "-c", REFUSED_LATE, "1", "true"]);

fn wait_free(arguments: &[&str]) -> Cmd {
    Cmd::new(["wait", "--free"].iter().chain(arguments).copied())
}

/// Asserts the text and the document for a target that can never be bound.
#[track_caller]
fn must_be_hopeless(cmd: impl Fn(&[&str]) -> Cmd, target: &str, error: &str) {
    let output = cmd(&[target]).run().code(3);
    output.assert(
        !output.errors().contains("is free") && output.stdout.is_empty(),
        "it is not reported as free",
    );
    output.assert(
        output.errors().contains("cannot be bound") && output.errors().contains("allears why"),
        "the reason and its source",
    );
    cmd(&["-q", target]).run().code(3);
    let output = cmd(&["--json", target]).run().code(3);
    let document: Value = serde_json::from_str(output.text()).expect("a document");
    output.assert_eq(&document["reached"], &Value::Bool(false), "reached");
    output.assert_eq(document["error"].as_str(), Some(error), "error");
    output.assert(document["hindrance"].is_string(), "hindrance");
    output.assert(document["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "reason");
}

#[live_test(Linux, Root, NETWORK_NAMESPACE)]
fn a_port_that_needs_a_privilege_is_not_free() {
    in_new_netns(|| {
        set_limit("ipv4/ip_unprivileged_port_start", "700");
        let as_nobody = |arguments: &[&str]| wait_free(arguments).user(Some(NOBODY));
        for target in ["600", "127.0.0.1:600", "udp/600", "[::1]:600"] {
            must_be_hopeless(as_nobody, target, "EACCES");
        }
        // It is reported at once, even if the port is in use.
        let _server = Fixture::start(["tcp=127.0.0.1:600"]);
        must_be_hopeless(as_nobody, "600", "EACCES");
        as_nobody(&["800"]).run().code(0);
        wait_free(&["601"]).run().code(0);
    });
}

#[live_test(Linux, LANDLOCK)]
fn a_port_that_a_sandbox_forbids_is_not_free() {
    let inside = |arguments: &[&str]| wait_free(arguments).through(["python3", "-c", NO_BIND]);
    must_be_hopeless(inside, &port().to_string(), "EACCES");
    // The sandbox forbids TCP.
    inside(&[&format!("udp/{}", port())]).run().code(0);
}

#[live_test(Linux, Root, POST_BIND)]
fn a_port_refused_by_a_cgroup_program_is_not_free() {
    let refused = port().to_string();
    let inside =
        |arguments: &[&str]| wait_free(arguments).through(["python3", "-c", REFUSED_LATE, refused.as_str()]);
    must_be_hopeless(inside, &refused, "EPERM");
    inside(&[&port().to_string()]).run().code(0);
}

#[live_test(Linux, Root, NETWORK_NAMESPACE, VETH)]
fn a_tentative_address_is_waited_for() {
    in_new_netns(|| {
        ip("link add x0 type veth peer name x1");
        set_limit("ipv6/conf/x1/accept_dad", "1");
        set_limit("ipv6/conf/x1/dad_transmits", "60");
        ip("link set x0 up");
        ip("link set x1 up");
        ip("addr add fd00:beef::1/64 dev x1");
        let waiting =
            wait_free(&["[fd00:beef::1]:8080"]).start().must_keep_running(Duration::from_millis(300));
        let late = wait_free(&["[fd00:beef::1]:8080", "--timeout=200ms"]).run().code(1);
        late.assert(!late.text().contains("is free"), "it is not reported as free");
        // An address that is added without duplicate address detection is usable at once.
        ip("addr del fd00:beef::1/64 dev x1");
        ip("addr add fd00:beef::1/64 dev x1 nodad");
        waiting.wait();
        wait_free(&["[fd00:beef::1]:8080"]).run().code(0);
    });
}

#[live_test(Linux)]
fn an_address_of_another_machine_is_not_waited_for() {
    must_be_hopeless(wait_free, &format!("192.0.2.7:{}", port()), "EADDRNOTAVAIL");
    must_be_hopeless(wait_free, &format!("[2001:db8::7]:{}", port()), "EADDRNOTAVAIL");
}

/// Returns the binds of this port by a traced run, as strace(1) wrote them.
fn binds(log: &std::path::Path, port: u16) -> Vec<String> {
    let calls = std::fs::read_to_string(log).expect("strace writes its trace");
    let wanted = format!("htons({port})");
    calls.lines().filter(|call| call.contains("bind(") && call.contains(&wanted)).map(str::to_owned).collect()
}

/// Returns the launcher that traces a program.
fn tracing(log: &std::path::Path) -> Vec<String> {
    // Created here, because the traced program may run as another user.
    std::fs::write(log, "").expect("make a file for strace");
    std::fs::set_permissions(log, Permissions::from_mode(0o666)).expect("a file for anybody");
    let log = log.to_str().expect("a path in text");
    ["strace", "-f", "-e", "trace=bind,setsockopt", "-o", log].map(str::to_owned).to_vec()
}

#[live_test(Kernel(6, 8), Root, Cgroup, STRACE)]
fn the_table_decides_and_no_port_is_bound() {
    for (name, target) in [("tcp", ""), ("udp", "udp/"), ("one", "127.0.0.1:")] {
        let (log, port) = (folder().join(format!("wait-table-{name}")), port());
        let output = wait_free(&[&format!("{target}{port}")]).through(tracing(&log)).run().code(0);
        let binds = binds(&log, port);
        output.assert(!binds.is_empty(), "permissions are tested");
        let taken: Vec<_> = binds.iter().filter(|call| !call.contains("EINVAL")).collect();
        output.assert(taken.is_empty(), &format!("none of these binds the port: {taken:?}"));
    }
}

#[live_test(Linux, STRACE)]
fn a_bind_is_attempted_once_and_lets_servers_in() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let (log, port) = (folder().join("wait-attempts"), server.port());
    let waiting = wait_free(&[&port.to_string()])
        .user(ordinary_user())
        .through(tracing(&log))
        .start()
        .must_keep_running(Duration::from_millis(500));
    let tried = binds(&log, port).into_iter().filter(|call| call.ends_with("= 0")).count();
    assert_eq!(tried, 0, "nothing is tried while it listens");
    drop(server);
    let output = waiting.wait().code(0);
    let taken = binds(&log, port).into_iter().filter(|call| call.ends_with("= 0")).count();
    output.assert(taken <= 3, &format!("once for each address: {taken}"));
    let calls = std::fs::read_to_string(&log).expect("strace writes its trace");
    let shares = calls.matches("SO_REUSEADDR").count();
    output.assert(shares >= taken, "each lets in a server that sets SO_REUSEADDR");
}

/// Starts and ends a server without options again and again: nothing at all may have its port then.
const SERVERS: &str = "\
import errno, socket, sys, time
port, refused, count, end = int(sys.argv[1]), 0, 0, time.monotonic() + 1.2
while time.monotonic() < end:
    server = socket.socket()
    try:
        server.bind(('0.0.0.0', port))
        server.listen()
        count += 1
    except OSError as error:
        assert error.errno == errno.EADDRINUSE
        refused += 1
    server.close()
print(refused, count)
";

#[live_test(Kernel(6, 8), Root, Cgroup, NETWORK_NAMESPACE, PYTHON)]
fn a_server_without_options_is_never_refused() {
    // Alone in its network, because any bind or connection of another program could refuse a server too.
    in_new_netns(|| {
        let port = port().to_string();
        let mut servers = Command::new("python3");
        // A separate process: a program that this process starts has copies of its descriptors for an instant.
        let servers =
            servers.args(["-c", SERVERS, &port]).stdout(Stdio::piped()).spawn().expect("start python3");
        let begun = Instant::now();
        let mut reached = 0;
        while begun.elapsed() < Duration::from_secs(1) {
            let output = wait_free(&["--timeout=20ms", &port]).run();
            reached += u32::from(output.status.success());
        }
        let output = servers.wait_with_output().expect("the servers end");
        let reported = String::from_utf8(output.stdout).expect("numbers");
        let (refused, served) = reported.trim().split_once(' ').expect("two numbers");
        assert_eq!(
            refused, "0",
            "servers were refused the port; {served} were not; {reached} times it was called free"
        );
        assert!(served.parse::<u32>().expect("a number") > 100, "many servers came and went: {served}");
    });
}

#[live_test(Linux, STRACE)]
fn lingering_connections_cause_no_repeated_binds() {
    // A client that was bound without SO_REUSEADDR has the port until its connection ends.
    let far = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let port = port();
    let client = Fixture::start([format!("client-from=127.0.0.1:{port},127.0.0.1:{}", far.port())]);
    let log = folder().join("wait-left");
    let target = format!("127.0.0.1:{port}");
    let output = wait_free(&["-q", "--timeout=700ms", &target]).through(tracing(&log)).run().code(1);
    let tried = binds(&log, port).into_iter().filter(|call| call.contains("EADDRINUSE")).count();
    output.assert_eq(tried, 1, "attempts for one state");
    let output = wait_free(&["--timeout=50ms", &target]).run().code(1);
    output.assert(
        output.text().contains("still not free") && output.text().contains("connection"),
        "and it says why",
    );
    drop(client);
}
