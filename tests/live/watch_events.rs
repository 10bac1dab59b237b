//! What `watch` notices between two passes: listeners that open and close at once, and refused binds. The interval is
//! longer than any test, so that only events of the kernel cause a pass after the first one.

#![cfg(target_os = "linux")]

use crate::support::{
    Cmd, Fixture, Output, Stream, holders, live_test, ordinary_user, pids, port, without_netlink,
};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const WITHOUT_BPF: [&str; 2] = ["setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin"];

fn watch(arguments: &[&str]) -> Cmd {
    Cmd::new(["watch", "--interval=1h", "--ndjson"].iter().chain(arguments).copied())
}

/// Opens a socket and closes it at once, in another process. Returns its pid.
fn brief(step: &str) -> u32 {
    Fixture::start([format!("brief={step}")]).pid()
}

/// Returns the events that were printed, by name and port.
fn events(lines: &[String]) -> Vec<(String, Value)> {
    let read = |line: &String| serde_json::from_str::<Value>(line).expect("JSON");
    let is_event = |value: &Value| value["event"].is_string();
    let name = |value: &Value| value["event"].as_str().unwrap_or_default().to_owned();
    lines
        .iter()
        .map(read)
        .filter(is_event)
        .map(|value| (name(&value), value["listener"]["port"].clone()))
        .collect()
}

