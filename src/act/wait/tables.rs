//! The socket tables of one pass. They are read when they are first needed, and once for all ports.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::targets::WaitTarget;
use crate::model::compact::CompactCollect as _;
use crate::model::{Error, Protocol, Selection, Target};
use crate::os::{Row, SocketTable};
use crate::scan::{Query, port_sockets};

/// The most ports whose sockets in every state are read one port at a time. The kernel then returns only those, while
/// one read for all ports returns every connection of the machine.
const MOST_SINGLE_READS: usize = 16;

/// The tables of one pass.
#[derive(Debug)]
pub(super) struct Tables {
    protocols: Vec<Protocol>,
    /// The port, if all targets have the same one.
    port: Option<u16>,
    reads_single: bool,
    listeners: Option<SocketTable>,
    /// The sockets in every state, by protocol, and by port if ports are read one at a time.
    all: BTreeMap<(Protocol, Option<u16>), SocketTable>,
}

/// The sockets of one port.
pub(super) struct PortTable<'a> {
    pub(super) rows: Vec<&'a Row>,
    /// Whether the table is complete and has no gap.
    pub(super) is_whole: bool,
}

impl Tables {
    /// Returns tables for the ports among `targets`. It reads nothing.
    pub(super) fn new<'a>(targets: impl Iterator<Item = &'a WaitTarget>) -> Tables {
        let ports: BTreeSet<(Protocol, u16)> = targets
            .filter_map(|target| target.port.as_ref())
            .map(|port| (port.protocol, port.port))
            .collect_set();
        let protocols: BTreeSet<Protocol> = ports.iter().map(|(protocol, _)| *protocol).collect_set();
        let numbers: BTreeSet<u16> = ports.iter().map(|(_, port)| *port).collect_set();
        Tables {
            protocols: protocols.into_iter().collect(),
            port: numbers.first().copied().filter(|_| numbers.len() == 1),
            reads_single: ports.len() <= MOST_SINGLE_READS,
            listeners: None,
            all: BTreeMap::new(),
        }
    }

    /// Returns the listeners of all ports: one read in each pass.
    ///
    /// # Errors
    /// If the socket table cannot be read.
    pub(super) fn listeners(&mut self) -> Result<&SocketTable, Error> {
        let read = match self.listeners.take() {
            Some(read) => read,
            None => {
                let targets = self.port.map(Target::port).transpose()?.into_iter().collect();
                let selection =
                    Selection { protocols: self.protocols.clone(), targets, ..Selection::default() };
                Query::from_selection(selection).table()?
            }
        };
        Ok(self.listeners.insert(read))
    }

    /// Returns the sockets of one port; `all` includes those that do not listen.
    ///
    /// # Errors
    /// If the socket table cannot be read.
    pub(super) fn sockets_of_port(
        &mut self,
        protocol: Protocol,
        port: u16,
        all: bool,
    ) -> Result<PortTable<'_>, Error> {
        let table = if all { self.all(protocol, port)? } else { self.listeners()? };
        let is_of_port =
            |row: &&Row| row.socket.protocol == protocol && row.socket.endpoint.port() == Some(port);
        let is_whole = table.complete && table.gaps.is_empty();
        Ok(PortTable { rows: table.rows.iter().filter(is_of_port).collect(), is_whole })
    }

    fn all(&mut self, protocol: Protocol, port: u16) -> Result<&SocketTable, Error> {
        let key = (protocol, Some(port).filter(|_| self.reads_single));
        Ok(match self.all.entry(key) {
            Entry::Occupied(read) => read.into_mut(),
            Entry::Vacant(missing) => missing.insert(port_sockets::sockets(key.0, key.1, true)?),
        })
    }
}
