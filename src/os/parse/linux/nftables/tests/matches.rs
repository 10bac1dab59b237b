//! Comparisons, matches of iptables, and calls of chains.

use super::*;

/// Moves chains and rules to tables of another family.
pub(super) fn moved(mut chains: Chains, family: u8) -> Chains {
    chains.bases.iter_mut().for_each(|base| base.family = family);
    for ((_, table, chain), mut rules) in std::mem::take(&mut chains.rules) {
        rules.iter_mut().for_each(|rule| rule.family = family);
        chains.rules.insert((family, table, chain), rules);
    }
    chains
}

/// Returns whether connections to port 80 are passed on by a rule with these conditions: `Some(true)` for certain,
/// `Some(false)` perhaps. The rule is in a table of this family, at output.
fn in_family(family: u8, conditions: Vec<Expression>) -> Option<bool> {
    let chains = moved(chains(vec![("out", vec![conditions, redirect(3000)])]), family);
    let (addresses, mut found) = (addresses(), ForwardingRules::default());
    let connection = Connection { protocol: Protocol::Tcp, port: 80, addresses: &addresses };
    evaluate(&chains, connection, &|_, _, _| None, &mut found);
    assert!(found.unread.is_empty());
    found.rules.first().map(|rule| !rule.is_conditional)
}

fn applies(conditions: Vec<Expression>) -> Option<bool> {
    in_family(2, conditions)
}

#[test]
fn every_operator() {
    for (operator, of_79, of_80, of_81) in [
        (Operator::Equal, false, true, false),
        (Operator::NotEqual, true, false, true),
        (Operator::Less, false, false, true),
        (Operator::LessOrEqual, false, true, true),
        (Operator::Greater, true, false, false),
        (Operator::GreaterOrEqual, true, true, false),
    ] {
        for (value, expected) in [(79_u16, of_79), (80, of_80), (81, of_81)] {
            let found = applies(vec![load(Field::Port), compare(operator, &value.to_be_bytes())]);
            assert_eq!(found, expected.then_some(true), "80 {operator:?} {value}");
        }
    }
}

#[test]
fn ranges_of_ports() {
    let range = |inverted, from: u16, to: u16| {
        let (from, to) = (from.to_be_bytes().to_vec(), to.to_be_bytes().to_vec());
        applies(vec![load(Field::Port), Expression::Range { register: FIRST, inverted, from, to }])
    };
    for (from, to, is_inside) in [(80, 80, true), (70, 90, true), (81, 90, false), (70, 79, false)] {
        assert_eq!(range(false, from, to), is_inside.then_some(true), "{from}-{to}");
        assert_eq!(range(true, from, to), (!is_inside).then_some(true), "not {from}-{to}");
    }
    let of = |field| {
        vec![load(field), Expression::Range { register: FIRST, inverted: false, from: vec![0], to: vec![9] }]
    };
    assert_eq!(applies(of(Field::Other)), Some(false));
    // `ip daddr 192.0.2.1-192.0.2.9`
    let addresses = chains(vec![("in", vec![of(Field::Network { offset: 16, length: 4 }), redirect(1)])]);
    assert_eq!(followed(&addresses, 80), ["Unevaluated(1)"]);
}

