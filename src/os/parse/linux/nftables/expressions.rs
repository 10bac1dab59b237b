//! Parses messages of nftables into chains and rules. It distinguishes only expressions that decide whether a
//! connection to a local port is passed on.

use crate::os::parse::linux::netlink::attributes;

/// A base chain, of a type whose rules can pass connections on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct BaseChain {
    pub(in crate::os) family: u8,
    pub(in crate::os) table: Vec<u8>,
    pub(in crate::os) name: Vec<u8>,
    /// Whether connections from this machine pass through it, not those from other machines.
    pub(in crate::os) is_output: bool,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Rule {
    pub(in crate::os) family: u8,
    pub(in crate::os) table: Vec<u8>,
    pub(in crate::os) chain: Vec<u8>,
    pub(in crate::os) expressions: Vec<Expression>,
}

/// The part of a packet that is loaded into a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) enum Field {
    /// The number of the transport protocol.
    Protocol,
    /// The family, as NFPROTO_*.
    Family,
    /// The destination port.
    Port,
    /// Bytes of the network header.
    Network { offset: u32, length: u32 },
    /// The kind of the destination address, as RTN_*.
    AddressKind,
    /// Anything else.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) enum Verdict {
    Accept,
    Drop,
    Return,
    Continue,
    Jump(Vec<u8>),
    Goto(Vec<u8>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) enum Expression {
    Load {
        register: u32,
        field: Field,
    },
    Mask {
        from: u32,
        to: u32,
        mask: Vec<u8>,
        xor: Vec<u8>,
    },
    Compare {
        register: u32,
        operator: Operator,
        value: Vec<u8>,
    },
    Range {
        register: u32,
        inverted: bool,
        from: Vec<u8>,
        to: Vec<u8>,
    },
    Lookup {
        register: u32,
        inverted: bool,
        set: Vec<u8>,
        to: Option<u32>,
    },
    Immediate {
        register: u32,
        value: Vec<u8>,
    },
    Verdict(Verdict),
    /// A new destination, with the registers that hold address and port.
    Destination {
        address: Option<u32>,
        port: Option<u32>,
    },
    /// A match of iptables.
    Match {
        name: Vec<u8>,
        info: Vec<u8>,
    },
    /// A target of iptables.
    Target {
        name: Vec<u8>,
        revision: u32,
        info: Vec<u8>,
    },
    /// An expression that neither restricts a rule nor decides.
    Neutral,
    /// An expression that may restrict a rule.
    Other,
}

fn be32(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?))
}

/// Returns a text without the NUL at its end.
fn name(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// Returns the attributes of a list by kind; the last one of several of one kind.
fn table(bytes: &[u8]) -> Table<'_> {
    let mut found = [None; 16];
    attributes(bytes, |kind, value| {
        if let Some(slot) = found.get_mut(usize::from(kind)) {
            *slot = Some(value);
        }
    });
    Table(found)
}

struct Table<'a>([Option<&'a [u8]>; 16]);

impl<'a> Table<'a> {
    fn get(&self, kind: usize) -> Option<&'a [u8]> {
        self.0.get(kind).copied().flatten()
    }

    fn number(&self, kind: usize) -> Option<u32> {
        be32(self.get(kind)?)
    }

    fn name(&self, kind: usize) -> Option<Vec<u8>> {
        self.get(kind).map(name)
    }

    /// Returns NFTA_DATA_VALUE of a nested value.
    fn value(&self, kind: usize) -> Option<Vec<u8>> {
        table(self.get(kind)?).get(1).map(<[u8]>::to_vec)
    }

    fn register(&self, kind: usize) -> Option<u32> {
        self.number(kind).map(register)
    }
}

/// Returns the position of a register in units of 4 bytes: registers of 16 bytes (1 to 4) and of 4 bytes (8 and up)
/// share their space.
fn register(number: u32) -> u32 {
    if number <= 4 { number * 4 } else { number - 4 }
}

/// Returns the chain in an NFT_MSG_NEWCHAIN message, if it is a base chain whose rules can pass connections on: one of
/// type `nat` at prerouting or output, or one of type `filter` at prerouting, where `tproxy` is allowed.
pub(in crate::os) fn base_chain(message: &[u8]) -> Option<BaseChain> {
    let (header, body) = message.split_at_checked(4)?;
    let family = *header.first()?;
    // NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6.
    if !matches!(family, 1 | 2 | 10) {
        return None;
    }
    let chain = table(body);
    let (hook, kind) = (table(chain.get(4)?).number(1)?, chain.name(7)?);
    let is_output = match (kind.as_slice(), hook) {
        (b"nat" | b"filter", 0) => false,
        (b"nat", 3) => true,
        _ => return None,
    };
    Some(BaseChain { family, table: chain.name(1)?, name: chain.name(3)?, is_output })
}

/// Returns the rule in an NFT_MSG_NEWRULE message.
pub(in crate::os) fn rule(message: &[u8]) -> Option<Rule> {
    let (header, body) = message.split_at_checked(4)?;
    let rule = table(body);
    let mut expressions = Vec::new();
    attributes(rule.get(4).unwrap_or_default(), |_, one| {
        let one = table(one);
        let read = one.name(1).and_then(|kind| expression(&kind, &table(one.get(2).unwrap_or_default())));
        expressions.push(read.unwrap_or(Expression::Other));
    });
    Some(Rule { family: *header.first()?, table: rule.name(1)?, chain: rule.name(2)?, expressions })
}

