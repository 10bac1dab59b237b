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
fn invalid_targets_name_the_part() {
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
        ("localhost", "localhost"),
        ("example.com:80", "example.com"),
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
fn localhost_is_both_families_of_tcp() {
    let both = |port: u16| [target(&format!("tcp/127.0.0.1:{port}")), target(&format!("tcp/[::1]:{port}"))];
    for text in ["localhost:3000", "LOCALHOST:3000/", "shop.localhost.:3000", "localhost:3000/tcp"] {
        let targets = Target::parse_list(text).unwrap();
        assert_eq!(targets, both(3000), "{text}");
        assert!(Target::are_localhost(&targets), "{text}");
    }
    assert!(!Target::are_localhost(&Target::parse_list("3000,3001").unwrap()));
    assert_eq!(Target::parse_list("localhost:http").unwrap(), both(80));
    let udp = Target::parse_list("udp/localhost:53").unwrap();
    assert_eq!(udp, [target("udp/127.0.0.1:53"), target("udp/[::1]:53")]);
    let error = "localhost:80".parse::<Target>().unwrap_err();
    assert!(error.help().contains("tcp/[::1]:80"), "{}", error.help());
    assert!(Target::parse_list("mylocalhost:80").is_err());
}

#[test]
fn a_wildcard_is_every_address() {
    let list = |text: &str| Target::parse_list(text).unwrap();
    assert_eq!(list("*:80"), [target("80")]);
    assert_eq!(list("tcp/*:80-90"), [target("tcp/80-90")]);
    assert_eq!(list("0.0.0.0:80/"), [target("0.0.0.0:80")]);
    assert_eq!(list("8080/"), [target("8080")]);
}

#[test]
fn urls() {
    let both =
        |port: u16| vec![target(&format!("tcp/127.0.0.1:{port}")), target(&format!("tcp/[::1]:{port}"))];
    for (text, expected) in [
        ("http://localhost:3000/x?y=1#z", both(3000)),
        ("HTTP://LocalHost", both(80)),
        ("https://app.localhost/", both(443)),
        ("https://127.0.0.1", vec![target("tcp/127.0.0.1:443")]),
        ("http://[::1]:8080/", vec![target("tcp/[::1]:8080")]),
        ("http://[fe80::1%25eth0]", vec![target("tcp/[fe80::1%eth0]:80")]),
        ("http://user:pass,word@localhost:3000/a@b", both(3000)),
        ("http://localhost:/", both(80)),
        ("http://:8080", vec![target("tcp/8080")]),
        ("http://+:8080/", vec![target("tcp/8080")]),
        ("http://*:8080", vec![target("tcp/8080")]),
        ("ws://127.0.0.1:5173/hmr", vec![target("tcp/127.0.0.1:5173")]),
        ("postgres://shop:secret@127.0.0.1/shop", vec![target("tcp/127.0.0.1:5432")]),
        ("tcp://127.0.0.1:2375", vec![target("tcp/127.0.0.1:2375")]),
        ("udp://127.0.0.1:53", vec![target("udp/127.0.0.1:53")]),
        ("unix:///run/docker.sock", vec![target("/run/docker.sock")]),
        ("http://127.0.0.1:1/,8080", vec![target("tcp/127.0.0.1:1"), target("8080")]),
        (
            "http://127.0.0.1:1/a,http://127.0.0.1:2/b",
            vec![target("tcp/127.0.0.1:1"), target("tcp/127.0.0.1:2")],
        ),
        ("80,http://u:p@127.0.0.1:1,81", vec![target("80"), target("tcp/127.0.0.1:1"), target("81")]),
        ("/run/http://x/y,80", vec![target("/run/http://x/y"), target("80")]),
    ] {
        assert_eq!(Target::parse_list(text).unwrap(), expected, "{text}");
    }
    for (text, part) in [
        ("http://example.com/", "example.com"),
        ("http://example.com:80", "example.com"),
        ("http://u:p@example.com", "example.com"),
        ("http://localhost:0", "0"),
        ("http://localhost:http", "http"),
        ("http://localhost:99999/", "99999"),
        ("http://::1/", "::1"),
        ("http://[::1", "[::1"),
        ("http://[127.0.0.1]/", "127.0.0.1"),
        ("http://[::1]x/", "x"),
        ("http://1.2.3/", "1.2.3"),
        ("http://", "http"),
        ("nosuch://localhost", "localhost"),
        ("1://localhost:80", "1"),
        ("unix://run", "run"),
        ("http://localhost/a,80", ","),
        ("localhost:80/x", "x"),
    ] {
        let error = Target::parse_list(text).unwrap_err();
        assert_eq!(error.part(), part, "{text}: {error}");
    }
}

/// A machine with a name and one address.
struct TestHosts;

impl super::hosts::Hosts for TestHosts {
    fn is_own_name(&self, name: &str) -> bool {
        name == "workstation"
    }

    fn has_address(&self, address: std::net::IpAddr) -> bool {
        address.to_string() == "192.0.2.2"
    }
}

#[test]
fn hosts_of_this_machine_and_of_others() {
    let list = |text: &str| Target::parse_list_with(text, &crate::port_info::Services::default(), &TestHosts);
    assert_eq!(list("workstation:80").unwrap(), [target("tcp/80")]);
    assert_eq!(list("http://workstation./x").unwrap(), [target("tcp/80")]);
    assert_eq!(list("http://192.0.2.2/").unwrap(), [target("tcp/192.0.2.2:80")]);
    assert_eq!(
        list("192.0.2.7:80").unwrap(),
        [target("192.0.2.7:80")],
        "an address without a URL is a question"
    );
    let error = list("http://192.0.2.7/").unwrap_err();
    assert_eq!(error.to_string().split(':').next(), Some("'192.0.2.7' is another machine"));
    let error = list("server:80").unwrap_err();
    assert_eq!(error.help(), "write localhost:80 or 80; or run allears on server");
    assert_eq!(list("localhsot:80").unwrap_err().help(), "perhaps localhost:80");
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
    assert_eq!(parse("tcp@localhost:80"), [target("tcp/127.0.0.1:80"), target("tcp/[::1]:80")]);
    assert_eq!(parse("6tcp@localhost:80").len(), 1);
    assert_eq!(parse("tcp@*:80"), [target("tcp/80")]);
    assert_eq!(parse("4").first().unwrap().family, Some(Family::Ipv4));
    assert_eq!(parse("6tcp:80").first().unwrap().family, Some(Family::Ipv6));
    for wrong in ["", "8080", "46", "icmp:80", "tcp:0", "tcp:", "@example.com:80", "6@127.0.0.1:80", ":80-70"]
    {
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
    fn any_text_parses_without_panic(text in "\\PC*|[\\[\\]:%/,@a0-9\u{0}-\u{1f}\u{7f}-\u{9f}]*") {
        for parsed in [Target::parse_list(&text), Target::parse_lsof(&text)] {
            let shown = match parsed {
                Ok(targets) => targets.iter().map(Target::to_string).collect(),
                Err(error) => format!("{error}{}", error.help()),
            };
            prop_assert!(!shown.contains(crate::model::text::acts_on_terminal), "{shown:?}");
        }
    }

    #[test]
    fn a_password_is_never_part_of_an_error(
        before in "([0-9]{1,4},)?",
        scheme in "[a-z]{0,5}",
        secret in "[G-Z#/?:,@%]{0,6}QQQQ[G-Z#/?:,@%]{0,6}",
        host in "[a-f0-9:.\\[\\]]{0,9}|localhost",
        after in "(:[0-9]{0,6})?(/[a-f,]{0,5})?(,[a-f0-9]{1,5})?",
    ) {
        let text = format!("{before}{scheme}://user:{secret}@{host}{after}");
        if let Err(error) = Target::parse_list(&text) {
            let shown = format!("{error} {}", error.help());
            prop_assert!(!shown.contains("QQQQ"), "{text}: {shown}");
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