#[test]
fn fields_of_the_packet() {
    let network = |offset, length| Field::Network { offset, length };
    let tcp = |field| equals(field, &[6]);
    assert_eq!(applies(tcp(Field::Protocol)), Some(true));
    // The protocol in the headers of IPv4 and IPv6 (RFC 791, RFC 8200), at 9 and at 6.
    assert_eq!(applies(tcp(network(9, 1))), Some(true));
    assert_eq!(applies(equals(network(9, 1), &[17])), None);
    assert_eq!(in_family(10, tcp(network(6, 1))), Some(true));
    assert_eq!(in_family(10, equals(network(6, 1), &[17])), None);
    assert_eq!(applies(tcp(network(6, 1))), Some(false), "a field that is not understood");
    assert_eq!(in_family(1, tcp(network(9, 1))), Some(false), "whose header it is, is unknown");
    // Destination addresses, at 16 and at 24.
    assert_eq!(applies(equals(network(16, 3), &[192, 0, 2])), Some(true));
    assert_eq!(applies(equals(network(16, 3), &[192, 0, 3])), None);
    assert_eq!(applies(equals(network(12, 4), &[192, 0, 2, 1])), Some(false), "a source");
    let loopback = [&[0; 15][..], &[1]].concat();
    assert_eq!(in_family(10, equals(network(24, 16), &loopback)), Some(true));
    assert_eq!(in_family(10, equals(network(24, 8), &[0; 8])), Some(true));
    assert_eq!(in_family(10, equals(network(24, 16), &[1; 16])), None);
    assert_eq!(in_family(10, equals(network(16, 4), &[192, 0, 2, 1])), Some(false), "part of a source");
    assert_eq!(applies(equals(network(24, 16), &loopback)), Some(false));
    assert_eq!(in_family(1, equals(network(24, 16), &loopback)), Some(true));
    assert_eq!(in_family(1, equals(network(16, 4), &[127, 0, 0, 1])), Some(true));
    // NFPROTO_IPV4 and NFPROTO_IPV6.
    assert_eq!(in_family(1, equals(Field::Family, &[2])), Some(true));
    assert_eq!(in_family(1, equals(Field::Family, &[10])), Some(true));
    assert_eq!(applies(equals(Field::Family, &[10])), None);
    assert_eq!(in_family(10, equals(Field::Family, &[2])), None);
    // RTN_LOCAL and RTN_UNICAST of linux/rtnetlink.h.
    assert_eq!(applies(equals(Field::AddressKind, &2_u32.to_ne_bytes())), Some(true));
    assert_eq!(applies(equals(Field::AddressKind, &1_u32.to_ne_bytes())), None);
}

#[test]
fn masks() {
    let mask = |field, xor: u8| {
        let mask =
            Expression::Mask { from: FIRST, to: FIRST, mask: vec![255, 255, 0, 0], xor: vec![0, 0, 0, xor] };
        applies(vec![load(field), mask, compare(Operator::Equal, &[192, 0, 0, 0])])
    };
    let destination = || Field::Network { offset: 16, length: 4 };
    assert_eq!(mask(destination(), 0), Some(true));
    assert_eq!(mask(destination(), 1), Some(false), "other bits are set then");
    assert_eq!(mask(Field::Other, 0), Some(false), "a mark");
    assert_eq!(mask(Field::Port, 0), Some(false));
}

#[test]
fn other_expressions_are_conditions_unless_they_change_nothing() {
    let target =
        |name: &str| applies(vec![Expression::Target { name: name.into(), revision: 0, info: Vec::new() }]);
    assert_eq!(
        (applies(vec![Expression::Neutral]), applies(vec![Expression::Other])),
        (Some(true), Some(false))
    );
    assert_eq!((target("LOG"), target("MARK"), target("SYNPROXY")), (Some(true), Some(true), Some(false)));
    let matched = |name: &str| applies(vec![Expression::Match { name: name.into(), info: vec![0; 64] }]);
    assert_eq!((matched("comment"), matched("mark")), (Some(true), Some(false)));
}

fn match_of(name: &str, info: Vec<u8>) -> Option<bool> {
    applies(vec![Expression::Match { name: name.into(), info }])
}

/// struct xt_tcp and struct xt_udp of linux/netfilter/xt_tcpudp.h.
#[test]
fn ports_of_iptables() {
    let shorts = |ports: &[u16]| ports.iter().flat_map(|port| port.to_ne_bytes()).collect::<Vec<u8>>();
    let tcp = |ports: [u16; 4], rest: [u8; 4]| match_of("tcp", [&shorts(&ports)[..], &rest].concat());
    let any = u16::MAX;
    assert_eq!(tcp([0, any, 80, 80], [0; 4]), Some(true));
    assert_eq!(tcp([0, any, 81, 90], [0; 4]), None);
    assert_eq!(tcp([0, any, 81, 90], [0, 0, 0, 2]), Some(true), "! --dport");
    assert_eq!(tcp([0, any, 80, 80], [0, 0, 0, 2]), None);
    assert_eq!(tcp([1024, any, 80, 80], [0; 4]), Some(false), "--sport");
    assert_eq!(tcp([0, any, 80, 80], [0, 0, 0, 1]), Some(false), "! --sport");
    assert_eq!(tcp([0, any, 80, 80], [0, 2, 2, 0]), Some(false), "--syn");
    assert_eq!(tcp([0, any, 80, 80], [8, 0, 0, 0]), Some(false), "--tcp-option");
    assert_eq!(match_of("udp", [shorts(&[0, any, 80, 80]), vec![0; 2]].concat()), None, "another protocol");
    let of_udp = |flags: u8| {
        let info = [shorts(&[0, any, 53, 53]), vec![flags, 0]].concat();
        let rules =
            chains(vec![("in", vec![vec![Expression::Match { name: b"udp".to_vec(), info }], redirect(1)])]);
        let (addresses, mut found) = (addresses(), ForwardingRules::default());
        let connection = Connection { protocol: Protocol::Udp, port: 53, addresses: &addresses };
        evaluate(&rules, connection, &|_, _, _| None, &mut found);
        found.rules.first().map(|rule| !rule.is_conditional)
    };
    assert_eq!((of_udp(0), of_udp(1), of_udp(2)), (Some(true), Some(false), None));
}

