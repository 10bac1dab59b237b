//! Sets and maps that a rule looks up.

use super::matches::moved;
use super::*;

fn looked_up(set: &[Element], lookup: Vec<Expression>) -> Vec<String> {
    let rules = chains(vec![("out", vec![lookup, redirect(3000)]), ("x", vec![redirect(4000)])]);
    let (addresses, mut found) = (addresses(), ForwardingRules::default());
    let connection = Connection { protocol: Protocol::Tcp, port: 80, addresses: &addresses };
    evaluate(&rules, connection, &|_, _, _| Some(set.to_vec()), &mut found);
    let rules = found.rules.iter().map(|rule| {
        let addresses: Vec<String> = rule.addresses.iter().map(ToString::to_string).collect();
        format!("{}{}", addresses.join(","), if rule.is_conditional { "?" } else { "" })
    });
    rules.chain(found.unread.iter().map(|unread| format!("{unread:?}"))).collect()
}

fn key(bytes: &[u8]) -> Element {
    Element { key: bytes.to_vec(), is_end: false, value: None, verdict: None }
}

fn lookup(inverted: bool) -> Expression {
    Expression::Lookup { register: FIRST, inverted, set: b"s".to_vec(), to: None }
}

#[test]
fn sets_of_addresses_and_concatenations() {
    let destination = || load(Field::Network { offset: 16, length: 4 });
    let of_address = |inverted, set: &[Element]| looked_up(set, vec![destination(), lookup(inverted)]);
    let one = [key(&[192, 0, 2, 2]), key(&[10, 0, 0, 1])];
    assert_eq!(of_address(false, &one), ["192.0.2.2"]);
    assert_eq!(of_address(true, &one), ["192.0.2.1,127.0.0.1"]);
    assert!(of_address(false, &[]).is_empty(), "nothing is in an empty set");
    assert_eq!(of_address(true, &[]), ["192.0.2.1,192.0.2.2,127.0.0.1"]);
    assert!(of_address(false, &[key(&[10, 0, 0, 1])]).is_empty());
    // An address and a port, in registers of 4 bytes side by side.
    let both = |field| {
        let second = Expression::Load { register: FIRST + 1, field };
        vec![destination(), second, lookup(false)]
    };
    let pair = |port: u8| key(&[192, 0, 2, 1, 0, port, 0, 0]);
    assert_eq!(looked_up(&[pair(80)], both(Field::Port)), ["192.0.2.1"]);
    assert!(looked_up(&[pair(81)], both(Field::Port)).is_empty());
    let protocol = key(&[192, 0, 2, 1, 6, 0, 0, 0]);
    assert_eq!(looked_up(std::slice::from_ref(&protocol), both(Field::Protocol)), ["192.0.2.1"]);
    assert_eq!(looked_up(&[protocol], both(Field::Other)), ["192.0.2.1?"], "a part is unknown");
    // A part alone that is not understood.
    assert_eq!(
        looked_up(&[key(b"eth0")], vec![load(Field::Other), lookup(false)]),
        ["192.0.2.1,192.0.2.2,127.0.0.1?"]
    );
    assert_eq!(looked_up(&[key(&[1])], vec![load(Field::AddressKind), lookup(false)]), ["Unevaluated(1)"]);
    // A mark after a mask.
    let mask = Expression::Mask { from: FIRST, to: FIRST, mask: vec![255], xor: vec![0] };
    assert_eq!(
        looked_up(&[key(&[1])], vec![load(Field::Other), mask, lookup(false)]),
        ["192.0.2.1,192.0.2.2,127.0.0.1?"]
    );
    // `iifname . tcp dport`: a name in 16 bytes, then the port.
    let port = Expression::Load { register: FIRST + 4, field: Field::Port };
    let mut named = key(b"eth0");
    named.key.resize(16, 0);
    named.key.extend([0, 80, 0, 0]);
    assert_eq!(looked_up(&[named], vec![load(Field::Other), port, lookup(false)]), ["Unevaluated(1)"]);
    // `ip daddr . iifname . tcp dport`: the name ends where the port begins.
    let three = |port: u8| {
        let mut key = key(&[192, 0, 2, 1]);
        key.key.extend(b"eth0");
        key.key.resize(20, 0);
        key.key.extend([0, port, 0, 0]);
        let field = |register, field| Expression::Load { register: FIRST + register, field };
        let loads = [destination(), field(1, Field::Other), field(5, Field::Port), lookup(false)];
        looked_up(&[key], loads.to_vec())
    };
    assert_eq!(three(80), ["192.0.2.1?"]);
    assert!(three(81).is_empty());
}

