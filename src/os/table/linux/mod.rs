//! The socket table on Linux: by netlink, or by /proc/net if netlink is unavailable; of this network namespace and of
//! others.

mod interface_names;
pub(in crate::os) mod unix_files;
pub(in crate::os) mod verified_netstat2;

use crate::os::linux_api::user_namespace::OverflowUid;
use crate::os::namespaces::sys as namespaces;
use crate::os::namespaces::sys::{Namespace, NotEntered};
pub(crate) use crate::os::parse::linux::unix_diag::SocketFile;
use std::collections::BTreeSet;
use std::os::fd::AsFd;
pub(in crate::os) use unix_files::find_unix_paths;
pub(super) use verified_netstat2::{netstat2_row, netstat2_sockets};

use rustix::fs::{Access, access};

use super::netstat2;
use crate::model::compact;
use crate::model::{
    Endpoint, Error, ErrorKind, Family, Gap, GapDetail, GapKind, GapReason, Help, PrivilegePurpose, Protocol,
    Socket, State, TableRead, TableSource, Text, UnlistedBound,
};
use crate::os::linux_api::inet_diag::States;
use crate::os::linux_api::netlink::NetlinkError;
use crate::os::linux_api::user_namespace;
use crate::os::linux_api::{inet_diag, procfs, sock_diag, unix_diag};
use crate::os::table_request::InetTable;
use crate::os::threads;
use crate::os::{Reader, Row, SocketTable, TableRequest, TcpDetail};
use interface_names::Interfaces;

/// Returns the further facts that netlink reports about a row's socket.
pub(super) fn detail(row: &Row) -> TcpDetail {
    row.detail
}

/// Returns what identifies a row's socket.
#[cfg(feature = "cli")]
pub(super) fn cookie(row: &Row) -> Option<u64> {
    row.cookie
}

/// Returns what the table reports about a row's holders: the cgroup in which the socket was created, and pids. The cookie
/// tells a socket from a later one with the same inode number.
pub(super) fn holder_data(row: &Row) -> Vec<u64> {
    let pids = row.pids.iter().map(|pid| u64::from(*pid));
    row.cgroup.into_iter().chain(row.cookie).chain(pids).collect()
}

