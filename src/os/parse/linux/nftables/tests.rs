//! Rules as the kernel reports them, followed for connections to local ports.

mod matches;
mod messages;
mod sets;

use std::net::IpAddr;

use proptest::prelude::*;

use super::evaluate::{Chains, Connection, evaluate};
use super::expressions::{
    BaseChain, Element, Expression, Field, Operator, Rule, Verdict, base_chain, element, elements, rule,
};
use crate::model::{ForwardingRules, Protocol};

/// Registers of 16 bytes.
const FIRST: u32 = 4;
const SECOND: u32 = 8;

fn load(field: Field) -> Expression {
    Expression::Load { register: FIRST, field }
}

fn compare(operator: Operator, value: &[u8]) -> Expression {
    Expression::Compare { register: FIRST, operator, value: value.to_vec() }
}

fn equals(field: Field, value: &[u8]) -> Vec<Expression> {
    vec![load(field), compare(Operator::Equal, value)]
}

fn port(port: u16) -> Vec<Expression> {
    equals(Field::Port, &port.to_be_bytes())
}

fn redirect(port: u16) -> Vec<Expression> {
    vec![
        Expression::Immediate { register: SECOND, value: port.to_be_bytes().to_vec() },
        Expression::Destination { address: None, port: Some(SECOND) },
    ]
}

fn verdict(verdict: Verdict) -> Vec<Expression> {
    vec![Expression::Verdict(verdict)]
}

/// Returns an IPv4 table with a chain `in` at prerouting and these rules, each in a chain.
fn chains(rules: Vec<(&str, Vec<Vec<Expression>>)>) -> Chains {
    let table = b"t".to_vec();
    let base = |name: &[u8], is_output| BaseChain {
        family: 2,
        table: table.clone(),
        name: name.to_vec(),
        is_output,
    };
    let mut chains = Chains { bases: vec![base(b"in", false), base(b"out", true)], ..Chains::default() };
    for (chain, parts) in rules {
        let rule = Rule {
            family: 2,
            table: table.clone(),
            chain: chain.into(),
            expressions: parts.into_iter().flatten().collect(),
        };
        chains.rules.entry((2, table.clone(), chain.into())).or_default().push(rule);
    }
    chains
}

fn addresses() -> Vec<IpAddr> {
    ["192.0.2.1", "192.0.2.2", "127.0.0.1", "::1"]
        .into_iter()
        .map(|address| address.parse().unwrap())
        .collect()
}

/// Returns the rules as `192.0.2.1,192.0.2.2 -> :3000`, with `?` if conditional, and `unevaluated` if a rule is.
fn followed(chains: &Chains, port: u16) -> Vec<String> {
    let (addresses, mut found) = (addresses(), ForwardingRules::default());
    let connection = Connection { protocol: Protocol::Tcp, port, addresses: &addresses };
    let no_sets = |_: u8, _: &[u8], _: &[u8]| None;
    evaluate(chains, connection, &no_sets, &mut found);
    let rules = found.rules.iter().map(|rule| {
        let addresses: Vec<String> = rule.addresses.iter().map(ToString::to_string).collect();
        let to = rule.to.map_or_else(String::new, |to| to.to_string());
        let port = rule.port.map_or_else(String::new, |port| format!(":{port}"));
        let mark = if rule.is_conditional { "?" } else { "" };
        format!("{} -> {to}{port}{mark}", addresses.join(","))
    });
    let unread = found.unread.iter().map(|unread| format!("{unread:?}"));
    rules.chain(unread).collect()
}

#[test]
fn a_port_decides() {
    let one = chains(vec![("in", vec![port(80), redirect(3000)])]);
    assert_eq!(followed(&one, 80), ["192.0.2.1,192.0.2.2 -> :3000"]);
    assert!(followed(&one, 81).is_empty());
    let same = chains(vec![("in", vec![port(80), redirect(80)])]);
    assert!(followed(&same, 80).is_empty(), "it stays where it is");
    let udp = chains(vec![("in", vec![equals(Field::Protocol, &[17]), port(80), redirect(3000)])]);
    assert!(followed(&udp, 80).is_empty());
    let between = vec![
        load(Field::Port),
        compare(Operator::GreaterOrEqual, &1000_u16.to_be_bytes()),
        compare(Operator::LessOrEqual, &2000_u16.to_be_bytes()),
    ];
    let range = chains(vec![("in", vec![between, redirect(3000)])]);
    for (asked, count) in [(999, 0), (1000, 1), (2000, 1), (2001, 0)] {
        assert_eq!(followed(&range, asked).len(), count, "{asked}");
    }
}

