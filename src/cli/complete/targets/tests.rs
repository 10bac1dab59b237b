use super::*;
use crate::model::{Socket, State};

const ALL: Accepted = Accepted { tcp_by_default: false, tcp: false, udp: false, unix: true };

fn listeners(protocols: &[Protocol]) -> Vec<OpenPort> {
    let sockets = [
        (Protocol::Tcp, "127.0.0.1", 3000, None, "node"),
        (Protocol::Tcp, "::1", 3000, None, "node"),
        (Protocol::Tcp, "0.0.0.0", 80, None, "nginx"),
        (Protocol::Tcp, "::", 8080, None, "java"),
        (Protocol::Tcp, "fe80::1", 546, Some("eth0"), "dhcp"),
        (Protocol::Udp, "127.0.0.53", 53, Some("lo"), "resolved"),
        (Protocol::Udp, "127.0.0.1", 3000, None, "quic"),
    ];
    let listening = sockets.into_iter().filter(|(protocol, ..)| protocols.contains(protocol));
    let open_port =
        |(protocol, address, port, interface, holders): (Protocol, &str, u16, Option<&str>, &str)| {
            let endpoint = Endpoint::Ip {
                address: address.parse().unwrap(),
                port,
                interface: interface.map(Into::into),
            };
            let state = if protocol == Protocol::Tcp { State::Listen } else { State::Bound };
            let mut socket = Socket::new(protocol, endpoint, state);
            socket.dual_stack = Some(address == "::");
            OpenPort { socket, holders: holders.to_owned() }
        };
    listening.map(open_port).collect()
}

/// Returns the whole words that complete this one.
fn completed(word: &str, accepted: Accepted) -> Vec<String> {
    let completion = complete(word, accepted, &listeners);
    let words = completion.candidates.iter().map(|one| format!("{}{}", completion.kept, one.value));
    words.collect()
}

#[test]
fn ports_and_addresses() {
    for (word, words) in [
        ("", &["53", "80", "546", "3000", "8080"][..]),
        ("3", &["3000"]),
        (":8", &[":80", ":8080"]),
        ("*:8", &["*:80", "*:8080"]),
        ("80,3", &["80,3000"]),
        ("udp/", &["udp/53", "udp/3000"]),
        ("tcp/80", &["tcp/80", "tcp/8080"]),
        ("127.0.0.1:", &["127.0.0.1:80", "127.0.0.1:3000", "127.0.0.1:8080"]),
        ("127.", &["127.0.0.53:53", "127.0.0.1:3000"]),
        ("[::1]:", &["[::1]:3000", "[::1]:8080"]),
        ("[", &["[fe80::1%eth0]:546", "[::1]:3000", "[::]:8080"]),
        ("localhost:3", &["localhost:3000"]),
        ("localho", &["localhost:"]),
        ("http://localhost:80", &["http://localhost:80", "http://localhost:8080"]),
        ("http://127", &["http://127.0.0.1:3000"]),
        ("tcp", &["tcp/", "tcpdataserver", "tcpmux", "tcpnethaspsrv"]),
        ("8000-80", &[]),
        ("nosuchhost:", &[]),
        ("@x", &[]),
    ] {
        let mut got = completed(word, ALL);
        // The registry may get names.
        if word == "tcp" {
            got.retain(|name| words.contains(&name.as_str()));
        }
        assert_eq!(got, words, "{word}");
    }
}

#[test]
fn protocols_that_a_command_or_an_option_selects() {
    let tcp = Accepted { tcp_by_default: true, ..ALL };
    assert_eq!(completed("5", tcp), ["546"]);
    assert_eq!(completed("udp/5", tcp), ["udp/53"]);
    assert_eq!(completed("5", Accepted { udp: true, ..tcp }), ["53"]);
    assert_eq!(completed("5", Accepted { udp: true, tcp: true, ..ALL }), ["53", "546"]);
    let described = complete("3000", ALL, &listeners);
    assert_eq!(described.candidates.first().map(|one| one.description.as_str()), Some("node, quic"));
}

#[test]
fn names_of_the_abstract_namespace() {
    let unix = |protocols: &[Protocol]| {
        assert_eq!(protocols, [Protocol::Unix]);
        let open = |path: &str| {
            let endpoint = Endpoint::Unix { path: Some(path.into()) };
            let socket = Socket::new(Protocol::Unix, endpoint, State::Listen);
            OpenPort { socket, holders: String::new() }
        };
        ["@app", "/run/app.sock", "@app\u{1b}", "@other"].map(open).into()
    };
    let completion = complete("@a", ALL, &unix);
    let names: Vec<&str> = completion.candidates.iter().map(|one| one.value.as_str()).collect();
    assert_eq!(names, ["@app"]);
}

#[test]
fn files_and_names() {
    for path in ["/run/x", "./x", "../x", "~/x", "80,./x"] {
        assert_eq!(complete(path, ALL, &listeners).paths, Some(Paths::Files), "{path}");
        assert_eq!(complete(path, Accepted { unix: false, ..ALL }, &listeners).paths, None, "{path}");
    }
    assert_eq!(completed("postgresq", ALL), ["postgresql"]);
    // A single letter has hundreds.
    assert_eq!(completed("u", ALL), ["udp/", "unix"]);
    assert_eq!(completed("u", Accepted { unix: false, ..ALL }), ["udp/"]);
}
