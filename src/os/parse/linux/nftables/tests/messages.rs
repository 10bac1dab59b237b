//! Expressions in the messages of the kernel (linux/netfilter/nf_tables.h).

use super::*;

fn number(kind: u16, number: u32) -> Vec<u8> {
    attribute(kind, &number.to_be_bytes())
}

/// NFTA_DATA_VALUE.
fn value(kind: u16, bytes: &[u8]) -> Vec<u8> {
    attribute(kind, &attribute(1, bytes))
}

/// Reads the one expression of a rule.
fn read(kind: &str, data: &[Vec<u8>]) -> Expression {
    let name = attribute(1, format!("{kind}\0").as_bytes());
    let expression = [name, attribute(2, &data.concat())].concat();
    let body =
        [attribute(1, b"t\0"), attribute(2, b"c\0"), attribute(4, &attribute(1, &expression))].concat();
    let rule = rule(&[&[2, 0, 0, 0][..], &body].concat()).unwrap();
    assert_eq!((rule.family, rule.table.as_slice(), rule.chain.as_slice()), (2, &b"t"[..], &b"c"[..]));
    rule.expressions[0].clone()
}

/// NFT_REG_1 is the first register of 16 bytes, NFT_REG32_00 (8) the first of 4 bytes in the same place.
#[test]
fn loads() {
    let loaded = |register, field| Expression::Load { register, field };
    let meta = |key| read("meta", &[number(1, 1), number(2, key)]);
    assert_eq!(meta(15), loaded(4, Field::Family));
    assert_eq!(meta(16), loaded(4, Field::Protocol));
    assert_eq!(meta(4), loaded(4, Field::Other));
    assert_eq!(read("meta", &[number(3, 1), number(2, 3)]), Expression::Neutral, "it sets a mark");
    assert_eq!(read("meta", &[number(1, 9), number(2, 16)]), loaded(5, Field::Protocol));
    assert_eq!(read("meta", &[number(1, 4), number(2, 16)]), loaded(16, Field::Protocol));
    let payload = |base, offset, length| {
        read("payload", &[number(1, 8), number(2, base), number(3, offset), number(4, length)])
    };
    assert_eq!(payload(1, 16, 4), loaded(4, Field::Network { offset: 16, length: 4 }));
    assert_eq!(payload(2, 2, 2), loaded(4, Field::Port));
    assert_eq!(payload(2, 0, 2), loaded(4, Field::Other), "the source's port");
    let fib = |result, flags| read("fib", &[number(1, 1), number(2, result), number(3, flags)]);
    assert_eq!(fib(3, 2), loaded(4, Field::AddressKind));
    assert_eq!((fib(1, 2), fib(3, 1)), (loaded(4, Field::Other), loaded(4, Field::Other)));
    for kind in ["ct", "rt", "socket", "osf", "hash", "numgen", "exthdr", "tunnel", "xfrm"] {
        assert_eq!(read(kind, &[number(1, 1)]), loaded(4, Field::Other), "{kind}");
        assert_eq!(read(kind, &[]), Expression::Other, "{kind}");
    }
}

#[test]
fn conditions() {
    let mask = read("bitwise", &[number(1, 1), number(2, 2), value(4, &[255, 0]), value(5, &[0, 0])]);
    assert_eq!(mask, Expression::Mask { from: 4, to: 8, mask: vec![255, 0], xor: vec![0, 0] });
    let compare = |operator| read("cmp", &[number(1, 1), number(2, operator), value(3, &[0, 80])]);
    for (number, operator) in (0..).zip([
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Greater,
        Operator::GreaterOrEqual,
    ]) {
        assert_eq!(compare(number), Expression::Compare { register: 4, operator, value: vec![0, 80] });
    }
    assert_eq!(compare(6), Expression::Other);
    let range =
        |inverted| read("range", &[number(1, 1), number(2, inverted), value(3, &[1]), value(4, &[9])]);
    for inverted in [false, true] {
        let (from, to) = (vec![1], vec![9]);
        assert_eq!(range(u32::from(inverted)), Expression::Range { register: 4, inverted, from, to });
    }
    let lookup =
        |more: &[Vec<u8>]| read("lookup", &[&[attribute(1, b"s\0"), number(2, 1)][..], more].concat());
    let found = |inverted, to| Expression::Lookup { register: 4, inverted, set: b"s".to_vec(), to };
    assert_eq!(lookup(&[]), found(false, None));
    assert_eq!(lookup(&[number(5, 1)]), found(true, None));
    assert_eq!(lookup(&[number(5, 2)]), found(false, None));
    assert_eq!(lookup(&[number(3, 0)]), found(false, Some(0)), "a map of verdicts");
    assert_eq!(lookup(&[number(3, 2)]), found(false, Some(8)));
    let matched = read("match", &[attribute(1, b"tcp\0"), attribute(3, &[1, 2])]);
    assert_eq!(matched, Expression::Match { name: b"tcp".to_vec(), info: vec![1, 2] });
}

