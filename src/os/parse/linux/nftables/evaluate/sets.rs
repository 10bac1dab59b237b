//! Looks up connections in sets and maps.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Applies, Value, Walk};
use crate::os::parse::linux::nftables::expressions::{Element, Field, Rule};

impl Walk<'_> {
    /// Decides a lookup in a set; `None` if it fails. Addresses that are not in it are removed.
    pub(super) fn lookup(
        &self,
        rule: &Rule,
        registers: &BTreeMap<u32, Value>,
        register: u32,
        set: &[u8],
        inverted: bool,
        addresses: &mut Vec<IpAddr>,
    ) -> Option<LookupResult> {
        let other = |applies| Some(LookupResult { applies, element: None });
        if matches!(registers.get(&register), None | Some(Value::Field(Field::Other)))
            && !registers.values().any(|value| matches!(value, Value::Field(Field::Port)))
        {
            return other(Applies::Perhaps);
        }
        let Some(elements) = (self.read_set)(rule.family, &rule.table, set) else {
            return other(Applies::Unevaluated);
        };
        let Some(first) = elements.first() else {
            return if inverted { other(Applies::Always) } else { None };
        };
        let Some(parts) = self.parts(rule.family, registers, register, first.key.len()) else {
            return other(Applies::Unevaluated);
        };
        let is_whole = parts.iter().all(|part| !matches!(part, KeyField::Unknown(_)));
        let mut element: Option<Element> = None;
        let mut differs = false;
        addresses.retain(|address| {
            let found = find(&elements, &parts, *address);
            if let Some(found) = found {
                differs |= element.as_ref().is_some_and(|known| known != found);
                element.get_or_insert_with(|| found.clone());
            }
            found.is_some() != inverted
        });
        if addresses.is_empty() {
            return None;
        }
        let applies = if is_whole { Applies::Always } else { Applies::Perhaps };
        Some(LookupResult { applies, element: element.filter(|_| !differs && !inverted) })
    }

    /// Returns the parts of a key that begins in this register.
    fn parts(
        &self,
        family: u8,
        registers: &BTreeMap<u32, Value>,
        register: u32,
        length: usize,
    ) -> Option<Vec<KeyField>> {
        let mut parts = Vec::new();
        let mut at = 0;
        while at < length {
            let place = register + u32::try_from(at / 4).ok()?;
            let part = match registers.get(&place)? {
                Value::Field(Field::Port) => KeyField::Bytes(self.connection.port.to_be_bytes().to_vec()),
                Value::Field(Field::Protocol) => KeyField::Bytes(vec![self.number()]),
                Value::Field(Field::Network { offset: 16, length: 4 }) if family != 10 => {
                    KeyField::Address(4)
                }
                Value::Field(Field::Network { offset: 24, length: 16 }) if family != 2 => {
                    KeyField::Address(16)
                }
                Value::Field(_) if at == 0 || length <= 4 => return None,
                // Its length follows from the beginning of the next part.
                Value::Field(_) => {
                    let next = registers.keys().find(|key| **key > place).copied();
                    let end = next.and_then(|next| usize::try_from((next - register) * 4).ok());
                    KeyField::Unknown(end.unwrap_or(length).min(length) - at)
                }
                _ => return None,
            };
            at += part.length().next_multiple_of(4);
            parts.push(part);
        }
        Some(parts)
    }
}

/// The result of a lookup.
pub(super) struct LookupResult {
    pub(super) applies: Applies,
    /// The element that was found, if there is only one for all addresses.
    pub(super) element: Option<Element>,
}

/// A part of a concatenated key; each begins at a multiple of four bytes.
#[derive(Debug)]
enum KeyField {
    Bytes(Vec<u8>),
    /// So many bytes of the packet's destination address.
    Address(usize),
    /// So many bytes of unknown content.
    Unknown(usize),
}

impl KeyField {
    fn length(&self) -> usize {
        match self {
            KeyField::Bytes(bytes) => bytes.len(),
            KeyField::Address(length) | KeyField::Unknown(length) => *length,
        }
    }
}

/// Returns the element of a set for connections to an address. In a set of intervals a key begins or ends one.
fn find<'a>(elements: &'a [Element], parts: &[KeyField], address: IpAddr) -> Option<&'a Element> {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let bytes = |part: &KeyField| match part {
        KeyField::Bytes(bytes) => Some(Some(bytes.clone())),
        KeyField::Address(length) => (octets.len() == *length).then(|| Some(octets.clone())),
        KeyField::Unknown(_) => Some(None),
    };
    let wanted: Vec<(Option<Vec<u8>>, usize)> =
        parts.iter().map(|part| Some((bytes(part)?, part.length()))).collect::<Option<_>>()?;
    if elements.iter().all(|element| !element.is_end) {
        return elements.iter().find(|element| {
            let mut at = 0;
            wanted.iter().all(|(bytes, length)| {
                let part = element.key.get(at..at + length);
                at += length.next_multiple_of(4);
                bytes.as_ref().is_none_or(|bytes| part == Some(bytes.as_slice()))
            })
        });
    }
    let [(Some(value), _)] = wanted.as_slice() else { return None };
    let mut sorted: Vec<&Element> = elements.iter().collect();
    // Of two elements with the same key the end comes first: the next interval begins there.
    sorted.sort_by(|a, b| a.key.cmp(&b.key).then(b.is_end.cmp(&a.is_end)));
    sorted
        .into_iter()
        .rfind(|element| element.key.as_slice() <= value.as_slice())
        .filter(|element| !element.is_end)
}
