//! `wait --accepts` and `wait --http`: what counts as an answer, and what is sent to a server.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, JsonOutput, folder, live_test, port, until};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

const A_WHILE: Duration = Duration::from_millis(150);

fn wait(arguments: &[&str]) -> Cmd {
    Cmd::new(["wait"].iter().chain(arguments).copied())
}

/// A server of this process: `serve` gets each connection and its number, which begins with 0.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(mut serve: impl FnMut(TcpStream, usize) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (connections, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, stopped) = (Arc::clone(&connections), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                serve(stream, count.fetch_add(1, Ordering::SeqCst));
            }
        });
        Self { address, connections, stop, thread: Some(thread) }
    }

    fn port(&self) -> String {
        self.address.port().to_string()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _wakes_the_thread = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking(), "the server failed");
        }
    }
}

/// Reads the head of a request.
fn request(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.extend_from_slice(&byte);
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn answer(mut stream: TcpStream, status: &str) {
    request(&mut stream);
    let _may_be_closed = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
}

/// A program that is killed when this is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _may_have_ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[live_test(Linux, Program("python3"))]
fn a_real_server_that_starts_later() {
    let place = folder().join("wait-http");
    std::fs::create_dir_all(&place).expect("make an empty folder");
    let port = port().to_string();
    let for_http = wait(&[&port, "--http"]).start().must_keep_running(A_WHILE);
    let for_accepts = wait(&["--accepts", &port, "--json"]).start().must_keep_running(A_WHILE);
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", &port, "--bind", "127.0.0.1"]).current_dir(&place);
    let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let server = Killed(server.expect("start python3"));
    let output = for_http.wait().code(0);
    output.assert(output.text().contains(&format!("{port}/tcp answers GET / with status 200")), "its line");
    output.assert(output.text().contains(&server.0.id().to_string()), "the holder is named");
    let answer = JsonOutput::parse(for_accepts.wait().code(0));
    answer.assert_eq(&answer.document["wanted"], &json!("accepts"), "wanted");
    answer.assert_eq(&answer.only()["holders"][0]["pid"], &json!(server.0.id()), "holder");
    let missing = wait(&[&port, "--http", "/nosuch", "--timeout=300ms"]).run().code(1);
    missing.assert(missing.text().contains("status 404"), "why it is not reached");
}

#[live_test(Linux)]
fn errors_are_waited_out_and_the_request_is_plain() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let server = Server::start(move |mut stream, number| {
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(request(&mut stream));
        let status = if number < 3 { "500 Internal Server Error" } else { "204 No Content" };
        let _may_be_closed = write!(stream, "HTTP/1.1 {status}\r\n\r\n");
    });
    let output = wait(&["--http", &server.port()]).run().code(0);
    output.assert_eq(server.connections(), 4, "requests");
    let output = wait(&[&server.port(), "--http", "/health?full=%20"]).run().code(0);
    output.assert(output.text().contains("GET /health?full=%20 with status 204"), "its line");
    let requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
    for (sent, path) in requests.iter().zip(["/", "/", "/", "/", "/health?full=%20"]) {
        let host = format!("\r\nHost: localhost:{}\r\n", server.port());
        output.assert(sent.starts_with(&format!("GET {path} HTTP/1.1\r\n")), sent);
        output.assert(sent.contains(&host) && sent.contains("\r\nConnection: close\r\n"), sent);
    }
    output.assert_eq(requests.len(), 5, "requests");
}

