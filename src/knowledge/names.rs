//! Service names: the ports a name stands for, and the names nearest to one that nobody has.

use std::ops::RangeInclusive;

use super::{Use, conventional, registry};
use crate::Protocol;

/// One place a service name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// `None` where it is TCP's and UDP's alike.
    pub(crate) protocol: Option<Protocol>,
    pub(crate) ports: RangeInclusive<u16>,
}

/// Whether this could be a service name: letters, digits, `-`, and the `_` and `+` that two names have.
pub(crate) fn is_name(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_+".contains(&byte))
}

/// The places a name stands for, of one protocol or of all it has; none where the registry does not have it so.
pub(crate) fn named(name: &str, wanted: Option<Protocol>) -> Vec<Named> {
    let mut all = Vec::new();
    for (ports, mut protocols) in registry::places(name) {
        if let Some(wanted) = wanted {
            protocols.retain(|protocol| *protocol == wanted);
        } else if [Protocol::Tcp, Protocol::Udp].iter().all(|both| protocols.contains(both)) {
            all.push(Named { protocol: None, ports });
            continue;
        }
        all.extend(protocols.into_iter().map(|one| Named { protocol: Some(one), ports: ports.clone() }));
    }
    all
}

/// What may have been meant by a name that the registry does not have, as a sentence to follow "perhaps".
pub(crate) fn nearest(name: &str) -> Option<String> {
    const MOST: usize = 3;
    let name = name.to_ascii_lowercase();
    if name.len() > 32 {
        return None;
    }
    let mut tools = conventional::by_tool(&name);
    tools.sort_by_key(|one| (one.status, *one.ports.start()));
    if !tools.is_empty() {
        let shown =
            |one: &Use| format!("{}/{} (commonly {})", one.protocol.as_str(), one.ports.start(), one.tool);
        return Some(or(&tools.iter().take(MOST).map(shown).collect::<Vec<String>>()));
    }
    let far = (name.len() / 3).max(1);
    let mut near: Vec<(usize, u16, &str)> = Vec::new();
    for (known, port) in registry::names() {
        let lower = known.to_ascii_lowercase();
        let begins = name.len() >= 3 && lower.starts_with(&name);
        let distance = strsim::osa_distance(&name, &lower);
        if (begins || distance <= far) && near.iter().all(|(_, _, seen)| *seen != known) {
            // A name that goes on where this one ends is as near as one with a single slip.
            near.push((if begins { 1 } else { distance }, port, known));
        }
    }
    near.sort_unstable();
    let shown: Vec<String> = near.into_iter().take(MOST).map(|(_, _, known)| known.to_owned()).collect();
    Some(or(&shown)).filter(|shown| !shown.is_empty())
}

/// `a`, `a or b`, `a, b or c`.
pub(crate) fn or(list: &[String]) -> String {
    match list {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}