#[test]
fn an_address_decides() {
    let to = |octets: &[u8]| {
        equals(Field::Network { offset: 16, length: u32::try_from(octets.len()).unwrap() }, octets)
    };
    let one = chains(vec![("in", vec![to(&[192, 0, 2, 2]), port(80), redirect(3000)])]);
    assert_eq!(followed(&one, 80), ["192.0.2.2 -> :3000"]);
    let foreign = chains(vec![("in", vec![to(&[10, 0, 0, 1]), port(80), redirect(3000)])]);
    assert!(followed(&foreign, 80).is_empty());
    let not_loopback = vec![
        load(Field::Network { offset: 16, length: 4 }),
        Expression::Mask { from: FIRST, to: FIRST, mask: vec![255, 0, 0, 0], xor: vec![0; 4] },
        compare(Operator::NotEqual, &[127, 0, 0, 0]),
    ];
    let out = chains(vec![("out", vec![not_loopback, redirect(3000)])]);
    assert_eq!(followed(&out, 80), ["192.0.2.1,192.0.2.2 -> :3000"]);
    let whole = chains(vec![("out", vec![redirect(3000)])]);
    assert_eq!(followed(&whole, 80), ["192.0.2.1,192.0.2.2,127.0.0.1 -> :3000"]);
}

#[test]
fn other_conditions_are_reported() {
    let interface = || equals(Field::Other, b"eth0");
    let one = chains(vec![("in", vec![interface(), port(80), redirect(3000)])]);
    assert_eq!(followed(&one, 80), ["192.0.2.1,192.0.2.2 -> :3000?"]);
    // Docker's: what comes from its own bridge returns.
    let after = chains(vec![
        ("in", vec![interface(), verdict(Verdict::Return)]),
        ("in", vec![port(80), redirect(3000)]),
    ]);
    assert_eq!(followed(&after, 80), ["192.0.2.1,192.0.2.2 -> :3000?"]);
    let local = chains(vec![(
        "in",
        vec![equals(Field::AddressKind, &2_u32.to_ne_bytes()), port(80), redirect(3000)],
    )]);
    assert_eq!(followed(&local, 80), ["192.0.2.1,192.0.2.2 -> :3000"], "all of them are local addresses");
}

#[test]
fn chains_are_followed() {
    let jump = |to: &str| verdict(Verdict::Jump(to.into()));
    let one = chains(vec![
        ("in", vec![port(80), jump("x")]),
        ("in", vec![port(81), jump("y")]),
        ("in", vec![port(82), verdict(Verdict::Accept)]),
        ("in", vec![redirect(9)]),
        ("x", vec![redirect(3000)]),
        ("y", vec![verdict(Verdict::Return)]),
        ("y", vec![redirect(3001)]),
    ]);
    assert_eq!(followed(&one, 80), ["192.0.2.1,192.0.2.2 -> :3000"], "and no rule after it");
    assert!(followed(&one, 82).is_empty());
    let circle = chains(vec![("in", vec![jump("x")]), ("x", vec![jump("x")]), ("x", vec![jump("x")])]);
    let _it_ends = followed(&circle, 80);
}

#[test]
fn what_is_not_understood_is_counted() {
    let lookup = || {
        vec![
            load(Field::Port),
            Expression::Lookup { register: FIRST, inverted: false, set: b"s".to_vec(), to: None },
        ]
    };
    let one = chains(vec![("in", vec![lookup(), redirect(3000)])]);
    assert_eq!(followed(&one, 80), ["Unevaluated(1)"], "a set that cannot be read");
    let harmless = chains(vec![("in", vec![lookup(), verdict(Verdict::Accept)])]);
    assert!(followed(&harmless, 80).is_empty(), "it passes nothing on");
    let called = chains(vec![
        ("in", vec![lookup(), verdict(Verdict::Jump(b"x".to_vec()))]),
        ("x", vec![redirect(3000)]),
    ]);
    assert_eq!(followed(&called, 80), ["Unevaluated(1)"]);
    let cut = Chains { is_cut: true, ..chains(vec![]) };
    assert_eq!(followed(&cut, 80), ["Unevaluated(1)"]);
}

