//! The order of rows by a column. Every comparison is of keys that are made once per row and have one total order, so
//! that no mixture of values can form a cycle.

use std::cmp::{Ordering, Reverse};
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;

use super::column::Column;
use crate::model::{Endpoint, Holder, Listener};

/// An order of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// The column. `None` for the default order: port, protocol, address, pid.
    pub(crate) column: Option<Column>,
    /// Whether the order is reversed.
    pub(crate) reverse: bool,
}

impl Order {
    /// Returns an ordering, reversed if this order is.
    fn apply(self, ordering: Ordering) -> Ordering {
        if self.reverse { ordering.reverse() } else { ordering }
    }
}

/// Sorts rows. Equal ones keep the default order, and rows without a value come last, also in the reversed order.
pub(crate) fn sort<T>(rows: &mut [T], by: Order, listener: impl Fn(&T) -> &Listener) {
    let Some(column) = by.column else {
        rows.sort_by(|a, b| by.apply(default_order(listener(a), listener(b))));
        return;
    };
    let mut order: Vec<(Key, usize)> =
        rows.iter().enumerate().map(|(at, row)| (Key::new(column, listener(row)), at)).collect();
    order.sort_by(|(a, at), (b, other)| {
        a.compare(b, by).then_with(|| match (rows.get(*at), rows.get(*other)) {
            (Some(a), Some(b)) => by.apply(default_order(listener(a), listener(b))),
            _ => Ordering::Equal,
        })
    });
    // Moves each row to its place by swaps: `target[i]` is where the row at `i` belongs.
    let mut target = vec![0; rows.len()];
    for (to, (_, from)) in order.iter().enumerate() {
        if let Some(target) = target.get_mut(*from) {
            *target = to;
        }
    }
    for at in 0..rows.len() {
        while let Some(&to) = target.get(at).filter(|to| **to != at) {
            rows.swap(at, to);
            target.swap(at, to);
        }
    }
}

/// Compares rows by the default order, then by the fields that distinguish rows with an equal port and address.
fn default_order(a: &Listener, b: &Listener) -> Ordering {
    let pids = |listener: &Listener| listener.holders.first().map(|holder| holder.process.id.pid);
    let holders = |a: &Holder, b: &Holder| {
        a.process.id.cmp(&b.process.id).then_with(|| a.descriptors.cmp(&b.descriptors))
    };
    a.socket
        .order(&b.socket)
        .then_with(|| pids(a).cmp(&pids(b)))
        .then_with(|| a.socket.inode.cmp(&b.socket.inode))
        .then_with(|| {
            let mut pairs = a.holders.iter().zip(&b.holders).map(|(a, b)| holders(a, b));
            pairs.find(|order| order.is_ne()).unwrap_or_else(|| a.holders.len().cmp(&b.holders.len()))
        })
        .then_with(|| {
            // Only rows that are alike in all of this come here.
            let mut columns = Column::NAMES.iter().map(|(column, _)| {
                let value = |of: &Listener| column.value(of, of.holders.first(), Timestamp::UNIX_EPOCH);
                value(a).cmp(&value(b))
            });
            columns.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        })
}

/// The sort key of a row. All keys of one column are of one kind; a missing value is greater than every other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Address(std::net::IpAddr),
    Peer(SocketAddr),
    Time(Timestamp),
    /// The start time of the youngest is the least.
    Age(Reverse<Timestamp>),
    Took(&'static str, Duration),
    Text(Natural),
    Missing,
}

impl Key {
    fn new(column: Column, listener: &Listener) -> Key {
        let holder = listener.holders.first();
        let key = match column {
            Column::Address => match &listener.socket.endpoint {
                Endpoint::Ip { address, .. } => Some(Key::Address(*address)),
                Endpoint::Unix { .. } => None,
            },
            Column::Peer => listener.socket.peer.map(Key::Peer),
            Column::Started => holder.and_then(|holder| holder.process.started_at).map(Key::Time),
            Column::Age => {
                holder.and_then(|holder| holder.process.started_at).map(|at| Key::Age(Reverse(at)))
            }
            Column::Probe => listener.probe.map(|probe| Key::Took(probe.outcome.as_str(), probe.took)),
            column => {
                let value = column.value(listener, holder, Timestamp::UNIX_EPOCH);
                (!value.is_empty()).then(|| Key::Text(Natural::from(value)))
            }
        };
        key.unwrap_or(Key::Missing)
    }

    /// Compares two keys in this order, whichever way it goes: a missing value is always the last.
    fn compare(&self, other: &Key, by: Order) -> Ordering {
        match (self, other) {
            (Key::Missing, _) | (_, Key::Missing) => self.cmp(other),
            _ => by.apply(self.cmp(other)),
        }
    }
}

/// A text in natural order: runs of digits compare as numbers, wherever they stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Natural {
    /// Runs of digits and of other characters in turn, as they come.
    runs: Vec<TextRun>,
    /// The tie-breaker of `007` and `7`.
    text: String,
}

/// Numbers are less than text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum TextRun {
    /// The number of digits without leading zeros, and the digits: of any length, so that none overflows.
    Number(usize, String),
    Other(String),
}

impl From<String> for Natural {
    fn from(text: String) -> Natural {
        let mut runs = Vec::new();
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let digits = first.is_ascii_digit();
            let end = rest.find(|letter: char| letter.is_ascii_digit() != digits).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            runs.push(match digits {
                true => {
                    let digits = run.trim_start_matches('0');
                    TextRun::Number(digits.len(), digits.to_owned())
                }
                false => TextRun::Other(run.to_owned()),
            });
            rest = after;
        }
        Natural { runs, text }
    }
}

#[cfg(test)]
mod tests;
