//! `why` only tries: it leaves nothing on the port, listens nowhere, and sends nothing to anybody it found.

use crate::stage::{Look, Need, folder, in_own_network, listen_strictly, port};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

cases![
    a_port_asked_about_can_be_had_at_once[Need::Linux, Need::Root, Need::Ipv6, Need::NETWORK_NAMESPACE],
    nothing_is_listened_on_and_nobody_called[Need::Linux, Need::STRACE],
    a_listener_is_not_called[Need::Linux],
];

fn a_port_asked_about_can_be_had_at_once() {
    in_own_network(|| {
        for port in 20_000..20_100 {
            let mut own = Vec::new();
            let asked = Look::at(["why".to_owned(), port.to_string()]).run().code(0);
            // Whoever comes next sets no option that would forgive a trace.
            for address in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
                let listening = listen_strictly(SocketAddr::new(address, port));
                asked.must(listening.is_ok(), &format!("bind and listen right after it: {listening:?}"));
                own.push(listening);
            }
        }
    });
}

fn nothing_is_listened_on_and_nobody_called() {
    let port = port();
    let _server = TcpListener::bind(("127.0.0.1", port)).expect("a listener");
    let log = folder().join("why-calls");
    let trace = ["strace", "-f", "-e", "trace=listen,connect,sendto,sendmsg,sendmmsg", "-o"];
    let words = trace.into_iter().chain([log.to_str().expect("a path in text")]);
    for (target, code) in [(port.to_string(), 1), (format!("127.0.0.2:{port}"), 0)] {
        let seen = Look::at(["why".to_owned(), target]).through(words.clone()).run().code(code);
        let calls = std::fs::read_to_string(&log).expect("strace writes what it saw");
        seen.must(!calls.contains("listen("), "it never listens");
        let called = calls.lines().find(|line| line.contains("AF_INET") && line.contains("127.0.0.1"));
        seen.equal(called, None, "it sends nothing to who was found listening");
    }
}

fn a_listener_is_not_called() {
    let port = port();
    let server = TcpListener::bind(("127.0.0.1", port)).expect("a listener");
    server.set_nonblocking(true).expect("do not wait for connections");
    let seen = Look::at(["why".to_owned(), port.to_string()]).run().code(1);
    let came = server.accept().map_err(|error| error.kind()).map(|(_, peer)| peer);
    seen.equal(came, Err(ErrorKind::WouldBlock), "it connects to nobody who was found listening");
}