/// struct xt_multiport_v1 of linux/netfilter/xt_multiport.h: flags (0 for sources), count, ports, marks of ranges, invert.
#[test]
fn lists_of_ports_of_iptables() {
    let multiport = |kind: u8, ports: &[u16], ranges: &[u8], inverted: u8| {
        let mut info = vec![kind, u8::try_from(ports.len()).unwrap()];
        info.extend(ports.iter().flat_map(|port| port.to_ne_bytes()));
        info.resize(32, 0);
        info.extend(ranges);
        info.resize(47, 0);
        info.push(inverted);
        match_of("multiport", info)
    };
    assert_eq!(multiport(1, &[22, 80], &[], 0), Some(true));
    assert_eq!(multiport(1, &[22, 81], &[], 0), None);
    assert_eq!(multiport(1, &[22, 81], &[], 1), Some(true));
    assert_eq!(multiport(1, &[22, 80], &[], 1), None);
    assert_eq!(multiport(2, &[80], &[], 0), Some(true), "sources or destinations");
    assert_eq!(multiport(0, &[80], &[], 0), Some(false), "sources");
    assert_eq!(multiport(1, &[22, 70, 90], &[0, 1, 0], 0), Some(true), "22,70:90");
    assert_eq!(multiport(1, &[70, 90, 443], &[1, 0, 0], 0), Some(true), "70:90,443");
    assert_eq!(multiport(1, &[70, 79, 80], &[1, 0, 0], 0), Some(true), "70:79,80");
    assert_eq!(multiport(1, &[81, 90, 22], &[1, 0, 0], 0), None);
    let mut info = vec![1, 1];
    info.extend([22_u16, 80].iter().flat_map(|port| port.to_ne_bytes()));
    info.resize(48, 0);
    assert_eq!(match_of("multiport", info), None, "there is one port in the list");
}

/// struct xt_addrtype_info_v1 of linux/netfilter/xt_addrtype.h: source, destination, flags.
#[test]
fn kinds_of_addresses_of_iptables() {
    let addrtype = |source: u16, destination: u16, flags: u32| {
        match_of(
            "addrtype",
            [&source.to_ne_bytes()[..], &destination.to_ne_bytes(), &flags.to_ne_bytes()].concat(),
        )
    };
    const LOCAL: u16 = 4;
    assert_eq!(addrtype(0, LOCAL, 0), Some(true));
    assert_eq!(addrtype(0, LOCAL, 2), None, "! --dst-type LOCAL");
    assert_eq!(addrtype(0, LOCAL, 4), Some(false), "--limit-iface-in");
    assert_eq!(addrtype(LOCAL, LOCAL, 0), Some(false));
    assert_eq!(addrtype(0, 2, 0), Some(false));
}

