//! The same pipeline for `why`, `free` and `wait`: the sockets of one port in every state, and the holders of those
//! that matter. The caller selects rows itself, because a verdict rests on sockets that a list does not show.

use super::Query;
use super::pipeline::Scan;
use crate::enrich::containers::ContainerLookup;
#[cfg(feature = "cli")]
use crate::model::Text;
use crate::model::{Error, Gap, HolderSearch, Listener, Protocol, Selection, Snapshot, Socket, Target};
#[cfg(feature = "cli")]
use crate::os::{self, ProgramWords};
use crate::os::{Row, SocketTable};
#[cfg(feature = "cli")]
use crate::port_info;

/// Returns the sockets of a protocol, or those of one port. `all` includes sockets that do not listen.
///
/// # Errors
/// If the socket table cannot be read.
pub(crate) fn sockets(protocol: Protocol, port: Option<u16>, all: bool) -> Result<SocketTable, Error> {
    read(Selection { all, ..Selection::default() }, protocol, port)
}

/// Returns the sockets of a protocol in every state and in every network namespace, or those of one port.
///
/// # Errors
/// If the socket table cannot be read.
pub(crate) fn sockets_of_all_namespaces(protocol: Protocol, port: Option<u16>) -> Result<SocketTable, Error> {
    read(Selection { all: true, namespaces: true, ..Selection::default() }, protocol, port)
}

fn read(selection: Selection, protocol: Protocol, port: Option<u16>) -> Result<SocketTable, Error> {
    let targets = port.map(Target::port).transpose()?.into_iter().collect();
    let selection = Selection { protocols: vec![protocol], targets, ..selection };
    let mut table = Query { selection, ..Query::default() }.table()?;
    // A reader may return more rows than were requested.
    table.rows.retain(|row| port.is_none() || row.socket.endpoint.port() == port);
    Ok(table)
}

/// Returns the listeners among these sockets.
pub(crate) fn listening(rows: &[Row]) -> Vec<Socket> {
    rows.iter().map(|row| &row.socket).filter(|socket| socket.is_listener()).cloned().collect()
}

/// Returns the pids and names of the visible holders of each of these sockets. Nothing is asked of a service manager or
/// a container runtime.
///
/// # Errors
/// If the list of processes cannot be read.
#[cfg(feature = "cli")]
pub(crate) fn holder_names(rows: &[Row]) -> Result<Vec<Vec<(u32, Text)>>, Error> {
    let rows: Vec<&Row> = rows.iter().collect();
    let search = os::holders(&rows, HolderSearch::Auto, ProgramWords(port_info::program_words))?;
    let names = os::process_names(search.held.iter().flatten().map(|holder| &holder.process));
    let named = |holder: &os::SocketHolder| {
        let pid = holder.process.pid();
        names.get(&pid).map(|name| (pid, name.clone()))
    };
    Ok(search.held.iter().map(|holders| holders.iter().filter_map(named).collect()).collect())
}

/// Returns these sockets with their holders, sorted, and what could not be read. Containers stay unnamed.
///
/// # Errors
/// If the list of processes cannot be read.
pub(crate) fn holders(rows: Vec<Row>) -> Result<(Vec<Listener>, Vec<Gap>), Error> {
    run(rows, None)
}

/// Returns these sockets with their holders and containers, sorted, and what could not be read.
///
/// # Errors
/// If the list of processes cannot be read.
pub(crate) fn holders_and_containers(
    rows: Vec<Row>,
    containers: &mut ContainerLookup<'_>,
) -> Result<(Vec<Listener>, Vec<Gap>), Error> {
    run(rows, Some(containers))
}

fn run(
    rows: Vec<Row>,
    containers: Option<&mut ContainerLookup<'_>>,
) -> Result<(Vec<Listener>, Vec<Gap>), Error> {
    if rows.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let pipeline =
        Scan { search: HolderSearch::Auto, ancestors: false, thorough: true, notes: false, containers };
    let mut found = pipeline.run(rows, None)?;
    Snapshot::sort_listeners(&mut found.listeners);
    Ok((found.listeners, found.gaps))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::State;
    use crate::scan::Query;

    #[test]
    fn a_port_and_a_list_report_the_same_listener() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let rows = sockets(Protocol::Tcp, Some(port), false).unwrap().rows;
        let rows: Vec<Row> = rows.into_iter().filter(|row| row.socket.is_listener()).collect();
        let (listeners, _) = holders(rows).unwrap();
        let target = Target::exactly(Protocol::Tcp, [127, 0, 0, 1].into(), port);
        let list = Query::new().protocol(Protocol::Tcp).target(target).scan().unwrap();
        assert_eq!(listeners.len(), 1);
        assert_eq!(listeners, list.listeners);
    }

    #[test]
    fn all_includes_sockets_that_do_not_listen() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let _client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        // Not every system lists a connection that was not accepted.
        let _accepted = server.accept().unwrap();
        let rows = sockets(Protocol::Tcp, Some(port), true).unwrap().rows;
        assert!(rows.iter().all(|row| row.socket.endpoint.port() == Some(port)));
        assert!(rows.iter().any(|row| row.socket.state == State::Established));
        assert_eq!(holders(Vec::new()).unwrap(), (Vec::new(), Vec::new()));
    }
}