/// Returns the pids of an event: of the holders if no pass saw the listener, else of the candidate, which is gone.
fn callers(event: &Value) -> Vec<u32> {
    let candidates = event["listener"]["unseen"]["candidates"].as_array().into_iter().flatten();
    let candidates: Vec<&Value> = candidates.collect();
    let (named, pids) = match candidates.is_empty() {
        true => (holders(&event["listener"]).iter().collect(), pids(&event["listener"])),
        false => {
            let pid = |one: &&Value| one["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
            (candidates.clone(), candidates.iter().filter_map(pid).collect())
        }
    };
    // By its descriptor, if a pass was quick enough to see the process.
    assert!(named.iter().all(|one| one["evidence"] == "call" || one["evidence"] == "descriptor"), "{event}");
    pids
}

/// Opens sockets and closes them at once until one was too brief for a pass, and returns its events. All are reported.
fn too_brief(step: &str, stream: &mut Stream) -> [Value; 2] {
    for _ in 0..100 {
        let pid = brief(step);
        let both = ["opened", "closed"].map(|event| stream.event(event));
        assert!(both.iter().all(|event| callers(event) == [pid]), "{step}: {both:?}");
        if both[1]["lifetime_ms"].is_number() {
            return both;
        }
    }
    panic!("each of 100 sockets was seen by a pass: {step}");
}

#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR, Ipv6, Mptcp)]
fn a_listener_that_closes_at_once_has_its_process_and_lifetime() {
    let place = port();
    let anchor = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let mut stream = watch(&["--events=bpf", &format!("{place},{}", anchor.port())]).stream();
    stream.event("present");
    for step in ["tcp=127.0.0.1", "tcp=[::1]", "mptcp=0.0.0.0"] {
        let [opened, closed] = too_brief(&format!("{step}:{place}"), &mut stream);
        assert_eq!((&opened["lifetime_ms"], &opened["refused"]), (&json!(null), &json!(null)));
        assert_eq!((&closed["certain"], &closed["listener"]["protocol"]), (&json!(true), &json!("tcp")));
        let lifetime = closed["lifetime_ms"].as_f64().expect("a lifetime");
        assert!(lifetime > 0.0 && lifetime < 1000.0, "{step}: {lifetime}");
    }
}

#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR)]
fn an_event_causes_a_pass_at_once() {
    let place = port();
    let anchor = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let mut events = watch(&[&format!("tcp/{place},{}", anchor.port())]).stream();
    events.event("present");
    let server = Fixture::start([format!("tcp=127.0.0.1:{place}")]);
    let opened = events.event("opened");
    assert_eq!(pids(&opened["listener"]), [server.pid()]);
    assert_eq!(holders(&opened["listener"])[0]["evidence"], "descriptor", "a pass saw it");
    drop(server);
    let closed = events.event("closed");
    assert_eq!(closed["listener"]["port"], place);
    assert_eq!((&closed["certain"], &closed["lifetime_ms"]), (&json!(true), &json!(null)));
}

/// Sockets that had a peer, or that a client's datagram was sent from, are no listeners.
#[live_test(Linux, Root, OwnProcess)]
fn without_bpf_sockets_are_reported_after_they_are_gone() {
    for through in [&WITHOUT_BPF[..], &[]] {
        let (place, end) = (port(), port());
        let anchor = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
        // An ordinary user may read the messages too.
        let user = if through.is_empty() { ordinary_user() } else { None };
        let watch = watch(&["1-65535"]).user(user);
        let mut stream =
            if through.is_empty() { watch } else { watch.through(through.iter().copied()) }.stream();
        stream.line("the anchor", |line| line.contains(&format!(":{}", anchor.port())));
        let connection = ["client", "accept"].map(|word| match word {
            "client" => format!("client=127.0.0.1:{place}"),
            word => word.to_owned(),
        });
        let server = Fixture::start([vec![format!("tcp=127.0.0.1:{place}")], connection.to_vec()].concat());
        drop(server);
        let refused = std::net::TcpStream::connect(("127.0.0.1", place)).expect_err("nothing listens");
        let refused_v6 = std::net::TcpStream::connect(("::1", place)).expect_err("nothing listens");
        assert!(refused.raw_os_error().is_some() && refused_v6.raw_os_error().is_some());
        let client = std::net::UdpSocket::bind("0.0.0.0:0").expect("a UDP socket");
        let client_port = client.local_addr().expect("its address").port();
        drop(client);
        brief(&format!("udp=127.0.0.1:{end}"));
        let is_end = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            line["listener"]["port"] == end
        };
        let last: Value = serde_json::from_str(&stream.line("the last one", is_end)).expect("JSON");
        assert_eq!((&last["event"], &last["certain"]), (&json!("closed"), &json!(false)));
        assert_eq!(last["listener"]["unseen"]["reason"], "unknown");
        assert_eq!((&last["listener"]["holders"], &last["lifetime_ms"]), (&json!([]), &json!(null)));
        // The kernel frees sockets with delay, and in any order.
        let is_closed_place = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            line["listener"]["port"] == place && line["event"] == "closed"
        };
        if !stream.read().iter().any(|line| is_closed_place(line)) {
            stream.line("the end of the listener", is_closed_place);
        }
        let of_place = events(stream.read()).into_iter().filter(|(_, port)| *port == place);
        let of_place: Vec<String> = of_place.map(|(event, _)| event).collect();
        // If a pass saw the listener, it reports both; else only its end is known.
        assert!(
            [vec!["closed"], vec!["opened", "closed"]].iter().any(|wanted| of_place == *wanted),
            "{of_place:?}"
        );
        assert!(
            events(stream.read()).iter().all(|(_, port)| *port != client_port),
            "a client is no listener"
        );
    }
}

#[live_test(Linux, Root)]
fn without_any_source_a_gap_reports_what_is_missed() {
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let target = server.port().to_string();
    let refused = || without_netlink(libc::EPERM);
    let mut stream = watch(&[&target]).user(ordinary_user()).through(refused()).stream();
    let gap = stream.line("a gap", |line| line.contains("\"short-lived\""));
    let gap: Value = serde_json::from_str(&gap).expect("JSON");
    assert_eq!(gap["gap"]["reason"], "unsupported");
    assert!(
        gap["gap"]["detail"].as_str().is_some_and(|detail| detail.contains("Operation not permitted")),
        "{gap}"
    );
    let mut off = watch(&["--events=off", &target]).stream();
    off.line("a gap", |line| line.contains("\"short-lived\""));
    let mut lines = Cmd::new(["watch", "--events=off", &target]).stream();
    lines.line("present", |line| line.contains("present"));
    lines.interrupt();
    let output = lines.wait().code(0);
    // Other tests may hide processes, which is reported.
    output.assert(!output.errors().contains("between two passes"), "people are not told what they know");
}