/// Reads the requested tables by netlink. A table that netlink does not return is read from /proc/net.
pub(in crate::os) fn read(request: &TableRequest) -> Result<SocketTable, Error> {
    let mut connection = sock_diag::connection();
    let mut faults: Vec<NetlinkError> = Vec::new();
    let mut sources = TablesBySource::default();
    let mut interfaces = Interfaces::default();
    let mut bound_unknown: Option<UnlistedBound> = None;
    let mut whole = netstat2::collect(request, |table| {
        let states = if request.all { States::All } else { States::Listeners };
        match inet_diag::sockets_over(&mut connection, table, states, request.port) {
            Ok(mut entries) => {
                if request.all && table.protocol == Protocol::Tcp {
                    match inet_diag::sockets_over(&mut connection, table, States::Bound, request.port) {
                        // Older kernels ignore the bit of this state without an error.
                        Ok(bound) if bound.is_empty() && inet_diag::lists_bound() == Some(false) => {
                            bound_unknown = Some(UnlistedBound::OlderKernel);
                        }
                        Ok(bound) => entries.extend(bound),
                        Err(fault) => bound_unknown = Some(UnlistedBound::Netlink(Text::from_display(fault))),
                    }
                }
                sources.netlink.push((table.protocol, table.family));
                Ok(compact::convert(entries, |entry| row(table.protocol, entry, &mut interfaces)))
            }
            Err(fault) if request.reader == Reader::Native => Err(native_refused(table, fault)),
            Err(fault) => {
                if request.all && table.protocol == Protocol::Tcp {
                    bound_unknown = Some(UnlistedBound::ProcNet(Text::from_display(fault)));
                }
                faults.push(fault);
                sources.proc_net.push((table.protocol, table.family));
                from_proc(procfs::own_net()?, table, request.all)
            }
        }
    })?;
    if request.udplite {
        read_udplite(request, &mut whole, &mut |table| match inet_diag::sockets_over(
            &mut connection,
            table,
            if request.all { States::All } else { States::Listeners },
            request.port,
        ) {
            Ok(entries) => {
                sources.netlink.push((table.protocol, table.family));
                Ok(compact::convert(entries, |entry| row(table.protocol, entry, &mut interfaces)))
            }
            Err(fault) if request.reader == Reader::Native => Err(native_refused(table, fault)),
            Err(fault) => {
                faults.push(fault);
                sources.proc_net.push((table.protocol, table.family));
                from_proc(procfs::own_net()?, table, request.all)
            }
        });
    }
    if request.sctp_dccp {
        // Only if the kernel has the protocol already: the request itself would load its module.
        for (protocol, sysctls) in
            [(Protocol::Sctp, "/proc/sys/net/sctp"), (Protocol::Dccp, "/proc/sys/net/dccp")]
        {
            if access(sysctls, Access::EXISTS).is_ok() {
                add_sctp_dccp(protocol, request, &mut whole, &mut interfaces);
            }
        }
    }
    if request.unix {
        let by_netlink = unix_diag::sockets(request.all);
        let source = if by_netlink.is_ok() { &mut sources.netlink } else { &mut sources.proc_net };
        source.push((Protocol::Unix, Family::Unix));
        let entries = by_netlink.or_else(|fault| {
            faults.push(fault);
            procfs::own_net().and_then(procfs::unix_sockets)
        });
        match entries {
            Ok(entries) => netstat2::append(&mut whole.rows, compact::convert(entries, unix_row)),
            Err(error) if whole.rows.is_empty() && !request.tcp && !request.udp => return Err(error),
            Err(error) => {
                whole.complete = false;
                whole.gaps.push(Gap::failed(GapKind::Sockets, crate::os::describe_chain(&error)));
            }
        }
    }
    if let Some(fault) = faults.first() {
        let detail = GapDetail::ByProcNet(Text::from_display(fault));
        whole.gaps.push(Gap::new(GapKind::Sockets, GapReason::Netlink, faults.len(), detail, None));
    }
    if let Some(why) = bound_unknown {
        let detail = GapDetail::BoundSockets(why);
        whole.gaps.push(Gap::new(GapKind::Sockets, GapReason::Bound, 1, detail, None));
        whole.lacks_bound = true;
    }
    whole.sources = sources.reads(faults.first());
    Ok(whole)
}

/// The tables that came from netlink and from /proc/net.
#[derive(Default)]
struct TablesBySource {
    netlink: Vec<(Protocol, Family)>,
    proc_net: Vec<(Protocol, Family)>,
}

impl TablesBySource {
    fn reads(self, fault: Option<&NetlinkError>) -> Vec<TableRead> {
        let proc_net = TableSource::ProcNet { error: fault.map(Text::from_display) };
        [(self.netlink, TableSource::Netlink), (self.proc_net, proc_net)]
            .into_iter()
            .filter(|(tables, _)| !tables.is_empty())
            .map(|(tables, source)| TableRead { tables, source })
            .collect()
    }
}

/// Adds the sockets of UDP-Lite, if this kernel has it; newer ones do not.
fn read_udplite(
    request: &TableRequest,
    whole: &mut SocketTable,
    read: &mut dyn FnMut(InetTable) -> Result<Vec<Row>, Error>,
) {
    if std::fs::symlink_metadata("/proc/thread-self/net/udplite").is_err() {
        return;
    }
    for (wanted, family) in [(request.ipv4, Family::Ipv4), (request.ipv6, Family::Ipv6)] {
        if !wanted {
            continue;
        }
        match read(InetTable { protocol: Protocol::UdpLite, family }) {
            Ok(rows) => whole.rows.extend(rows),
            Err(error) => {
                whole.complete = false;
                whole.gaps.push(Gap::failed(GapKind::Sockets, crate::os::describe_chain(&error)));
            }
        }
    }
}

/// Adds the sockets of UDP-Lite from /proc/net.
pub(in crate::os) fn add_udplite_from_proc(
    directory: impl AsFd,
    request: &TableRequest,
    whole: &mut SocketTable,
) {
    if request.udplite {
        read_udplite(request, whole, &mut |table| from_proc(&directory, table, request.all));
    }
}