#[test]
fn decisions() {
    let of = |code: i32| {
        let verdict = [attribute(1, &code.to_be_bytes()), attribute(2, b"x\0")].concat();
        read("immediate", &[number(1, 0), attribute(2, &attribute(2, &verdict))])
    };
    let chain = || b"x".to_vec();
    for (code, verdict) in [
        (0, Verdict::Drop),
        (1, Verdict::Accept),
        (-1, Verdict::Continue),
        (-3, Verdict::Jump(chain())),
        (-4, Verdict::Goto(chain())),
        (-5, Verdict::Return),
    ] {
        assert_eq!(of(code), Expression::Verdict(verdict), "{code}");
    }
    assert_eq!(of(-2), Expression::Other);
    let immediate = read("immediate", &[number(1, 1), value(2, &[0, 80])]);
    assert_eq!(immediate, Expression::Immediate { register: 4, value: vec![0, 80] });
    let to = |address, port| Expression::Destination { address, port };
    // NFT_NAT_SNAT is 0, NFT_NAT_DNAT is 1.
    assert_eq!(read("nat", &[number(1, 1), number(3, 1), number(5, 2)]), to(Some(4), Some(8)));
    assert_eq!(read("nat", &[number(1, 0), number(3, 1)]), Expression::Neutral);
    assert_eq!(read("redir", &[number(1, 1)]), to(None, Some(4)));
    assert_eq!(read("tproxy", &[number(2, 1), number(3, 2)]), to(Some(4), Some(8)));
    let target = read("target", &[attribute(1, b"DNAT\0"), number(2, 2), attribute(3, &[9])]);
    assert_eq!(target, Expression::Target { name: b"DNAT".to_vec(), revision: 2, info: vec![9] });
    for kind in ["counter", "log", "notrack", "masq", "last"] {
        assert_eq!(read(kind, &[]), Expression::Neutral);
    }
    assert_eq!(read("limit", &[]), Expression::Other);
}

#[test]
fn base_chains() {
    let chain = |family: u8, kind: &str, hook: u32| {
        let hook = [number(1, hook), number(2, 0)].concat();
        let name = attribute(7, format!("{kind}\0").as_bytes());
        let body = [attribute(1, b"t\0"), attribute(3, b"c\0"), attribute(4, &hook), name].concat();
        base_chain(&[&[family, 0, 0, 0][..], &body].concat()).map(|base| base.is_output)
    };
    // NF_INET_PRE_ROUTING is 0, NF_INET_LOCAL_OUT is 3.
    for family in [1, 2, 10] {
        assert_eq!((chain(family, "nat", 0), chain(family, "nat", 3)), (Some(false), Some(true)));
        assert_eq!((chain(family, "filter", 0), chain(family, "filter", 3)), (Some(false), None));
        assert_eq!((chain(family, "nat", 1), chain(family, "route", 3)), (None, None));
    }
    assert_eq!(chain(5, "nat", 0), None, "of a device");
}

#[test]
fn elements_of_maps() {
    let verdict = [attribute(1, &1_i32.to_be_bytes())].concat();
    let of_verdict = element(&[value(1, &[0, 80]), attribute(2, &attribute(2, &verdict))].concat()).unwrap();
    assert_eq!((of_verdict.verdict, of_verdict.value), (Some(Verdict::Accept), None));
    let of_value = element(&[value(1, &[0, 80]), value(2, &[0, 90])].concat()).unwrap();
    assert_eq!((of_value.value, of_value.is_end), (Some(vec![0, 90]), false));
    // NFT_SET_ELEM_CATCHALL.
    assert_eq!(element(&[value(1, &[0, 80]), number(3, 2)].concat()), None);
}
