//! socat, whose last two arguments are the addresses that it connects (socat(1), 1.8). Pure.

use super::LONGEST_LABEL;
use crate::model::{ForwardedTo, Text};

/// Types of addresses that listen for TCP connections, in upper case.
const LISTENING: [&str; 6] = ["TCP-LISTEN", "TCP-L", "TCP4-LISTEN", "TCP4-L", "TCP6-LISTEN", "TCP6-L"];
/// Types of addresses that run a command, which is not shown.
const RUNNING: [&str; 3] = ["EXEC", "SYSTEM", "SHELL"];

/// Returns the port that it listens on, and the address behind it without options: `TCP:db:5432`.
fn addresses(arguments: &[&[u8]]) -> Option<(u16, String)> {
    let [.., first, second] = arguments else { return None };
    let listener = |address: &[u8]| -> Option<u16> {
        let text = std::str::from_utf8(address).ok()?;
        let (kind, rest) = text.split_once(':')?;
        let is_listening = LISTENING.iter().any(|known| kind.eq_ignore_ascii_case(known));
        is_listening.then(|| rest.split(',').next()?.parse().ok()).flatten()
    };
    let (port, other) = match listener(first) {
        Some(port) => (port, second),
        None => (listener(second)?, first),
    };
    let address = other.split(|byte| *byte == b',').next().and_then(|it| std::str::from_utf8(it).ok())?;
    let kind = address.split(':').next().unwrap_or(address);
    let runs = RUNNING.iter().any(|known| kind.eq_ignore_ascii_case(known));
    let shown = if runs || address.len() > LONGEST_LABEL { kind } else { address };
    (!shown.is_empty() && shown.len() <= LONGEST_LABEL).then(|| (port, shown.to_owned()))
}

/// Returns its label: `socat TCP:db:5432`.
pub(super) fn label(arguments: &[&[u8]]) -> Option<Vec<u8>> {
    addresses(arguments).map(|(_, to)| format!("socat {to}").into_bytes())
}

/// Returns where its listener on this port leads.
pub(super) fn forward(arguments: &[&[u8]], port: u16) -> Option<ForwardedTo> {
    let (local, to) = addresses(arguments)?;
    (local == port).then(|| ForwardedTo::Socat { to: Text::from(to.as_str()) })
}
