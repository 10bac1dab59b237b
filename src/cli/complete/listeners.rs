//! The listeners of this machine and their holders, as far as they can be read at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::time::Duration;

use crate::model::{Protocol, Socket, Text};
use crate::os;
use crate::render::phrases;
use crate::scan::port_sockets;

/// How long the search for holders may delay the descriptions of ports.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long it may take if there is no answer without it.
const LONGEST: Duration = Duration::from_secs(2);

/// A listener, and its holders in a few words.
#[derive(Debug)]
pub(super) struct OpenPort {
    pub(super) socket: Socket,
    pub(super) holders: String,
}

/// The visible holders of a socket: pid and name.
type Holders = Vec<(u32, Text)>;

/// Returns the listeners of these protocols, with descriptions if somebody will see them.
pub(super) fn open_ports(protocols: &[Protocol], described: bool) -> Vec<OpenPort> {
    let rows = rows(protocols);
    let sockets: Vec<Socket> = rows.iter().map(|row| row.socket.clone()).collect();
    let holders = if described { holders(rows, PATIENCE) } else { None };
    let with_holders = |(number, mut socket): (usize, Socket)| {
        socket.user = socket.uid.and_then(os::user_name);
        let known = holders.as_ref().and_then(|holders| holders.get(number)).map(Vec::as_slice);
        OpenPort { holders: phrases::completion::holders(&socket, known), socket }
    };
    sockets.into_iter().enumerate().map(with_holders).collect()
}

/// The processes that hold listeners: by pid, the name and the ports.
pub(super) fn processes() -> BTreeMap<u32, (Text, BTreeSet<u16>)> {
    let rows = rows(&[Protocol::Tcp, Protocol::Udp]);
    let ports: Vec<Option<u16>> = rows.iter().map(|row| row.socket.endpoint.port()).collect();
    let mut processes: BTreeMap<u32, (Text, BTreeSet<u16>)> = BTreeMap::new();
    for (port, holders) in ports.into_iter().zip(holders(rows, LONGEST).unwrap_or_default()) {
        for (pid, name) in holders {
            processes.entry(pid).or_insert_with(|| (name, BTreeSet::new())).1.extend(port);
        }
    }
    processes
}

/// Returns the users of listeners, by uid, and their ports. No process is read.
pub(super) fn users() -> BTreeMap<u32, BTreeSet<u16>> {
    let mut users: BTreeMap<u32, BTreeSet<u16>> = BTreeMap::new();
    for row in rows(&[Protocol::Tcp, Protocol::Udp]) {
        if let Some(uid) = row.socket.uid {
            users.entry(uid).or_default().extend(row.socket.endpoint.port());
        }
    }
    users
}

fn rows(protocols: &[Protocol]) -> Vec<os::Row> {
    let tables = protocols.iter().filter_map(|protocol| port_sockets::sockets(*protocol, None, false).ok());
    tables.flat_map(|table| table.rows).filter(|row| row.socket.is_listener()).collect()
}

/// Returns the holders of each row. `None` if they cannot be read, or not in time.
fn holders(rows: Vec<os::Row>, patience: Duration) -> Option<Vec<Holders>> {
    let (sender, receiver) = mpsc::channel();
    let search = move || {
        // Nobody waits for an answer that comes late.
        let _ = sender.send(port_sockets::holder_names(&rows).ok());
    };
    os::detach("completion", search).ok()?;
    receiver.recv_timeout(patience).ok()?
}
