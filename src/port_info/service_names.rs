//! Service names: their ports, and the names nearest to an unknown one.

#[cfg(feature = "cli")]
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::common_uses;
use super::{CommonUse, registry};
use crate::model::Protocol;
use crate::model::compact::CompactSort as _;

/// One port of a service name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServicePorts {
    /// `None` for both TCP and UDP.
    pub(crate) protocol: Option<Protocol>,
    pub(crate) ports: RangeInclusive<u16>,
}

/// Returns whether this could be a service name: letters, digits, `-`, and the `_` and `+` that two names have.
pub(crate) fn is_name(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_+".contains(&byte))
}

/// Returns the ports of a name in the registry, of one protocol or of all.
pub(crate) fn named(name: &str, wanted: Option<Protocol>) -> Vec<ServicePorts> {
    let mut all = Vec::new();
    for (ports, mut protocols) in registry::ports_of(name) {
        if let Some(wanted) = wanted {
            protocols.retain(|protocol| *protocol == wanted);
        } else if [Protocol::Tcp, Protocol::Udp].iter().all(|both| protocols.contains(both)) {
            all.push(ServicePorts { protocol: None, ports });
            continue;
        }
        all.extend(
            protocols.into_iter().map(|one| ServicePorts { protocol: Some(one), ports: ports.clone() }),
        );
    }
    all
}

/// What an unknown service name may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Similar {
    /// A name of the registry.
    Name(&'static str),
    /// A tool of this name, and a port that it commonly has.
    Tool(CommonUse),
}

/// Returns what is nearest to an unknown name, the nearest first.
pub(crate) fn nearest(name: &str) -> Vec<Similar> {
    const MOST: usize = 3;
    let name = name.to_ascii_lowercase();
    if name.len() > 32 {
        return Vec::new();
    }
    let mut tools = common_uses::by_tool(&name);
    tools.compact_sort_by_key(|one| (one.status, *one.ports.start()));
    if !tools.is_empty() {
        return tools.into_iter().take(MOST).map(Similar::Tool).collect();
    }
    let far = (name.len() / 3).max(1);
    let own_letters = letters(&name);
    let mut near: Vec<(usize, u16, &'static str)> = Vec::new();
    let mut previous = "";
    for (known, port) in registry::names() {
        // A name has one row for each port, next to each other.
        if std::mem::replace(&mut previous, known) == known {
            continue;
        }
        let begins =
            name.len() >= 3 && known.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(&name));
        if !begins && is_farther(far, (&name, own_letters), known) {
            continue;
        }
        // A name that starts with this one is as near as one with a single typing error.
        let distance = if begins { 1 } else { strsim::osa_distance(&name, &known.to_ascii_lowercase()) };
        if distance <= far && near.iter().all(|(_, _, seen)| *seen != known) {
            near.push((distance, port, known));
        }
    }
    near.sort_unstable();
    near.into_iter().take(MOST).map(|(_, _, known)| Similar::Name(known)).collect()
}

/// Returns whether a known name is certainly more than `far` edits from another one, given with its [`letters`]. The
/// distance itself costs far more, and the registry has thousands of names.
///
/// An edit changes the length by one at most, and adds or removes one character at most.
fn is_farther(far: usize, (name, own_letters): (&str, u64), known: &str) -> bool {
    if name.len().abs_diff(known.len()) > far {
        return true;
    }
    let others = letters(known);
    let lacking = |some: u64, all: u64| usize::try_from((some & !all).count_ones()).unwrap_or_default();
    lacking(own_letters, others) > far || lacking(others, own_letters) > far
}

/// Returns the names of the registry that begin with a text, in the same case, with their descriptions and lowest ports.
#[cfg(feature = "cli")]
pub(crate) fn beginning_with(text: &str) -> BTreeMap<&'static str, (u16, &'static str)> {
    let mut found: BTreeMap<&str, (u16, &str)> = BTreeMap::new();
    for (name, port, description) in registry::descriptions().filter(|(name, ..)| name.starts_with(text)) {
        let known = found.entry(name).or_insert((port, description));
        if port < known.0 {
            *known = (port, description);
        }
    }
    found
}

/// Returns the set of characters in a name as bits. Case is ignored.
fn letters(name: &str) -> u64 {
    name.bytes().fold(0, |set, byte| set | 1 << (byte.to_ascii_lowercase() & 63))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Two characters may share a bit, which can only let a name through.
        #[test]
        fn no_near_name_is_passed_over(one in "[a-eA-E0-2_-]{0,10}", other in "[a-eA-E0-2_-]{0,10}") {
            let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
            let distance = strsim::osa_distance(&one, &other);
            for far in 0..distance + 2 {
                prop_assert!(distance > far || !is_farther(far, (&one, letters(&one)), &other));
            }
        }
    }

    #[test]
    fn names_that_are_farther() {
        let farther = |far, one: &str, other: &str| is_farther(far, (one, letters(one)), other);
        assert!(farther(1, "ssh", "telnet") && farther(2, "abcd", "efgh"));
        assert!(!farther(1, "ssh", "shs") && !farther(1, "http", "HTTP"));
    }
}