/// struct nf_nat_range2, and struct nf_nat_ipv4_multi_range_compat of revision 0 (linux/netfilter/nf_nat.h).
#[test]
fn destinations_of_iptables() {
    let followed_to = |name: &str, revision: u32, info: Vec<u8>| {
        let target = vec![Expression::Target { name: name.into(), revision, info }];
        followed(&chains(vec![("in", vec![target])]), 80)
    };
    let newer = |flags: u32, port: u16| {
        let mut info = flags.to_ne_bytes().to_vec();
        info.extend([10, 0, 0, 1]);
        info.resize(36, 0);
        info.extend(port.to_be_bytes());
        info.resize(40, 0);
        info
    };
    let older = |flags: u32, port: u16| {
        let mut info = 1_u32.to_ne_bytes().to_vec();
        info.extend(flags.to_ne_bytes());
        info.extend([10, 0, 0, 1, 10, 0, 0, 1]);
        info.extend(port.to_be_bytes());
        info.extend(port.to_be_bytes());
        info
    };
    let all = |to: &str| [format!("192.0.2.1,192.0.2.2 -> {to}")];
    for (revision, info) in [(2, newer(3, 8080)), (0, older(3, 8080))] {
        assert_eq!(followed_to("DNAT", revision, info.clone()), all("10.0.0.1:8080"));
        assert_eq!(followed_to("TPROXY", revision, info), all(""), "its structure is not read");
    }
    assert_eq!(followed_to("DNAT", 2, newer(1, 8080)), all("10.0.0.1"));
    assert_eq!(followed_to("DNAT", 0, older(1, 8080)), all("10.0.0.1"));
    assert_eq!(followed_to("REDIRECT", 0, older(2, 3000)), all(":3000"));
    assert!(followed_to("REDIRECT", 0, older(2, 80)).is_empty(), "the same port of this machine");
    assert_eq!(followed_to("NETMAP", 0, older(1, 0)), all(""));
    assert_eq!(followed_to("DNAT", 2, newer(2, 8080)), all(":8080"), "without an address");
    assert_eq!(followed_to("REDIRECT", 0, older(2, 80)[..16].to_vec()), all(""), "the port is cut off");
}

#[test]
fn calls_of_chains() {
    let jump = |to: &str| verdict(Verdict::Jump(to.into()));
    let goto = |to: &str| verdict(Verdict::Goto(to.into()));
    let conditional = || equals(Field::Other, b"eth0");
    let both = |to: &str| vec![format!("192.0.2.1,192.0.2.2 -> {to}")];
    let none: Vec<String> = Vec::new();
    let next = || ("in", vec![redirect(9)]);
    let accepts = || ("x", vec![verdict(Verdict::Accept)]);
    // A chain that is left by `goto` is not returned to.
    assert_eq!(followed(&chains(vec![("in", vec![goto("x")]), next(), ("x", vec![])]), 80), none);
    assert_eq!(followed(&chains(vec![("in", vec![jump("x")]), next(), ("x", vec![])]), 80), both(":9"));
    assert_eq!(followed(&chains(vec![("in", vec![jump("x")]), next(), accepts()]), 80), none);
    let continues = ("x", vec![verdict(Verdict::Continue)]);
    assert_eq!(followed(&chains(vec![("in", vec![jump("x")]), next(), continues]), 80), both(":9"));
    // What may have been decided before is conditional afterwards.
    for call in [jump("x"), goto("x")] {
        let rules = chains(vec![("in", vec![conditional(), call]), next(), accepts()]);
        assert_eq!(followed(&rules, 80), both(":9?"));
    }
    let perhaps = || ("x", vec![conditional(), verdict(Verdict::Drop)]);
    let rules = chains(vec![("in", vec![jump("x")]), next(), perhaps()]);
    assert_eq!(followed(&rules, 80), both(":9?"));
    let rules = chains(vec![("in", vec![conditional(), jump("x")]), next(), perhaps()]);
    assert_eq!(followed(&rules, 80), both(":9?"));
    // A condition before a call holds for the rules of the called chain.
    let rules = chains(vec![("in", vec![conditional(), jump("x")]), ("x", vec![redirect(9)])]);
    assert_eq!(followed(&rules, 80), both(":9?"));
    // Of two addresses, the called chain decides for one.
    let one = equals(Field::Network { offset: 16, length: 4 }, &[192, 0, 2, 1]);
    let rules = chains(vec![("in", vec![jump("x")]), next(), ("x", vec![one, verdict(Verdict::Accept)])]);
    assert_eq!(followed(&rules, 80), ["192.0.2.2 -> :9"]);
}

/// The kernel allows 16 calls within one another (NFT_JUMP_STACK_SIZE).
#[test]
fn nested_calls_end() {
    let nested = |calls: usize, verdict: fn(Vec<u8>) -> Verdict| {
        let names: Vec<String> = (1..=calls).map(|call| format!("c{call}")).collect();
        let from = std::iter::once("in").chain(names.iter().map(String::as_str));
        let mut rules: Vec<(&str, Vec<Vec<Expression>>)> = from
            .zip(&names)
            .map(|(from, to)| (from, vec![vec![Expression::Verdict(verdict(to.as_bytes().to_vec()))]]))
            .collect();
        rules.push((names.last().unwrap(), vec![redirect(9)]));
        followed(&chains(rules), 80)
    };
    for verdict in [Verdict::Jump, Verdict::Goto] {
        assert_eq!(nested(16, verdict), ["192.0.2.1,192.0.2.2 -> :9"]);
        assert!(nested(17, verdict).is_empty());
        let circle = verdict(b"x".to_vec());
        let circle = chains(vec![
            ("in", vec![vec![Expression::Verdict(circle.clone())]]),
            ("x", vec![vec![Expression::Verdict(circle)]]),
        ]);
        assert!(followed(&circle, 80).is_empty());
    }
}