/// Destination addresses are at 16 in the header of IPv4, and at 24 in that of IPv6. In a table for one family, the same
/// place in the other header is something else.
#[test]
fn sets_of_addresses_of_each_family() {
    let in_set = |family, offset, length, address: &[u8]| {
        let conditions = vec![load(Field::Network { offset, length }), lookup(false)];
        let chains = moved(chains(vec![("out", vec![conditions, redirect(3000)])]), family);
        let (addresses, mut found) = (addresses(), ForwardingRules::default());
        let connection = Connection { protocol: Protocol::Tcp, port: 80, addresses: &addresses };
        let set = vec![key(address)];
        evaluate(&chains, connection, &|_, _, _| Some(set.clone()), &mut found);
        assert_eq!(found.rules.len() + found.unread.len(), 1, "{family} {offset}");
        found.rules.first().map(|rule| rule.addresses.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let loopback = [&[0; 15][..], &[1]].concat();
    for family in [1, 2] {
        assert_eq!(in_set(family, 16, 4, &[192, 0, 2, 2]), Some(vec!["192.0.2.2".to_owned()]));
    }
    for family in [1, 10] {
        assert_eq!(in_set(family, 24, 16, &loopback), Some(vec!["::1".to_owned()]));
    }
    assert_eq!(in_set(10, 16, 4, &[192, 0, 2, 2]), None);
    assert_eq!(in_set(2, 24, 16, &loopback), None);
}

/// `dnat to ip daddr map { 192.0.2.1 : 10.0.0.1, 192.0.2.2 : 10.0.0.2 }`
#[test]
fn maps_by_address() {
    let element = |last: u8, to: u8| Element { value: Some(vec![10, 0, 0, to]), ..key(&[192, 0, 2, last]) };
    let destination = |set: Vec<Element>| {
        let lookup =
            Expression::Lookup { register: FIRST, inverted: false, set: b"m".to_vec(), to: Some(SECOND) };
        let to = Expression::Destination { address: Some(SECOND), port: None };
        let load = load(Field::Network { offset: 16, length: 4 });
        let rules = chains(vec![("in", vec![vec![load, lookup, to]])]);
        let (addresses, mut found) = (addresses(), ForwardingRules::default());
        let connection = Connection { protocol: Protocol::Tcp, port: 80, addresses: &addresses };
        evaluate(&rules, connection, &|_, _, _| Some(set.clone()), &mut found);
        found.rules.iter().map(|rule| (rule.addresses.len(), rule.to)).collect::<Vec<_>>()
    };
    let to = |last: u8| Some(IpAddr::from([10, 0, 0, last]));
    assert_eq!(destination(vec![element(1, 1)]), [(1, to(1))]);
    assert_eq!(destination(vec![element(1, 1), element(2, 2)]), [(2, None)], "it depends on the address");
}

#[test]
fn maps_of_verdicts() {
    let map = |verdict: Option<Verdict>| Element { verdict, ..key(&80_u16.to_be_bytes()) };
    let followed = |set: &[Element]| {
        let lookup = Expression::Lookup { register: FIRST, inverted: false, set: b"s".to_vec(), to: Some(0) };
        let rules = chains(vec![("in", vec![vec![load(Field::Port), lookup]]), ("x", vec![redirect(4000)])]);
        let (addresses, mut found) = (addresses(), ForwardingRules::default());
        let connection = Connection { protocol: Protocol::Tcp, port: 80, addresses: &addresses };
        evaluate(&rules, connection, &|_, _, _| Some(set.to_vec()), &mut found);
        (found.rules.first().map(|rule| rule.port), found.unread.len())
    };
    assert_eq!(followed(&[map(Some(Verdict::Jump(b"x".to_vec())))]), (Some(Some(4000)), 0));
    assert_eq!(followed(&[map(Some(Verdict::Accept))]), (None, 0));
    assert_eq!(followed(&[map(None)]), (None, 1));
    // A map of ports: the destination is the value of the element.
    let to_port = |set: &[Element]| {
        let lookup =
            Expression::Lookup { register: FIRST, inverted: false, set: b"s".to_vec(), to: Some(SECOND) };
        let destination = Expression::Destination { address: None, port: Some(SECOND) };
        let rules = chains(vec![("in", vec![vec![load(Field::Port), lookup, destination]])]);
        let (addresses, mut found) = (addresses(), ForwardingRules::default());
        let connection = Connection { protocol: Protocol::Tcp, port: 80, addresses: &addresses };
        evaluate(&rules, connection, &|_, _, _| Some(set.to_vec()), &mut found);
        found.rules.first().map(|rule| rule.port)
    };
    let value = Element { value: Some(vec![0x1f, 0x90]), ..map(None) };
    assert_eq!((to_port(&[value]), to_port(&[map(None)])), (Some(Some(8080)), Some(None)));
}

#[test]
fn intervals_side_by_side() {
    let end = |bytes: [u8; 4]| Element { is_end: true, ..key(&bytes) };
    let set = [key(&[192, 0, 2, 0]), end([192, 0, 2, 2]), key(&[192, 0, 2, 2]), end([192, 0, 2, 3])];
    let found = looked_up(&set, vec![load(Field::Network { offset: 16, length: 4 }), lookup(false)]);
    assert_eq!(found, ["192.0.2.1,192.0.2.2"]);
    let found = looked_up(&set[..2], vec![load(Field::Network { offset: 16, length: 4 }), lookup(false)]);
    assert_eq!(found, ["192.0.2.1"], "an interval does not include its end");
}
