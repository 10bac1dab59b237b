//! Phrases for the connections of a listener.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::process::candidate;
use crate::model::compact::CompactSort as _;
use crate::model::{Candidate, Connection, State};

/// Returns the other end of a connection: `127.0.0.1:50000 established, curl (pid 99)`.
pub(crate) fn connection(connection: &Connection) -> String {
    let clients: Vec<String> = connection.clients.iter().map(candidate).collect();
    match clients.is_empty() {
        true => format!("{} {}", connection.peer, connection.state.as_str()),
        false => format!("{} {}, {}", connection.peer, connection.state.as_str(), clients.join(" and ")),
    }
}

/// Returns the clients of a listener, each with its connections: `curl (pid 99): 3 established, from 127.0.0.1`. Clients
/// that could not be observed, such as those on other machines, are grouped by address. The client with the most
/// connections is first.
pub(crate) fn clients(connections: &[&Connection]) -> Vec<String> {
    if let [only] = connections {
        return vec![connection(only)];
    }
    let mut by_client: BTreeMap<(Vec<u32>, Option<IpAddr>), Client<'_>> = BTreeMap::new();
    for connection in connections {
        let address = connection.peer.ip().to_canonical();
        let pids = connection.clients.iter().map(|client| client.pid).collect();
        let key = (pids, connection.clients.is_empty().then_some(address));
        let client = by_client.entry(key).or_default();
        client.processes = &connection.clients;
        client.count += 1;
        *client.states.entry(connection.state).or_default() += 1;
        if !client.addresses.contains(&address) {
            client.addresses.push(address);
        }
    }
    let mut clients: Vec<Client<'_>> = by_client.into_values().collect();
    clients.compact_sort_by_key(|client| std::cmp::Reverse(client.count));
    clients.iter().map(Client::phrase).collect()
}

/// The connections of one client.
#[derive(Default)]
struct Client<'a> {
    processes: &'a [Candidate],
    count: usize,
    states: BTreeMap<State, usize>,
    addresses: Vec<IpAddr>,
}

impl Client<'_> {
    fn phrase(&self) -> String {
        /// More addresses than this are counted.
        const MOST_ADDRESSES: usize = 3;
        let states: Vec<String> =
            self.states.iter().map(|(state, count)| format!("{count} {}", state.as_str())).collect();
        let addresses = match self.addresses.len() {
            many if many > MOST_ADDRESSES => format!("{many} addresses"),
            _ => super::list_and(&self.addresses),
        };
        match self.processes.is_empty() {
            true => format!("{addresses}: {}", states.join(", ")),
            false => {
                let names = super::list_and(self.processes.iter().map(candidate));
                format!("{names}: {}, from {addresses}", states.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Evidence;

    fn connection_of(peer: &str, state: State, clients: &[(u32, &str)]) -> Connection {
        let named = |(pid, name): &(u32, &str)| Candidate {
            pid: *pid,
            name: (*name).into(),
            evidence: Evidence::Descriptor,
        };
        Connection { peer: peer.parse().unwrap(), state, clients: clients.iter().map(named).collect() }
    }

    #[test]
    fn one_connection_has_its_port() {
        let only = connection_of("127.0.0.1:50000", State::Established, &[(99, "curl")]);
        assert_eq!(clients(&[&only]), ["127.0.0.1:50000 established, curl (pid 99)"]);
    }

    #[test]
    fn connections_are_grouped_by_client() {
        let all = [
            connection_of("198.51.100.7:1000", State::Established, &[]),
            connection_of("127.0.0.1:50000", State::Established, &[(99, "curl")]),
            connection_of("127.0.0.1:50001", State::Established, &[(99, "curl")]),
            connection_of("[::1]:50002", State::CloseWait, &[(99, "curl")]),
            connection_of("198.51.100.7:1001", State::TimeWait, &[]),
            connection_of("203.0.113.1:1000", State::Established, &[]),
        ];
        assert_eq!(
            clients(&all.iter().collect::<Vec<_>>()),
            [
                "curl (pid 99): 2 established, 1 close-wait, from 127.0.0.1 and ::1",
                "198.51.100.7: 1 established, 1 time-wait",
                "203.0.113.1: 1 established",
            ]
        );
    }
}
