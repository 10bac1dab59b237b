//! Every form of a target, those that cannot be meant, and what answers them.

use std::net::SocketAddr;

use proptest::prelude::*;

use crate::model::Target;
use crate::model::{Endpoint, Family, Protocol, Socket, State};

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

fn listener(endpoint: &str) -> Socket {
    let at: SocketAddr = endpoint.parse().unwrap();
    let endpoint = Endpoint::Ip { address: at.ip(), port: at.port(), interface: None };
    Socket::new(Protocol::Tcp, endpoint, State::Listen)
}

#[test]
fn forms_of_the_contract() {
    for (text, protocol, address, ports) in [
        ("10309", None, None, 10309..=10309),
        (":10309", None, None, 10309..=10309),
        ("8000-8010", None, None, 8000..=8010),
        ("tcp/8080", Some(Protocol::Tcp), None, 8080..=8080),
        ("8080/tcp", Some(Protocol::Tcp), None, 8080..=8080),
        ("UDP/53", Some(Protocol::Udp), None, 53..=53),
        ("127.0.0.1:6379", None, Some("127.0.0.1"), 6379..=6379),
        ("[::1]:3000", None, Some("::1"), 3000..=3000),
        ("tcp/127.0.0.1:6379", Some(Protocol::Tcp), Some("127.0.0.1"), 6379..=6379),
        ("1-65535", None, None, 1..=65535),
    ] {
        let target = target(text);
        assert_eq!(target.protocol(), protocol, "{text}");
        assert_eq!(target.address(), address.map(|address| address.parse().unwrap()), "{text}");
        assert_eq!(target.ports(), ports, "{text}");
    }
}

