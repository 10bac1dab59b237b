//! Decides whether a rule applies to a connection, and returns its action.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::addresses::address_of;
use super::iptables::{is_destination_target, xt_destination};
use super::{Action, Applies, Destination, Value, Walk};
use crate::os::parse::linux::nftables::expressions::{Expression, Field, Operator, Rule};

impl Walk<'_> {
    /// Returns the addresses to which a rule applies, whether it does for certain, and its action. `None` if it applies
    /// to none.
    pub(super) fn rule(&self, rule: &Rule, addresses: &[IpAddr]) -> Option<(Vec<IpAddr>, Applies, Action)> {
        let mut registers: BTreeMap<u32, Value> = BTreeMap::new();
        let mut addresses = addresses.to_vec();
        let mut applies = Applies::Always;
        let mut action = Action::None;
        for expression in &rule.expressions {
            match expression {
                Expression::Neutral => {}
                Expression::Other => applies = applies.max(Applies::Perhaps),
                Expression::Load { register, field } => {
                    registers.insert(*register, Value::Field(field.clone()));
                }
                Expression::Immediate { register, value } => {
                    registers.insert(*register, Value::Bytes(value.clone()));
                }
                Expression::Mask { from, to, mask, xor } => {
                    let value = match registers.get(from) {
                        Some(Value::Field(Field::Network { offset, length }))
                            if xor.iter().all(|byte| *byte == 0) =>
                        {
                            Value::Masked(*offset, *length, mask.clone())
                        }
                        Some(Value::Field(_)) => Value::Field(Field::Other),
                        _ => Value::Unknown,
                    };
                    registers.insert(*to, value);
                }
                Expression::Compare { register, operator, value } => {
                    let loaded = registers.get(register);
                    applies =
                        applies.max(self.compare(rule.family, loaded, *operator, value, &mut addresses)?);
                }
                Expression::Range { register, inverted, from, to } => match registers.get(register) {
                    Some(Value::Field(Field::Port)) => {
                        let port = self.connection.port.to_be_bytes();
                        let is_inside =
                            port.as_slice() >= from.as_slice() && port.as_slice() <= to.as_slice();
                        if is_inside == *inverted {
                            return None;
                        }
                    }
                    Some(Value::Field(Field::Network { .. }) | Value::Masked(..)) => {
                        applies = Applies::Unevaluated;
                    }
                    _ => applies = applies.max(Applies::Perhaps),
                },
                Expression::Lookup { register, inverted, set, to } => {
                    let found = self.lookup(rule, &registers, *register, set, *inverted, &mut addresses)?;
                    applies = applies.max(found.applies);
                    match to {
                        // A map of verdicts.
                        Some(0) => {
                            action = match found.element.and_then(|element| element.verdict) {
                                Some(verdict) => Action::Verdict(verdict),
                                None => Action::Unevaluated,
                            };
                        }
                        Some(to) => {
                            let value = found.element.and_then(|element| element.value);
                            registers.insert(*to, value.map_or(Value::Unknown, Value::Bytes));
                        }
                        None => {}
                    }
                }
                Expression::Match { name, info } => applies = applies.max(self.xt_match(name, info)?),
                Expression::Verdict(verdict) => action = Action::Verdict(verdict.clone()),
                Expression::Destination { address, port } => {
                    let bytes = |register: Option<u32>| match registers.get(&register?) {
                        Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
                        _ => None,
                    };
                    let to = bytes(*address).and_then(address_of);
                    let port_there = bytes(*port).and_then(port_of);
                    let is_known =
                        address.is_some() == to.is_some() && port.is_some() == port_there.is_some();
                    action = Action::Destination(Destination { to, port: port_there, is_known });
                }
                Expression::Target { name, revision, info } if is_destination_target(name) => {
                    action = Action::Destination(xt_destination(name, *revision, info, rule.family));
                }
                Expression::Target { name, .. } => {
                    let is_neutral = [
                        &b"LOG"[..],
                        b"NFLOG",
                        b"MARK",
                        b"CT",
                        b"CONNMARK",
                        b"TRACE",
                        b"SNAT",
                        b"MASQUERADE",
                    ]
                    .contains(&name.as_slice());
                    if !is_neutral {
                        applies = applies.max(Applies::Perhaps);
                    }
                }
            }
        }
        Some((addresses, applies, action))
    }

    /// Decides a comparison; `None` if it fails. Addresses for which it fails are removed.
    fn compare(
        &self,
        family: u8,
        loaded: Option<&Value>,
        operator: Operator,
        value: &[u8],
        addresses: &mut Vec<IpAddr>,
    ) -> Option<Applies> {
        let holds = |actual: &[u8]| {
            let order = actual.cmp(value);
            match operator {
                Operator::Equal => order.is_eq(),
                Operator::NotEqual => order.is_ne(),
                Operator::Less => order.is_lt(),
                Operator::LessOrEqual => order.is_le(),
                Operator::Greater => order.is_gt(),
                Operator::GreaterOrEqual => order.is_ge(),
            }
        };
        let decided = |is_true: bool| is_true.then_some(Applies::Always);
        match loaded {
            Some(Value::Field(Field::Protocol)) => decided(holds(&[self.number()])),
            Some(Value::Field(Field::Port)) => decided(holds(&self.connection.port.to_be_bytes())),
            Some(Value::Field(Field::AddressKind)) => {
                const RTN_LOCAL: u32 = 2;
                decided(holds(&RTN_LOCAL.to_ne_bytes()))
            }
            Some(Value::Field(Field::Family)) => {
                addresses.retain(|address| holds(&[if address.is_ipv4() { 2 } else { 10 }]));
                decided(!addresses.is_empty())
            }
            Some(Value::Field(Field::Network { offset, length })) => {
                self.compare_header(family, *offset, *length, &holds, addresses)
            }
            Some(Value::Masked(offset, length, mask)) => {
                let masked = |bytes: &[u8]| {
                    let masked: Vec<u8> = bytes.iter().zip(mask).map(|(byte, mask)| byte & mask).collect();
                    holds(&masked)
                };
                self.compare_header(family, *offset, *length, &masked, addresses)
            }
            _ => Some(Applies::Perhaps),
        }
    }

    /// Decides a comparison with bytes of the network header.
    fn compare_header(
        &self,
        family: u8,
        offset: u32,
        length: u32,
        holds: &dyn Fn(&[u8]) -> bool,
        addresses: &mut Vec<IpAddr>,
    ) -> Option<Applies> {
        let is_family = |is_ipv4: bool| family == 1 || is_ipv4 == (family == 2);
        let decided = |is_true: bool| is_true.then_some(Applies::Always);
        match (offset, length) {
            (9, 1) if is_family(true) && family == 2 => decided(holds(&[self.number()])),
            (6, 1) if family == 10 => decided(holds(&[self.number()])),
            // The address that the packet goes to, or its first bytes. In a table for both families the rule says before
            // which one it means.
            (16, 1..=4) if is_family(true) => {
                let length = usize::try_from(length).unwrap_or(4);
                addresses.retain(|address| match address {
                    IpAddr::V4(address) => holds(address.octets().get(..length).unwrap_or_default()),
                    IpAddr::V6(_) => false,
                });
                decided(!addresses.is_empty())
            }
            (24, 1..=16) if is_family(false) => {
                let length = usize::try_from(length).unwrap_or(16);
                addresses.retain(|address| match address {
                    IpAddr::V6(address) => holds(address.octets().get(..length).unwrap_or_default()),
                    IpAddr::V4(_) => false,
                });
                decided(!addresses.is_empty())
            }
            _ => Some(Applies::Perhaps),
        }
    }
}

fn port_of(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?))
}