#[live_test(Linux, Root)]
fn a_source_that_is_unavailable_is_an_error() {
    let forced = |source: &str| watch(&["--events", source, &port().to_string()]).user(ordinary_user());
    let output = forced("bpf").run().code(3);
    output.assert(output.errors().contains("CAP_BPF"), "it names the missing permissions");
    let output = forced("destroyed").through(without_netlink(libc::EPERM)).run().code(3);
    output.assert(output.errors().contains("not permitted"), "it gives the error");
}

#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR, Ipv6)]
fn filters_apply_to_events() {
    let place = port();
    // Each has a listener that passes, whose end shows that what came before was read.
    for (filter, passing) in [
        ("--pid", "tcp=127.0.0.1"),
        ("--tree", "tcp=127.0.0.1"),
        ("--command", "tcp=127.0.0.1"),
        ("-6", "tcp=[::1]"),
        ("--exposed", "tcp=0.0.0.0"),
        ("-u", "udp=127.0.0.1"),
        ("-t", "tcp=127.0.0.1"),
    ] {
        let mark = format!("pad=mark-{place}");
        let anchor = Fixture::start([format!("{passing}:{}", port()), mark.clone()]);
        let pid = anchor.pid().to_string();
        let value = match filter {
            "--pid" | "--tree" => vec![pid.as_str()],
            "--command" => vec![mark.as_str()],
            _ => Vec::new(),
        };
        let targets = format!("{place},{}", anchor.port());
        let mut stream = watch(&[&[filter], &value[..], &[&targets]].concat()).stream();
        stream.event("present");
        let step = if filter == "-t" { "udp=127.0.0.1" } else { "tcp=127.0.0.1" };
        brief(&format!("{step}:{place}"));
        drop(anchor);
        stream.event("closed");
        let ports: Vec<Value> = events(stream.read()).into_iter().map(|(_, port)| port).collect();
        assert!(ports.len() == 2 && !ports.contains(&json!(place)), "{filter}: {ports:?}");
    }
}

#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR)]
fn other_namespaces_are_not_reported() {
    let place = port();
    let anchor = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let mut stream = watch(&["--events=bpf", &format!("{place},{}", anchor.port())]).stream();
    stream.event("present");
    let inside = Fixture::start(["namespace=net".to_owned(), format!("brief=tcp=0.0.0.0:{place}")]);
    let outside = brief(&format!("tcp=127.0.0.1:{place}"));
    let closed = stream.event("closed");
    assert_eq!(callers(&closed), [outside], "{} is in another namespace", inside.pid());
}

#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR, FunctionTracing)]
fn a_refused_bind_names_both_processes() {
    let place = port();
    let server = Fixture::start([format!("tcp=127.0.0.1:{place}")]);
    let mut stream = watch(&[&place.to_string()]).stream();
    stream.event("present");
    let loser = Fixture::start([format!("refused=127.0.0.1:{place}")]);
    let event = stream.event("refused");
    let refused = &event["refused"];
    assert_eq!((&event["listener"], &event["certain"]), (&json!(null), &json!(true)));
    assert_eq!((&refused["call"], &refused["error"]), (&json!("bind"), &json!("EADDRINUSE")));
    assert_eq!((&refused["address"], &refused["port"]), (&json!("127.0.0.1"), &json!(place)));
    assert_eq!((&refused["protocol"], &refused["times"]), (&json!("tcp"), &json!(1)));
    assert_eq!(refused["process"]["pid"], loser.pid());
    assert_eq!(pids(&refused["held_by"][0]), [server.pid()]);

    let mut lines = Cmd::new(["watch", "--interval=1h", &place.to_string()]).stream();
    lines.line("present", |line| line.contains("present"));
    let loser = Fixture::start([format!("refused=127.0.0.1:{place}")]);
    let line = lines.line("refused", |line| line.contains("refused"));
    let wanted = format!(
        "fixture (pid {}, root) could not bind 127.0.0.1:{place}: address already in use; it is held by fixture (pid {}, root)",
        loser.pid(),
        server.pid()
    );
    assert!(line.contains(&wanted), "{line}");
}