/// An element of a set or map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Element {
    pub(in crate::os) key: Vec<u8>,
    /// Whether it ends an interval.
    pub(in crate::os) is_end: bool,
    /// The value of a map for the key.
    pub(in crate::os) value: Option<Vec<u8>>,
    /// The value of a verdict map for the key.
    pub(in crate::os) verdict: Option<Verdict>,
}

/// Calls `each` with every element in an NFT_MSG_NEWSETELEM message: `None` for one that is not understood.
pub(in crate::os) fn elements(message: &[u8], mut each: impl FnMut(Option<Element>)) {
    const NFTA_SET_ELEM_LIST_ELEMENTS: u16 = 3;
    attributes(message.get(4..).unwrap_or_default(), |kind, value| {
        if kind == NFTA_SET_ELEM_LIST_ELEMENTS {
            attributes(value, |_, one| each(element(one)));
        }
    });
}

/// Parses an element, as NFTA_SET_ELEM_LIST_ELEMENTS lists it. `None` if it is not understood.
pub(in crate::os) fn element(bytes: &[u8]) -> Option<Element> {
    const NFT_SET_ELEM_INTERVAL_END: u32 = 1;
    const NFT_SET_ELEM_CATCHALL: u32 = 2;
    let element = table(bytes);
    let flags = element.number(3).unwrap_or(0);
    // Two keys at once are a range of concatenations.
    if element.get(10).is_some() || flags & NFT_SET_ELEM_CATCHALL != 0 {
        return None;
    }
    Some(Element {
        key: element.value(1)?,
        is_end: flags & NFT_SET_ELEM_INTERVAL_END != 0,
        value: element.value(2),
        verdict: element.get(2).and_then(verdict),
    })
}

fn expression(kind: &[u8], data: &Table<'_>) -> Option<Expression> {
    Some(match kind {
        b"meta" => {
            let field = match data.number(2)? {
                15 => Field::Family,
                16 => Field::Protocol,
                _ => Field::Other,
            };
            match data.register(1) {
                Some(register) => Expression::Load { register, field },
                // It changes the packet.
                None => Expression::Neutral,
            }
        }
        b"payload" => {
            let (base, offset, length) = (data.number(2)?, data.number(3)?, data.number(4)?);
            let field = match (base, offset, length) {
                (1, ..) => Field::Network { offset, length },
                (2, 2, 2) => Field::Port,
                _ => Field::Other,
            };
            Expression::Load { register: data.register(1)?, field }
        }
        b"fib" => {
            const NFT_FIB_RESULT_ADDRTYPE: u32 = 3;
            const NFTA_FIB_F_DADDR: u32 = 2;
            let is_kind = data.number(2)? == NFT_FIB_RESULT_ADDRTYPE && data.number(3)? == NFTA_FIB_F_DADDR;
            let field = if is_kind { Field::AddressKind } else { Field::Other };
            Expression::Load { register: data.register(1)?, field }
        }
        b"ct" | b"rt" | b"socket" | b"osf" | b"hash" | b"numgen" | b"exthdr" | b"tunnel" | b"xfrm" => {
            match data.register(1) {
                Some(register) => Expression::Load { register, field: Field::Other },
                None => Expression::Other,
            }
        }
        b"bitwise" => Expression::Mask {
            from: data.register(1)?,
            to: data.register(2)?,
            mask: data.value(4)?,
            xor: data.value(5)?,
        },
        b"cmp" => Expression::Compare {
            register: data.register(1)?,
            operator: match data.number(2)? {
                0 => Operator::Equal,
                1 => Operator::NotEqual,
                2 => Operator::Less,
                3 => Operator::LessOrEqual,
                4 => Operator::Greater,
                5 => Operator::GreaterOrEqual,
                _ => return None,
            },
            value: data.value(3)?,
        },
        b"range" => Expression::Range {
            register: data.register(1)?,
            inverted: data.number(2)? != 0,
            from: data.value(3)?,
            to: data.value(4)?,
        },
        b"lookup" => Expression::Lookup {
            register: data.register(2)?,
            inverted: data.number(5).unwrap_or(0) & 1 != 0,
            set: data.name(1)?,
            to: data.number(3).map(register),
        },
        b"immediate" if data.number(1)? == 0 => Expression::Verdict(verdict(data.get(2)?)?),
        b"immediate" => Expression::Immediate { register: data.register(1)?, value: data.value(2)? },
        b"nat" if data.number(1)? == 1 => {
            Expression::Destination { address: data.register(3), port: data.register(5) }
        }
        b"redir" => Expression::Destination { address: None, port: data.register(1) },
        b"tproxy" => Expression::Destination { address: data.register(2), port: data.register(3) },
        b"match" => Expression::Match { name: data.name(1)?, info: data.get(3)?.to_vec() },
        b"target" => Expression::Target {
            name: data.name(1)?,
            revision: data.number(2).unwrap_or(0),
            info: data.get(3)?.to_vec(),
        },
        b"counter" | b"log" | b"notrack" | b"nat" | b"masq" | b"last" => Expression::Neutral,
        _ => Expression::Other,
    })
}

fn verdict(data: &[u8]) -> Option<Verdict> {
    let verdict = table(table(data).get(2)?);
    Some(match verdict.number(1)?.cast_signed() {
        0 => Verdict::Drop,
        1 => Verdict::Accept,
        -1 => Verdict::Continue,
        -3 => Verdict::Jump(verdict.name(2)?),
        -4 => Verdict::Goto(verdict.name(2)?),
        -5 => Verdict::Return,
        _ => return None,
    })
}
