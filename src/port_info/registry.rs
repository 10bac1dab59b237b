//! The IANA registry, which the build script makes from `data/iana.tsv`: rows of eight bytes in order of their ports, and
//! one text that they point into.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use super::tables::{BY_NAME, PORTS, RANGES, Row, TEXT};
use super::{Assignment, Neighbour, Neighbours, PROTOCOLS, PortRange, Registration};
use crate::model::Protocol;

impl Row {
    fn name(self) -> &'static str {
        let at = self.text_offset();
        TEXT.get(at..at + usize::from(self.2)).unwrap_or_default()
    }

    fn description(self) -> &'static str {
        let at = self.text_offset() + usize::from(self.2);
        let [.., length] = self.3.to_be_bytes();
        TEXT.get(at..at + usize::from(length)).unwrap_or_default()
    }

    fn text_offset(self) -> usize {
        usize::try_from(self.3 >> 8).unwrap_or_default()
    }

    fn has_name(self) -> bool {
        self.2 > 0
    }

    fn includes_protocol(self, protocol: Protocol) -> bool {
        self.1 & bit(protocol) != 0
    }

    fn protocols(self) -> impl Iterator<Item = Protocol> {
        PROTOCOLS.into_iter().filter(move |protocol| self.includes_protocol(*protocol))
    }
}

/// Returns the bit of a protocol in a row. Unix sockets have none.
pub(super) fn bit(protocol: Protocol) -> u8 {
    PROTOCOLS.iter().position(|known| *known == protocol).map_or(0, |at| 1 << at)
}

/// Returns the rows of exactly this port.
fn rows(port: u16) -> impl Iterator<Item = Row> {
    let start = PORTS.partition_point(|row| row.0 < port);
    PORTS.iter().skip(start).copied().take_while(move |row| row.0 == port)
}

/// Returns the registration. A row of the port itself outranks one of a range, which only adds names to other names.
pub(super) fn registration(port: u16, protocol: Protocol) -> Registration {
    if PortRange::from(port) == PortRange::Dynamic {
        return Registration::Dynamic;
    }
    let mut services = Vec::new();
    let mut reserved = None;
    for row in rows(port).filter(|row| row.includes_protocol(protocol)) {
        match row.has_name() {
            true => services.push(assignment(row, None)),
            false => reserved = reserved.or(Some(row.description())),
        }
    }
    let around = RANGES
        .iter()
        .filter(|(row, last)| row.includes_protocol(protocol) && (row.0..=*last).contains(&port));
    if services.is_empty() && reserved.is_some() {
        return reserved.map_or(Registration::Unassigned, Registration::Reserved);
    }
    for (row, last) in around {
        match row.has_name() {
            true => services.push(assignment(*row, Some(row.0..=*last))),
            false => reserved = reserved.or(Some(row.description())),
        }
    }
    match (services.is_empty(), reserved) {
        (false, _) => Registration::Assigned(services),
        (true, Some(words)) => Registration::Reserved(words),
        (true, None) => Registration::Unassigned,
    }
}

fn assignment(row: Row, range: Option<RangeInclusive<u16>>) -> Assignment {
    Assignment { name: row.name(), description: row.description(), range }
}

/// Returns the nearest assigned ports on either side.
pub(super) fn neighbours(port: u16) -> Neighbours {
    let ends = RANGES.iter().filter(|(row, _)| row.has_name()).flat_map(|(row, last)| [row.0, *last]);
    let start = PORTS.partition_point(|row| row.0 < port);
    let (before, after) = PORTS.split_at_checked(start).unwrap_or((&PORTS, &[]));
    let below = before.iter().rev().find(|row| row.has_name()).map(|row| row.0);
    let above = after.iter().find(|row| row.has_name() && row.0 > port).map(|row| row.0);
    let below = below.into_iter().chain(ends.clone().filter(|end| *end < port)).max();
    let above = above.into_iter().chain(ends.filter(|end| *end > port)).min();
    Neighbours { below: below.map(neighbour), above: above.map(neighbour) }
}

fn neighbour(port: u16) -> Neighbour {
    let (mut protocols, mut names) = (Vec::new(), Vec::new());
    for protocol in PROTOCOLS {
        if let Registration::Assigned(services) = registration(port, protocol) {
            protocols.push(protocol);
            for service in
                services.iter().filter(|service| !names.contains(&service.name)).collect::<Vec<_>>()
            {
                names.push(service.name);
            }
        }
    }
    Neighbour { port, protocols, names }
}

/// Returns the ports of a service. Case is ignored.
///
/// [`BY_NAME`] has the numbers of the rows with names, ports before ranges, in order of the names in lower case.
pub(super) fn ports_of(name: &str) -> Vec<(RangeInclusive<u16>, Vec<Protocol>)> {
    let compare = |number: &u16| compare(named_row(*number).map_or("", |(row, _)| row.name()), name);
    let start = BY_NAME.partition_point(|number| compare(number) == Ordering::Less);
    let same = BY_NAME.iter().skip(start).take_while(|number| compare(number) == Ordering::Equal);
    let mut found: Vec<(RangeInclusive<u16>, Vec<Protocol>)> = Vec::new();
    for (row, last) in same.filter_map(|number| named_row(*number)) {
        let ports = row.0..=last;
        match found.iter_mut().find(|(known, _)| *known == ports) {
            Some((_, protocols)) => protocols.extend(row.protocols()),
            None => found.push((ports, row.protocols().collect())),
        }
    }
    for (_, protocols) in &mut found {
        protocols.sort_unstable();
        protocols.dedup();
    }
    found
}

/// Returns every name with its port, in order of the names. A name appears once for each of its rows.
pub(super) fn names() -> impl Iterator<Item = (&'static str, u16)> {
    BY_NAME.iter().filter_map(|number| named_row(*number)).map(|(row, _)| (row.name(), row.0))
}

/// Returns every name with its port and its description, in order of the names, once for each of its rows.
#[cfg(feature = "cli")]
pub(super) fn descriptions() -> impl Iterator<Item = (&'static str, u16, &'static str)> {
    BY_NAME
        .iter()
        .filter_map(|number| named_row(*number))
        .map(|(row, _)| (row.name(), row.0, row.description()))
}

fn named_row(number: u16) -> Option<(Row, u16)> {
    let at = usize::from(number);
    match PORTS.get(at) {
        Some(row) => Some((*row, row.0)),
        None => RANGES.get(at.checked_sub(PORTS.len())?).copied(),
    }
}

fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.bytes(), b.bytes());
    a.map(|byte| byte.to_ascii_lowercase()).cmp(b.map(|byte| byte.to_ascii_lowercase()))
}