/// Calls `body` while another thread opens and closes a listener on this port, hundreds of times a second.
fn amid_events(place: u16, body: impl FnOnce()) {
    let stopped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stopped.load(Ordering::Relaxed) {
                drop(TcpListener::bind(("127.0.0.1", place)));
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        stopped.store(true, Ordering::Relaxed);
        if let Err(panic) = caught {
            std::panic::resume_unwind(panic);
        }
    });
}

/// strace delays the files that are read about the processes of events, so that events arrive faster than they are
/// processed, as on a busy machine.
#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR, STRACE)]
fn a_stream_of_events_does_not_keep_passes_from_being_made() {
    let (place, busy) = (port(), port());
    let anchor = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let slow = "inject=openat:delay_enter=10000";
    let slow = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=openat", "-e", slow];
    let target = format!("tcp/{place},tcp/{busy},tcp/{}", anchor.port());
    let watch = Cmd::new(["watch", "--events=bpf", "--ndjson", "--holders=bpf", &target]);
    let mut stream = watch.through(slow).stream();
    stream.event("present");
    amid_events(busy, || {
        // Until the queue is never empty.
        std::thread::sleep(Duration::from_secs(3));
        let server = Fixture::start([format!("tcp=127.0.0.1:{place}")]);
        let opened = stream.line("the server", |line| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            line["event"] == "opened" && line["listener"]["port"] == place
        });
        let opened: Value = serde_json::from_str(&opened).expect("JSON");
        assert_eq!(pids(&opened["listener"]), [server.pid()], "while events arrive");
    });
}

/// Reads the socket tables slowly: IPv4 first, and the others before it searches for holders. So a listener may end
/// after its table has been read.
fn with_slow_tables(target: &str) -> Stream {
    let slow = "inject=sendto:delay_enter=500000";
    let slow = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=sendto", "-e", slow];
    let watch = Cmd::new(["watch", "--events=bpf", "--interval=100ms", "--ndjson", "-t", target]);
    watch.through(slow).stream()
}

/// The event of a listener is read after the pass that saw the listener, if it opened while that pass read the tables.
#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR, STRACE)]
fn a_holder_that_ended_during_a_pass_is_named_by_an_event_that_is_read_after_it() {
    let place = port();
    let anchor = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let mut stream = with_slow_tables(&format!("{place},{}", anchor.port()));
    stream.event("present");
    for number in 0..40 {
        let server = Fixture::start([format!("tcp=127.0.0.1:{place}")]);
        std::thread::sleep(Duration::from_millis(450 + number % 4 * 50));
        let pid = server.pid();
        drop(server);
        let opened = stream.event("opened");
        let closed = stream.event("closed");
        assert_eq!(callers(&closed), [pid], "{opened}\n{closed}");
        if callers(&opened).is_empty() {
            return;
        }
    }
    panic!("each of 40 events was read before a pass saw its listener");
}

