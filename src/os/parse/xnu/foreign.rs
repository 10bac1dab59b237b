//! Finds the sockets that netstat prints and that are in no list of the kernel.

use std::collections::{BTreeMap, BTreeSet};

use super::PcbEntry;
use super::netstat::Row;
use crate::model::{Protocol, Socket};

/// Returns those rows that are not among these sockets, each of which stands for one row.
pub(in crate::os) fn foreign<'a>(rows: &[Row], known: impl Iterator<Item = &'a PcbEntry>) -> Vec<Row> {
    let place = |socket: &Socket| (socket.protocol, socket.endpoint.to_string(), socket.peer);
    let mut by_number: BTreeSet<(Protocol, u64)> = BTreeSet::new();
    let mut by_place: BTreeMap<_, usize> = BTreeMap::new();
    for entry in known {
        by_number.insert((entry.socket.protocol, entry.generation));
        *by_place.entry(place(&entry.socket)).or_default() += 1;
    }
    let is_foreign = |row: &&Row| match row.generation {
        Some(generation) => !by_number.contains(&(row.socket.protocol, generation)),
        None => match by_place.get_mut(&place(&row.socket)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        },
    };
    rows.iter().filter(is_foreign).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::super::netstat::parse;
    use super::super::netstat::tests::{MERGED, SEPARATE};
    use super::*;
    use crate::model::{Endpoint, State};

    fn entry(protocol: Protocol, place: &str, generation: u64) -> PcbEntry {
        let place: SocketAddr = place.parse().unwrap();
        let endpoint = Endpoint::Ip { address: place.ip(), port: place.port(), interface: None };
        let socket = Socket::new(protocol, endpoint, State::Listen);
        PcbEntry { socket, scope: None, generation, open: true, last_users: None }
    }

    #[test]
    fn rows_that_are_known_are_left_out() {
        let own =
            [entry(Protocol::Tcp, "127.0.0.1:10309", 0xa209), entry(Protocol::Udp, "127.0.0.1:1", 0x1319)];
        let merged = foreign(&parse(MERGED.as_bytes()).rows, own.iter());
        assert_eq!(merged.len(), 5, "numbers of another protocol mean other sockets");
        assert!(merged.iter().all(|row| row.generation != Some(0xa209)));
        // Without numbers one known socket stands for one row.
        let twice = format!("{SEPARATE}{}\n", SEPARATE.lines().nth(2).unwrap());
        let own = [entry(Protocol::Tcp, "127.0.0.1:8790", 5)];
        assert_eq!(foreign(&parse(twice.as_bytes()).rows, own.iter()).len(), 3);
    }
}