/// Returns an attribute.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(value.len() + 4).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[test]
fn messages_are_read() {
    let hook = [attribute(1, &3_u32.to_be_bytes()), attribute(2, &[0; 4])].concat();
    let chain =
        [attribute(1, b"t\0"), attribute(3, b"c\0"), attribute(4, &hook), attribute(7, b"nat\0")].concat();
    let message = [&[2, 0, 0, 0][..], &chain].concat();
    let base = BaseChain { family: 2, table: b"t".to_vec(), name: b"c".to_vec(), is_output: true };
    assert_eq!(base_chain(&message), Some(base));
    assert_eq!(base_chain(&[&[7, 0, 0, 0][..], &chain].concat()), None, "of a bridge");

    let jump = [attribute(1, &(-3_i32).to_be_bytes()), attribute(2, b"x\0")].concat();
    let data = [attribute(1, &[0; 4]), attribute(2, &attribute(2, &jump))].concat();
    let expression = [attribute(1, b"immediate\0"), attribute(2, &data)].concat();
    let unknown = attribute(1, b"something\0");
    let list = [attribute(1, &expression), attribute(1, &unknown)].concat();
    let body = [attribute(1, b"t\0"), attribute(2, b"c\0"), attribute(4, &list)].concat();
    let read = rule(&[&[2, 0, 0, 0][..], &body].concat()).unwrap();
    assert_eq!(read.expressions, [Expression::Verdict(Verdict::Jump(b"x".to_vec())), Expression::Other]);

    let end = [attribute(1, &attribute(1, &[0, 80])), attribute(3, &1_u32.to_be_bytes())].concat();
    let read = element(&end).unwrap();
    assert_eq!((read.key, read.is_end), (vec![0, 80], true));
    let range = [&end[..], &attribute(10, &attribute(1, &[0, 81]))].concat();
    assert_eq!(element(&range), None);
    let list = attribute(3, &[attribute(1, &end), attribute(1, &range)].concat());
    let mut listed = Vec::new();
    elements(&[&[2, 0, 0, 0][..], &attribute(1, b"t\0"), &list].concat(), |one| listed.push(one.is_some()));
    assert_eq!(listed, [true, false]);
}

proptest! {
    #[test]
    fn any_message(bytes: Vec<u8>) {
        let _ = (base_chain(&bytes), rule(&bytes), element(&bytes));
        elements(&bytes, |_| {});
    }

    /// Expressions in any order and with any operands come to an end.
    #[test]
    fn any_rules(parts in prop::collection::vec((0_usize..12, any::<u8>(), any::<[u8; 4]>()), 0..24), asked: u16) {
        let expression = |(kind, register, value): &(usize, u8, [u8; 4])| {
            let register = u32::from(register % 5);
            match kind {
                0 => load(Field::Port),
                1 => load(Field::Network { offset: 16, length: register }),
                2 => compare(Operator::Less, value),
                3 => Expression::Range { register, inverted: value[0] > 9, from: vec![value[1]], to: value.to_vec() },
                4 => Expression::Lookup { register: FIRST, inverted: false, set: vec![], to: Some(register) },
                5 => Expression::Destination { address: Some(register), port: Some(SECOND) },
                6 => Expression::Match { name: b"multiport".to_vec(), info: value.to_vec() },
                7 => Expression::Match { name: b"tcp".to_vec(), info: [&value[..], &value[..], &value[..]].concat() },
                8 => Expression::Target { name: b"DNAT".to_vec(), revision: register, info: value.to_vec() },
                9 => Expression::Mask { from: FIRST, to: FIRST, mask: value.to_vec(), xor: vec![] },
                10 => Expression::Verdict(Verdict::Jump(b"x".to_vec())),
                _ => Expression::Verdict(Verdict::Goto(b"x".to_vec())),
            }
        };
        let rules = parts.chunks(4).enumerate().map(|(at, some)| {
            (if at % 2 == 0 { "in" } else { "x" }, vec![some.iter().map(expression).collect::<Vec<_>>()])
        });
        let _ = followed(&chains(rules.collect()), asked);
    }

    /// A set of one port or of any range holds exactly that.
    #[test]
    fn sets_of_ports(first: u16, length in 1_u16..100, asked: u16) {
        let last = first.saturating_add(length);
        let end = |port: u16, is_end| Element { key: port.to_be_bytes().to_vec(), is_end, value: None, verdict: None };
        let set = |_: u8, _: &[u8], _: &[u8]| Some(vec![end(0, true), end(first, false), end(last, true)]);
        let rules = chains(vec![("in", vec![
            vec![load(Field::Port), Expression::Lookup { register: FIRST, inverted: false, set: vec![], to: None }],
            redirect(1),
        ])]);
        let (addresses, mut found) = (addresses(), ForwardingRules::default());
        prop_assume!(asked != 1 && last != first && first != 0);
        let connection = Connection { protocol: Protocol::Tcp, port: asked, addresses: &addresses };
        evaluate(&rules, connection, &set, &mut found);
        prop_assert_eq!(!found.rules.is_empty(), (first..last).contains(&asked));
    }
}