/// Chains that call one another many times are followed for a limited number of rules.
#[test]
fn repeated_calls_end() {
    let jump = || vec![Expression::Verdict(Verdict::Jump(b"x".to_vec()))];
    let set = Expression::Lookup { register: FIRST, inverted: false, set: b"s".to_vec(), to: None };
    let unread = vec![load(Field::Port), set];
    for first in [vec![jump()], vec![unread, jump()]] {
        let again = || ("x", vec![jump()]);
        let rules = chains(vec![("in", first), again(), again(), again(), again()]);
        assert_eq!(followed(&rules, 80), ["Unevaluated(1)"]);
    }
}

#[test]
fn rules_that_are_counted_because_they_lead_on() {
    let unread = || {
        let lookup = Expression::Lookup { register: FIRST, inverted: false, set: b"s".to_vec(), to: None };
        vec![load(Field::Port), lookup]
    };
    let jump = |to: &str| verdict(Verdict::Jump(to.into()));
    let called = |rule: Vec<Expression>, last: Vec<Expression>| {
        followed(&chains(vec![("in", vec![unread(), rule]), ("x", vec![jump("y")]), ("y", vec![last])]), 80)
    };
    let counted = vec!["Unevaluated(1)".to_owned()];
    let target = |name: &str| vec![Expression::Target { name: name.into(), revision: 0, info: Vec::new() }];
    assert_eq!(called(jump("x"), redirect(1)), counted);
    assert_eq!(called(verdict(Verdict::Goto(b"x".to_vec())), redirect(1)), counted);
    assert_eq!(called(jump("x"), target("DNAT")), counted);
    assert!(called(jump("x"), target("LOG")).is_empty());
    assert!(called(jump("x"), verdict(Verdict::Accept)).is_empty());
}

/// Rules of one address and port of this machine to another address of it.
#[test]
fn a_destination_on_this_machine() {
    let to = |address: [u8; 4], port: u16| {
        let destination = vec![
            Expression::Immediate { register: FIRST, value: address.to_vec() },
            Expression::Immediate { register: SECOND, value: port.to_be_bytes().to_vec() },
            Expression::Destination { address: Some(FIRST), port: Some(SECOND) },
        ];
        followed(&chains(vec![("in", vec![destination])]), 80)
    };
    assert!(to([192, 0, 2, 2], 80).is_empty());
    assert_eq!(to([192, 0, 2, 2], 81), ["192.0.2.1,192.0.2.2 -> 192.0.2.2:81"]);
    assert_eq!(to([10, 0, 0, 1], 80), ["192.0.2.1,192.0.2.2 -> 10.0.0.1:80"]);
    let ipv6 = vec![
        Expression::Immediate { register: FIRST, value: [&[0xfd][..], &[0; 14], &[1]].concat() },
        Expression::Destination { address: Some(FIRST), port: None },
    ];
    let rules = moved(chains(vec![("out", vec![ipv6])]), 10);
    assert_eq!(followed(&rules, 80), ["::1 -> fd00::1"]);
    let unknown = vec![Expression::Destination { address: Some(FIRST), port: None }];
    assert_eq!(followed(&chains(vec![("in", vec![unknown])]), 80), ["192.0.2.1,192.0.2.2 -> "]);
}

#[test]
fn chains_of_each_family_and_hook() {
    let to = |chain: &str, family| followed(&moved(chains(vec![(chain, vec![redirect(9)])]), family), 80);
    assert_eq!(to("in", 2), ["192.0.2.1,192.0.2.2 -> :9"], "nothing from outside goes to a loopback address");
    assert!(to("in", 10).is_empty());
    assert_eq!(to("in", 1), ["192.0.2.1,192.0.2.2 -> :9"]);
    assert_eq!(to("out", 2), ["192.0.2.1,192.0.2.2,127.0.0.1 -> :9"]);
    assert_eq!(to("out", 10), ["::1 -> :9"]);
    assert_eq!(to("out", 1), ["192.0.2.1,192.0.2.2,127.0.0.1,::1 -> :9"]);
}