#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR, STRACE)]
fn a_listener_that_replaced_another_one_is_named_by_its_event_too() {
    let anchor = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let places: Vec<u16> = (0..25).map(|_| port()).collect();
    let targets: Vec<String> = places.iter().chain([&anchor.port()]).map(u16::to_string).collect();
    let mut stream = with_slow_tables(&targets.join(","));
    stream.event("present");
    let named = |line: &str, name: &str, place: u16, pid: u32| {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        event["event"] == name && event["listener"]["port"] == place && callers(&event) == [pid]
    };
    for (number, place) in (0..).zip(places) {
        let first = Fixture::start([format!("tcp=127.0.0.1:{place}")]);
        let pid = first.pid();
        stream.line("the first listener", |line| named(line, "opened", place, pid));
        std::thread::sleep(Duration::from_millis(number % 4 * 300));
        drop(first);
        let second = Fixture::start([format!("tcp=127.0.0.1:{place}")]);
        // Its first pass has read its table and not searched for its holder yet: after how long depends on the machine.
        std::thread::sleep(Duration::from_millis(300 + number % 5 * 400));
        let pid = second.pid();
        drop(second);
        // Whether a pass saw it or not, its process is named at the latest when it has ended.
        stream.line("the end of the second listener", |line| named(line, "closed", place, pid));
        let has_ended = |line: &&String| {
            let event: Value = serde_json::from_str(line).unwrap_or_default();
            let listener = &event["listener"];
            event["event"] == "changed"
                && listener["port"] == place
                && listener["unseen"]["reason"] == "exited"
        };
        if stream.read().iter().any(|line| has_ended(&line)) {
            return;
        }
    }
    panic!("no listener that replaced another one and ended during a pass was named");
}

#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR, FunctionTracing)]
fn a_udp_socket_that_closes_at_once_has_its_process() {
    let place = port();
    let anchor = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let mut stream = watch(&["--events=bpf", &format!("{place},{}", anchor.port())]).stream();
    stream.event("present");
    for address in ["127.0.0.1", "[::1]"] {
        let [_, closed] = too_brief(&format!("udp={address}:{place}"), &mut stream);
        assert_eq!(closed["listener"]["protocol"], "udp");
        assert!(closed["lifetime_ms"].as_f64().is_some_and(|lifetime| lifetime > 0.0), "{closed}");
    }
}

/// `free` binds sockets to prove that the port is free. Their ends are reported without a process.
#[live_test(Linux)]
fn own_bind_attempts_are_no_events() {
    let (server, end) = (Fixture::start([format!("tcp=127.0.0.1:{}", port())]), port());
    let targets = format!("{},{end}", server.port());
    let watch = Cmd::new(["watch", "--events=destroyed", "--interval=100ms", "-4", &targets]);
    let mut screen = watch.env("TERM", "xterm").env("NO_COLOR", "1").start_on_terminal();
    screen.wait_for_text("1 row ");
    screen.press("f");
    screen.wait_for_text("to free");
    screen.press("y\r");
    screen.wait_for_text("is free");
    screen.press("q");
    brief(&format!("udp=127.0.0.1:{end}"));
    screen.wait_for_text("it listened or was only bound");
    let output: Output = screen.type_in("q").without_panic().code(0);
    output.assert(output.text().contains("2 closed in "), "the server and the other socket");
}

#[live_test(Linux, Kernel(5, 12), BPF_ITERATOR)]
fn the_screen_shows_what_happened_between_two_passes() {
    let place = port();
    let watch = Cmd::new(["watch", "--interval=1h", &place.to_string()]);
    let mut screen = watch.env("TERM", "xterm").env("NO_COLOR", "1").start_on_terminal();
    screen.wait_for_text("nothing listens");
    let pid = brief(&format!("tcp=127.0.0.1:{place}"));
    screen.wait_for_text("closed");
    screen.press("E");
    screen.wait_for_text("Events, the latest first");
    screen.wait_for_text(&format!("pid {pid}"));
    screen.press("q?");
    screen.wait_for_text("Keys");
    screen.press("G");
    screen.wait_for_text("with their processes");
    screen.press("q");
    let output: Output = screen.type_in("q").without_panic().code(0);
    output.assert(output.text().contains("1 opened and 1 closed in "), "the summary counts both");
}