/// Adds the sockets of a protocol that only netlink lists.
fn add_sctp_dccp(
    protocol: Protocol,
    request: &TableRequest,
    whole: &mut SocketTable,
    interfaces: &mut Interfaces,
) {
    let states = if request.all { States::All } else { States::Listeners };
    for (wanted, family) in [(request.ipv4, Family::Ipv4), (request.ipv6, Family::Ipv6)] {
        let table = InetTable { protocol, family };
        match inet_diag::sockets(table, states, request.port) {
            _ if !wanted => {}
            Ok(entries) => {
                whole.rows.extend(entries.into_iter().map(|entry| row(protocol, entry, interfaces)))
            }
            Err(fault) => {
                whole.complete = false;
                let detail = GapDetail::SocketTable { protocol, family, error: Text::from_display(fault) };
                whole.gaps.push(Gap::new(GapKind::Sockets, GapReason::Netlink, 1, detail, None));
            }
        }
    }
}

/// Reads the tables of a namespace that may not be entered, by its /proc/PID/net directory.
pub(in crate::os) fn read_proc(directory: impl AsFd, request: &TableRequest) -> Result<SocketTable, Error> {
    let mut whole = netstat2::collect(request, |table| from_proc(&directory, table, request.all))?;
    add_udplite_from_proc(&directory, request, &mut whole);
    if request.unix {
        whole.rows.extend(procfs::unix_sockets(&directory)?.into_iter().map(unix_row));
    }
    Ok(whole)
}

/// Returns the inode numbers of a table's sockets at this moment.
pub(in crate::os) fn inodes(table: InetTable, listeners: bool) -> Option<BTreeSet<u64>> {
    let states = if listeners { States::Listeners } else { States::All };
    let listed: BTreeSet<u64> = match (table.protocol, inet_diag::sockets(table, states, None)) {
        (Protocol::Unix, _) => unix_diag::sockets(true).ok()?.iter().map(|entry| entry.inode).collect(),
        (_, Ok(mut entries)) => {
            if !listeners && table.protocol == Protocol::Tcp {
                entries.extend(inet_diag::sockets(table, States::Bound, None).ok()?);
            }
            entries.iter().filter_map(|entry| entry.inode).collect()
        }
        (Protocol::Sctp | Protocol::Dccp, Err(_)) => return None,
        (_, Err(_)) => procfs::net_sockets(procfs::own_net().ok()?, table)
            .ok()?
            .into_iter()
            .map(|(inode, _)| inode)
            .collect(),
    };
    Some(listed)
}

fn row(protocol: Protocol, entry: inet_diag::InetDiagEntry, interfaces: &mut Interfaces) -> Row {
    let endpoint = Endpoint::Ip {
        address: entry.local.ip(),
        port: entry.local.port(),
        interface: entry.interface.map(|index| interfaces.name(index)),
    };
    let mut socket = Socket::new(protocol, endpoint, entry.state);
    if entry.local.is_ipv6() {
        // Only the wildcard address takes both families, and only while the socket is not connected.
        socket.dual_stack = match entry.local.ip().is_unspecified() && entry.peer.is_none() {
            true => entry.v6only.map(|only| !only),
            false => Some(false),
        };
    }
    socket.peer = entry.peer;
    socket.inode = entry.inode;
    user_namespace::set_user(&mut socket, entry.uid);
    socket.queue = entry.queue;
    let (cgroup, cookie) = (entry.cgroup, Some(entry.cookie));
    Row { socket, pids: Vec::new(), cgroup, file: None, detail: entry.detail, cookie }
}

fn unix_row(entry: unix_diag::UnixDiagEntry) -> Row {
    let mut socket = Socket::new(Protocol::Unix, Endpoint::Unix { path: entry.path }, entry.state);
    socket.inode = Some(entry.inode);
    socket.uid = entry.uid;
    socket.queue = entry.queue.filter(|_| entry.state == State::Listen);
    Row {
        socket,
        pids: Vec::new(),
        cgroup: None,
        file: entry.file,
        detail: TcpDetail::default(),
        cookie: None,
    }
}