#[test]
fn what_cannot_be_meant_names_the_part() {
    for (text, part) in [
        ("0", "0"),
        ("65536", "65536"),
        ("99999999999999999999", "99999999999999999999"),
        ("10-5", "10-5"),
        ("5-", "5-"),
        ("-5", "-5"),
        ("", ""),
        ("80,,81", ""),
        ("1.2.3:80", "1.2.3"),
        ("[::1]", "[::1]"),
        ("[::1]80", "80"),
        ("[::1:80", "[::1:80"),
        ("[127.0.0.1]:80", "127.0.0.1"),
        ("::1", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("8080/xyz", "xyz"),
        ("xyz/8080", "xyz"),
        ("tcp/", "tcp/"),
        ("tcp/0", "0"),
        (":", ":"),
        ("127.0.0.1:", "127.0.0.1:"),
        ("localhost:80", "localhost"),
        ("+80", "+80"),
        (" 80", " 80"),
        ("８０", "８０"),
        ("nosuchservice", "nosuchservice"),
        ("/", "/"),
        ("unix/80", "unix"),
    ] {
        let error = Target::parse_list(text).unwrap_err();
        assert_eq!(error.part(), part, "{text}: {error}");
        assert!(!error.help().is_empty(), "{text}");
    }
}

#[test]
fn service_names() {
    let list = |text: &str| Target::parse_list(text).unwrap();
    assert_eq!(list("postgresql"), [target("5432")]);
    assert_eq!(list("HTTP,ssh"), [target("80"), target("22")]);
    assert_eq!(list("http/tcp"), [target("tcp/80")]);
    assert_eq!(list("udp/domain"), [target("udp/53")]);
    assert_eq!(list("bngsync"), [target("udp/10439")], "a name of one protocol alone");
    assert_eq!(list("tcp/http-alt"), [target("tcp/591"), target("tcp/8008"), target("tcp/8080")]);
    assert_eq!(list("x11"), [target("6000-6063")]);
    assert_eq!(list(":http"), [target("80")]);
    assert_eq!(list("127.0.0.1:http"), [target("127.0.0.1:80")]);
    assert_eq!(list("[::1]:http"), [target("[::1]:80")]);
    assert_eq!(Target::parse_lsof("tcp:http,22").unwrap(), [target("tcp/80"), target("tcp/22")]);
    assert_eq!(Target::parse_lsof(":ssh").unwrap(), [target("22")]);
    assert!(list("unix")[0].is_unix());
}

#[test]
fn service_names_that_do_not_fit() {
    for (text, part, expected) in [
        ("postgres", "postgres", "perhaps postgresql"),
        ("80,no-such-service-name", "no-such-service-name", ""),
        ("bngsync/tcp", "bngsync", "udp/10439"),
        ("http/xyz", "xyz", "tcp/8080"),
        ("xyz/http", "xyz", "tcp/8080"),
        ("tcp", "tcp", "-t"),
        ("127.0.0.1:htpp", "htpp", "http"),
        ("http-80", "http-80", ""),
    ] {
        let error = Target::parse_list(text).unwrap_err();
        assert_eq!(error.part(), part, "{text}: {error}");
        assert!(error.help().contains(expected), "{text}: {}", error.help());
    }
    let several = "http-alt".parse::<Target>().unwrap_err();
    assert!(several.help().contains("8008 or 8080"), "{}", several.help());
}

#[test]
fn unix_sockets() {
    let socket =
        |path: &str| Socket::new(Protocol::Unix, Endpoint::Unix { path: Some(path.into()) }, State::Listen);
    assert!(target("unix").answered_by(&socket("/run/x.sock")).is_some());
    assert!(target("/run/x.sock").answered_by(&socket("/run/x.sock")).is_some());
    assert!(target("/var/run/x.sock").answered_by(&socket("/run/x.sock")).is_some());
    let mut later = socket("/run/x.sock");
    later.path_leads_to = Some(crate::model::PathTarget::OtherFile);
    assert_eq!(target("/run/x.sock").answered_by(&later), None, "a later server has its path");
    let mut linked = socket("private/x");
    linked.other_paths = vec!["/run/x.sock".into()];
    assert!(target("/var/run/x.sock").answered_by(&linked).is_some());
    let here = std::env::current_dir().unwrap();
    assert_eq!(target("./x.sock").at_current_directory().path(), here.join("x.sock").to_str());
    assert!(target("../x.sock").is_unix() && "./".parse::<Target>().is_err());
    assert!(target("@name").answered_by(&socket("@name")).is_some());
    assert_eq!(target("@nam").answered_by(&socket("@name")), None);
    assert_eq!(target("/run/x").answered_by(&socket("/run/x.sock")), None);
    assert_eq!(target("80").answered_by(&socket("80")), None);
    assert_eq!(target("unix").answered_by(&listener("127.0.0.1:80")), None);
}

#[test]
fn lsof_form() {
    let parse = |text: &str| Target::parse_lsof(text).unwrap();
    assert_eq!(parse(":10309"), [target("10309")]);
    assert_eq!(parse("TCP:80,443"), [target("tcp/80"), target("tcp/443")]);
    assert_eq!(parse("udp@127.0.0.1:53"), [target("udp/127.0.0.1:53")]);
    assert_eq!(parse("@[::1]:80"), [target("[::1]:80")]);
    assert_eq!(parse("4").first().unwrap().family, Some(Family::Ipv4));
    assert_eq!(parse("6tcp:80").first().unwrap().family, Some(Family::Ipv6));
    for wrong in ["", "8080", "46", "icmp:80", "tcp:0", "tcp:", "@nohost:80", "6@127.0.0.1:80", ":80-70"] {
        assert!(Target::parse_lsof(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_address_is_answered_by_what_a_peer_reaches() {
    let specific = listener("127.0.0.1:80");
    let wildcard = listener("0.0.0.0:80");
    let mut dual = listener("[::]:80");
    let v4 = target("127.0.0.1:80");
    assert!(v4.answered_by(&specific) > v4.answered_by(&wildcard));
    assert!(v4.answered_by(&wildcard) > v4.answered_by(&dual));
    assert!(v4.answered_by(&dual).is_some(), "whether it takes IPv4 is not known");
    dual.dual_stack = Some(false);
    assert_eq!(v4.answered_by(&dual), None);
    assert_eq!(target("127.0.0.2:80").answered_by(&specific), None);
    assert!(target("[::1]:80").answered_by(&dual).is_some());
    assert_eq!(target("[::1]:80").answered_by(&wildcard), None);
    assert!(v4.answered_by(&listener("[::ffff:127.0.0.1]:80")).is_some());
    assert!(v4.answered_by(&listener("[::ffff:0.0.0.0]:80")).is_some());
    assert_eq!(target("3000").answered_by(&listener("0.0.0.0:30001")), None);
}

#[test]
fn a_socket_bound_to_an_interface_is_not_reached_by_loopback() {
    let mut bound = listener("0.0.0.0:80");
    if let Endpoint::Ip { interface, .. } = &mut bound.endpoint {
        *interface = Some("eth0".into());
    }
    assert_eq!(target("127.0.0.1:80").answered_by(&bound), None);
    assert!(target("192.0.2.1:80").answered_by(&bound).is_some());
    let specific = listener("192.0.2.1:80");
    assert!(
        target("192.0.2.1:80").answered_by(&specific) > target("192.0.2.1:80").answered_by(&bound),
        "a specific address beats a wildcard, whatever that is bound to"
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_fall_over(text in "\\PC*|[\\[\\]:%/,@a0-9\u{0}-\u{1f}\u{7f}-\u{9f}]*") {
        for parsed in [Target::parse_list(&text), Target::parse_lsof(&text)] {
            let shown = match parsed {
                Ok(targets) => targets.iter().map(Target::to_string).collect(),
                Err(error) => format!("{error}{}", error.help()),
            };
            prop_assert!(!shown.contains(crate::model::text::acts_on_terminal), "{shown:?}");
        }
    }

    #[test]
    fn text_of_the_grammar_is_read_back(first in 1u16.., length in 0u16..100, protocol in "(tcp|udp)?") {
        let last = first.saturating_add(length);
        let slash = if protocol.is_empty() { "" } else { "/" };
        let target = target(&format!("{protocol}{slash}{first}-{last}"));
        prop_assert_eq!(target.ports(), first..=last);
        prop_assert_eq!(target.protocol().map_or("", Protocol::as_str), protocol);
    }
}
