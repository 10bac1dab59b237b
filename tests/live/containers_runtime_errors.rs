//! When the runtime is queried, and what happens if it is silent, broken or endless: everything else is still shown,
//! the reason is a gap, and nothing hangs.

#![cfg(unix)]

use crate::support::{Behavior, Engine, FakeRuntime, Fixture, JsonOutput, holders, live_test, port};
use serde_json::{Value, json};

/// The socket of the machine's engine.
const SOCKET: &str = "/var/run/docker.sock";

#[live_test(Linux, Docker)]
fn an_ordinary_port_causes_no_request() {
    let counting =
        FakeRuntime::new(Behavior::Replies(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]".to_vec()));
    let server = Fixture::start(["tcp=127.0.0.1:0"]);
    let engine = Engine::host();
    let target = format!("tcp/{}", server.port());
    for arguments in
        [vec![target.clone()], vec!["why".to_owned(), target.clone()], vec!["--quiet".to_owned(), target]]
    {
        let output = engine.cmd(arguments).env("DOCKER_HOST", &counting.host).run().without_panic();
        output.assert_eq(counting.connections(), 0, "connections to the runtime");
    }
    // The same counter counts when a container is possible.
    let port = port();
    let container = engine.run(&["--publish", &format!("127.0.0.1:{port}:80")], &["tcp=0.0.0.0:80"]);
    let answer = engine.cmd([format!("{port}")]).env("DOCKER_HOST", &counting.host).answer(0);
    answer.assert(counting.connections() > 0, "a published port is a reason to ask");
    // The fake runtime knows no container. The machine's engine is queried too, and knows this one.
    answer.assert_eq(&answer.only()["container"]["name"], &json!(container.name), "the container's name");
}

/// Returns a launcher that replaces the engine's socket.
fn with_mount(mount: &str) -> [String; 6] {
    let script = format!("mount {mount} && exec \"$@\"");
    ["unshare", "--mount", "--propagation=private", "sh", "-c", &script].map(str::to_owned)
}

/// A published port is still shown if the runtime does not answer. Returns the reasons of the gaps.
#[track_caller]
fn reasons(engine: &Engine, port: u16, mount: &str) -> Vec<Value> {
    let through = || with_mount(mount).into_iter().chain(["sh".to_owned()]);
    let output = engine.cmd(["--json", &port.to_string()]).through(through()).run();
    let answer = JsonOutput::parse(output.without_panic().code(0));
    let listener = answer.only();
    answer.assert_eq(&holders(listener)[0]["name"], &json!("docker-proxy"), "what can be seen is shown");
    for unknown in ["name", "image", "compose"] {
        answer.assert_eq(&listener["container"][unknown], &json!(null), unknown);
    }
    let gaps = answer.document["gaps"].as_array().cloned().unwrap_or_default();
    let gaps = gaps.into_iter().filter(|gap| gap["what"] == "containers");
    let reasons: Vec<Value> = gaps.map(|gap| gap["reason"].clone()).collect();
    answer.assert_eq(reasons.len(), 1, "gaps of containers");
    let card = engine.cmd([port.to_string()]).through(through()).run().without_panic().code(0);
    card.assert(card.text().contains("docker-proxy"), "the card is there");
    reasons
}

fn against(behaviors: impl IntoIterator<Item = Behavior>, wanted: &[&str]) {
    let engine = Engine::host();
    let port = port();
    let _container = engine.run(&["--publish", &format!("127.0.0.1:{port}:80")], &["tcp=0.0.0.0:80"]);
    for behavior in behaviors {
        let runtime = FakeRuntime::new(behavior);
        let reasons = reasons(&engine, port, &format!("--bind {} {SOCKET}", runtime.path));
        let reason = reasons[0].as_str().unwrap_or_default();
        assert!(wanted.contains(&reason), "reason of the gap: got {reason}, wanted one of {wanted:?}");
        assert!(runtime.connections() > 0, "it was asked");
    }
}

#[live_test(Linux, Root, Docker)]
fn a_silent_runtime() {
    against([Behavior::Silent], &["timeout"]);
}

#[live_test(Linux, Root, Docker)]
fn a_slow_endless_runtime() {
    against([Behavior::Drips], &["timeout"]);
}

#[live_test(Linux, Root, Docker)]
fn a_runtime_that_answers_nonsense() {
    let says = |text: &[u8]| Behavior::Replies(text.to_vec());
    let ok = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let body = |body: &str| {
        let head = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        Behavior::Replies([ok.as_slice(), head.as_bytes()].concat())
    };
    let deep = "[".repeat(200_000);
    let behaviors = [
        says(b""),
        says(b"\0\xff\xfe nothing that HTTP knows"),
        says(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 15\r\n\r\n{\"message\":\"\"}\n"),
        says(b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"),
        body("{\"message\":\"page not found\"}"),
        body("[{\"Id\":7,\"Names\":null,\"Ports\":\"none\"}]"),
        body("[{\"Id\":\"\u{1}"),
        body(&deep),
        Behavior::Replies([ok.as_slice(), b"Content-Length: 18446744073709551615\r\n\r\n[]"].concat()),
        Behavior::Replies([ok.as_slice(), b"Content-Length: -1\r\n\r\n[]"].concat()),
        Behavior::Replies(
            [ok.as_slice(), b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n[]"].concat(),
        ),
        Behavior::Replies(
            [ok.as_slice(), b"Transfer-Encoding: chunked\r\n\r\n-2\r\n[]\r\n0\r\n\r\n"].concat(),
        ),
    ];
    against(behaviors, &["unknown", "unreadable", "invalid"]);
}

#[live_test(Linux, Root, Docker)]
fn a_runtime_that_floods() {
    const MUCH: usize = 100 << 20;
    let ok = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n".to_vec();
    let sized = format!("HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\n\r\n[").into_bytes();
    let behaviors = [
        Behavior::Floods(ok, MUCH, b' '),
        Behavior::Floods(sized, MUCH, b'['),
        // A response head without an end.
        Behavior::Floods(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), MUCH, b'x'),
    ];
    against(behaviors, &["timeout", "unknown", "unreadable", "invalid", "limit"]);
}

#[live_test(Linux, Root, Docker)]
fn a_missing_runtime() {
    let engine = Engine::host();
    let port = port();
    let _container = engine.run(&["--publish", &format!("127.0.0.1:{port}:80")], &["tcp=0.0.0.0:80"]);
    reasons(&engine, port, "-t tmpfs none /run");
}