#[live_test(Linux)]
fn a_redirect_counts_and_is_not_followed() {
    let elsewhere = Server::start(|stream, _| answer(stream, "200 OK"));
    let target = elsewhere.port();
    let server = Server::start(move |mut stream, _| {
        request(&mut stream);
        let _may_be_closed =
            write!(stream, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{target}/\r\n\r\n");
    });
    let answer = JsonOutput::parse(wait(&["--http", "--json", &server.port()]).run().code(0));
    answer.assert_eq(&answer.document["http_status"], &json!(302), "status");
    answer.assert_eq((server.connections(), elsewhere.connections()), (1, 0), "connections");
}

#[live_test(Linux)]
fn a_slow_answer_is_given_up_and_tried_again() {
    let kept = Mutex::new(Vec::new());
    let server = Server::start(move |mut stream, number| match number {
        0 => {
            // Never completes its status line.
            let _may_be_closed = stream.write_all(b"HTTP/1.1 2");
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        }
        _ => answer(stream, "200 OK"),
    });
    let output = wait(&["--http", &server.port()]).run().code(0);
    output.assert(output.took >= Duration::from_millis(1900), "two seconds for the first attempt");
    output.assert_eq(server.connections(), 2, "attempts");
}

#[live_test(Linux)]
fn a_timeout_ends_a_slow_attempt() {
    let kept = Mutex::new(Vec::new());
    let server = Server::start(move |stream, _| {
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
    });
    for timeout in ["0", "300ms"] {
        let output = wait(&["--http", &server.port(), "--timeout", timeout]).run().code(1);
        output.assert(output.text().contains("no answer in time"), "why it is not reached");
        let quiet = wait(&["-q", "--http", &server.port(), "--timeout", timeout]).run().code(1);
        quiet.assert(quiet.stdout.is_empty() && quiet.stderr.is_empty(), "nothing is printed");
    }
    // What it gets is a connection that stays open.
    wait(&["--accepts", &server.port()]).run().code(0);
}

#[live_test(Linux)]
fn an_endless_line_is_not_read() {
    let endless = Server::start(|mut stream, _| {
        request(&mut stream);
        let _may_be_closed = stream.write_all(b"HTTP/1.1 200 ");
        while stream.write_all(&[b'a'; 4096]).is_ok() {}
    });
    let output = wait(&["--http", &endless.port(), "--timeout=300ms"]).run().code(1);
    output.assert(output.text().contains("the answer is not HTTP"), "why it is not reached");
    // The status line is complete, and a header never ends.
    let header = Server::start(|mut stream, _| {
        request(&mut stream);
        let _may_be_closed = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(&[b'a'; 4096]).is_ok() {}
    });
    wait(&["--http", &header.port()]).run().code(0);
}

#[live_test(Linux)]
fn other_protocols_are_no_answer() {
    for greeting in [&b"SSH-2.0-OpenSSH_9.6\r\n"[..], b"\x15\x03\x01\x00\x02\x02\x50", b"HTTP/9\r\n\r\n"] {
        let server = Server::start(move |mut stream, _| {
            request(&mut stream);
            let _may_be_closed = stream.write_all(greeting);
        });
        let output = wait(&["--http", &server.port(), "--timeout=300ms"]).run().code(1);
        output.assert(output.text().contains("the answer is not HTTP"), "why it is not reached");
        wait(&["--accepts", &server.port()]).run().code(0);
    }
}

#[live_test(Linux)]
fn a_server_that_closes_at_once_does_not_accept() {
    let kept = Mutex::new(Vec::new());
    let opens = Arc::new(AtomicBool::new(false));
    let is_open = Arc::clone(&opens);
    let server = Server::start(move |stream, _| {
        if is_open.load(Ordering::SeqCst) {
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        }
    });
    wait(&[&server.port()]).run().code(0);
    // On a busy machine a server may need more than 100 ms to close.
    let output = until(|| {
        let output = wait(&["--accepts", "--timeout=0", &server.port()]).run();
        (!output.status.success()).then_some(output)
    });
    let output = output.expect("a connection that is closed at once is not accepted").code(1);
    output.assert(output.text().contains("the connection is closed at once"), "why it is not reached");
    opens.store(true, Ordering::SeqCst);
    wait(&["--accepts", &server.port()]).run().code(0);
}

#[live_test(Linux)]
fn accepts_sends_nothing() {
    let received = Arc::new(Mutex::new(None));
    let result = Arc::clone(&received);
    let server = Server::start(move |mut stream, _| {
        let mut bytes = Vec::new();
        // It ends with a reset.
        let _ended = stream.read_to_end(&mut bytes);
        *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    });
    wait(&["--accepts", &server.port()]).run().code(0);
    let received = until(|| received.lock().unwrap_or_else(PoisonError::into_inner).clone());
    assert_eq!(received, Some(Vec::new()), "the connection ended, and nothing was sent");
}

#[live_test(Linux)]
fn a_server_that_never_accepts_connects_until_its_queue_is_full() {
    // The kernel completes connections that the program has not accepted.
    let server = Fixture::start([format!("tcp=127.0.0.1:{}", port())]);
    let target = server.port().to_string();
    wait(&["--accepts", &target]).run().code(0);
    wait(&["--http", "--timeout=300ms", &target]).run().code(1);
    let full = port();
    let address = format!("127.0.0.1:{full}");
    let steps = ["backlog=0".to_owned(), format!("tcp={address}"), format!("client={address}")];
    let _server = Fixture::start(steps);
    let filled = until(|| {
        let answer = Cmd::new([format!("tcp/{full}")]).answer(0);
        (answer.only()["queue"]["waiting"] == 1).then_some(())
    });
    assert!(filled.is_some(), "the queue is full");
    let output = wait(&["--accepts", "--timeout=300ms", &full.to_string()]).run().code(1);
    output.assert(output.text().contains("no answer in time"), "why it is not reached");
}

#[live_test(Linux, Ipv6)]
fn the_address_decides_where_it_connects() {
    for address in ["127.0.0.1", "127.0.0.2", "0.0.0.0", "[::1]", "[::]"] {
        let server = Fixture::start([format!("tcp={address}:{}", port())]);
        wait(&["--accepts", &server.port().to_string()]).run().code(0);
        wait(&["--accepts", &format!("{address}:{}", server.port())]).run().code(0);
    }
    let server = Fixture::start([format!("tcp=127.0.0.2:{}", port())]);
    for other in ["127.0.0.1", "[::1]"] {
        wait(&["--accepts", "--timeout=0", &format!("{other}:{}", server.port())]).run().code(1);
    }
    // Another machine is never connected to.
    let output = wait(&["--accepts", "--timeout=0", "192.0.2.1:80"]).run().code(1);
    output.assert(output.text().contains("cannot connect"), "why it is not reached");
}

#[live_test]
fn invalid_requests_are_refused() {
    for arguments in [
        &["udp/80", "--accepts"][..],
        &["80,udp/80", "--http"],
        &["@name", "--http"],
        &["80", "--http", "health"],
        &["80", "--http", "/a b"],
        &["80", "--http", "/a\r\nX: y"],
        &["80", "--http="],
        &["--http", "/health"],
        &["80", "--http", "--accepts"],
        &["80", "--free", "--http"],
        &["80", "--listening", "--accepts"],
    ] {
        let output = wait(arguments).run().without_panic().code(2);
        output.assert(output.stdout.is_empty() && !output.stderr.is_empty(), "the error is named");
    }
}