fn from_proc(directory: impl AsFd, table: InetTable, all: bool) -> Result<Vec<Row>, Error> {
    let listed = procfs::net_sockets(directory, table)?;
    let rows = listed.into_iter().map(|(inode, listed)| {
        let endpoint =
            Endpoint::Ip { address: listed.local.ip(), port: listed.local.port(), interface: None };
        let state = match (table.protocol, listed.state, listed.peer) {
            (Protocol::Udp | Protocol::UdpLite, 7, None) => State::Bound,
            (_, state, _) => procfs::tcp_state(state),
        };
        let mut socket = Socket::new(table.protocol, endpoint, state);
        if listed.local.is_ipv6() && !listed.local.ip().is_unspecified() {
            socket.dual_stack = Some(false);
        }
        socket.peer = listed.peer;
        socket.inode = (inode != 0).then_some(inode);
        user_namespace::set_user(&mut socket, listed.uid);
        Row { socket, pids: Vec::new(), cgroup: None, file: None, detail: TcpDetail::default(), cookie: None }
    });
    Ok(rows.filter(|row| all || row.socket.is_listener()).collect())
}

/// Reads the socket table.
pub(in crate::os) fn sockets(request: &TableRequest) -> Result<SocketTable, Error> {
    procfs::require()?;
    let mut whole = match request.reader {
        Reader::Auto | Reader::Native => read(request)?,
        Reader::Netstat2 if request.namespaces => {
            return Err(Error::new(ErrorKind::Unsupported, "netstat2 reads one network namespace alone"));
        }
        Reader::Netstat2 => verified_netstat2::read(request)?,
    };
    if request.namespaces {
        add_other_namespaces(request, &mut whole);
    }
    if !whole.rows.is_empty()
        && let Some(overflow) = OverflowUid::current()
    {
        for row in &mut whole.rows {
            overflow.unmap_socket(&mut row.socket);
        }
    }
    Ok(whole)
}

/// Adds the sockets of the other network namespaces. One that may not be entered is read through /proc.
fn add_other_namespaces(request: &TableRequest, whole: &mut SocketTable) {
    let (namespaces, gaps) = namespaces::others(request);
    whole.complete &= gaps.is_empty();
    whole.gaps.extend(gaps);
    let (mut shut, mut without_thread) = (0, 0);
    let entered = namespaces::in_each(&namespaces, |_| read(request));
    let refused: Vec<&Namespace> =
        namespaces.iter().zip(&entered).filter(|(_, entered)| entered.is_err()).map(|(one, _)| one).collect();
    let mut by_proc = threads::map(&refused, namespaces::at_once(), |namespace| {
        namespace.proc_net().map(|directory| read_proc(&directory, request))
    })
    .into_iter();
    for (namespace, entered) in namespaces.iter().zip(entered) {
        let read = match entered {
            Ok(read) => read,
            Err(error) => {
                match error {
                    NotEntered::Refused(_) => shut += 1,
                    NotEntered::NoThread(_) => without_thread += 1,
                }
                by_proc.next().flatten().unwrap_or_else(|| {
                    let attempted = "cannot enter a network namespace in which no process is left";
                    Err(Error::new(ErrorKind::SocketTable, attempted).because(error))
                })
            }
        };
        match read {
            Ok(read) => {
                whole.complete &= read.complete;
                whole.gaps.extend(read.gaps);
                whole.rows.extend(read.rows.into_iter().map(|mut row| {
                    row.socket.namespace = Some(namespace.name.clone());
                    row
                }));
            }
            Err(error) => {
                whole.complete = false;
                whole.gaps.push(Gap::failed(GapKind::Namespaces, crate::os::describe_chain(&error)));
            }
        }
    }
    if without_thread > 0 {
        let detail = GapDetail::NamespacesWithoutThread;
        let help = Help::RaiseProcessLimit;
        whole.gaps.push(Gap::new(GapKind::Namespaces, GapReason::Threads, without_thread, detail, help));
    }
    if shut > 0 {
        let (detail, help) = (GapDetail::NamespacesNotEntered, Help::Privileges(PrivilegePurpose::Enter));
        whole.gaps.push(Gap::new(GapKind::Namespaces, GapReason::Permission, shut, detail, help));
    }
}

/// Returns the error of the native reader, which was requested and may not fall back to another one.
fn native_refused(table: InetTable, fault: NetlinkError) -> Error {
    let attempted = format!("the native reader cannot read {table}");
    let mut error = Error::new(ErrorKind::Unsupported, attempted).because(fault);
    error.help = Some(Help::AutomaticReader);
    error
}
