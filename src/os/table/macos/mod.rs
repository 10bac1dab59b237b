//! The socket table of macOS: the kernel's own lists, read by sysctl without privileges, which have the sockets of all
//! users. macOS 27 is reported to return only a user's own sockets, except to root; then the sockets of processes whose
//! descriptors may be read are added, and those of other users that netstat prints. What none of these report is a gap.

pub(in crate::os) mod netstat;

#[cfg(feature = "cli")]
pub(super) use super::unsupported::cookie;
pub(super) use super::unsupported::{detail, find_unix_paths};
use nix::net::if_::if_indextoname;

use crate::model::{
    Endpoint, Error, ErrorKind, Gap, GapDetail, GapKind, GapReason, Help, PrivilegePurpose, Protocol, Socket,
    Text,
};
use crate::os::descriptors::sys as descriptors;
use crate::os::descriptors::sys::SocketDescriptor;
use crate::os::macos_api as kernel;
use crate::os::parse::xnu::foreign::foreign as others;
use crate::os::parse::xnu::netstat::Row as PrintedRow;
use crate::os::parse::xnu::{PcbEntry, pcblist, shortened};
use crate::os::users;
use crate::os::{Reader, Row, SocketTable, TableRequest};

/// The number of attempts for a list that changes meanwhile.
const ATTEMPTS: usize = 5;

/// A list, and gaps for its parts that could not be read.
struct List {
    entries: Vec<PcbEntry>,
    gaps: Vec<Gap>,
    /// Whether it is much shorter than the kernel said it would be.
    shortened: bool,
}

/// Returns the sockets that a request is about.
pub(in crate::os) fn read(request: &TableRequest) -> Result<SocketTable, Error> {
    let mut whole = SocketTable::empty();
    let mut entries = Vec::new();
    let mut withheld = None;
    let mut shortened = false;
    for protocol in wanted(request) {
        match list(protocol) {
            Ok(list) => {
                whole.complete &= list.gaps.is_empty();
                whole.gaps.extend(list.gaps);
                entries.extend(list.entries);
                shortened |= list.shortened && users::own() != Some(0);
            }
            Err(error) => withheld = Some(error),
        }
    }
    let mut foreign = Vec::new();
    if withheld.is_some() || shortened || !includes_other_users(&entries, request) {
        whole.complete = false;
        let walked = descriptors::sockets().map_err(|error| match withheld.take() {
            Some(withheld) => withheld,
            None => Error::new(ErrorKind::Processes, "cannot list the processes").because(error),
        })?;
        whole.gaps.extend(walked.failures());
        let known = entries.iter().chain(walked.found.iter().map(|seen| &seen.entry));
        whole.gaps.extend(withheld.map(|error| Gap {
            help: Some(HELP),
            ..Gap::failed(GapKind::Sockets, crate::os::describe_chain(&error))
        }));
        match netstat::printed().map(|printed| (others(&printed.rows, known), printed.unread)) {
            // If netstat shows other users' sockets at all, some service of the system is among them.
            Ok((rows, unread)) if !rows.is_empty() => {
                foreign = rows;
                if unread > 0 {
                    let detail = GapDetail::NetstatRows;
                    whole.gaps.push(Gap::new(
                        GapKind::Sockets,
                        GapReason::Unreadable,
                        unread,
                        detail,
                        Some(HELP),
                    ));
                }
                whole.complete = whole.gaps.is_empty();
            }
            Ok(_) => {
                let detail = GapDetail::WithheldSockets(None);
                whole.gaps.push(Gap::new(GapKind::Sockets, GapReason::Permission, 1, detail, HELP));
            }
            Err(why) => {
                let detail = GapDetail::WithheldSockets(Some(why.as_str().into()));
                whole.gaps.push(Gap::new(GapKind::Sockets, GapReason::Permission, 1, detail, HELP));
            }
        }
        add(&mut entries, walked.found, request);
    }
    entries.retain(|entry| is_wanted(&entry.socket, request));
    whole.rows = entries.into_iter().map(row).collect();
    foreign.retain(|row| wanted(request).any(|protocol| protocol == row.socket.protocol));
    foreign.retain(|row| is_wanted(&row.socket, request));
    whole.rows.extend(foreign.into_iter().map(printed_row));
    Ok(whole)
}

const HELP: Help = Help::Privileges(PrivilegePurpose::SeeMany);

fn wanted(request: &TableRequest) -> impl Iterator<Item = Protocol> {
    let wanted = [(request.tcp, Protocol::Tcp), (request.udp, Protocol::Udp)];
    wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, protocol)| protocol)
}

/// Reads one of the kernel's lists, again while it changes.
fn list(protocol: Protocol) -> Result<List, Error> {
    let name = match protocol {
        Protocol::Tcp => c"net.inet.tcp.pcblist_n",
        _ => c"net.inet.udp.pcblist_n",
    };
    let attempted = || Error::new(ErrorKind::SocketTable, format!("cannot read {}", name.to_string_lossy()));
    let mut last = None;
    let mut shortened = false;
    for _ in 0..ATTEMPTS {
        let (bytes, reported) = kernel::sysctl(name).map_err(|error| attempted().because(error))?;
        shortened = shortened::is_shortened(reported, bytes.len());
        let list = pcblist::parse(&bytes, protocol).ok_or_else(|| attempted().because("it has no header"))?;
        let settled = list.settled;
        last = Some(list);
        if settled {
            break;
        }
    }
    let list = last.ok_or_else(attempted)?;
    let mut gaps = Vec::new();
    let name = name.to_string_lossy();
    if !list.settled {
        let detail = GapDetail::ChangingTable(Text::from_display(&name));
        gaps.push(Gap::new(GapKind::Sockets, GapReason::Changed, 1, detail, Help::ScanAgain));
    }
    if list.unread > 0 {
        let detail = GapDetail::UnknownEntries(Text::from_display(&name));
        gaps.push(Gap::new(GapKind::Sockets, GapReason::Unreadable, list.unread, detail, None));
    }
    Ok(List { entries: list.entries, gaps, shortened })
}

/// Returns whether the lists include sockets of other users. The system's own services have some on every Mac (the one
/// for Bonjour, which is UDP), so that lists without any were shortened for this user.
fn includes_other_users(entries: &[PcbEntry], request: &TableRequest) -> bool {
    let own = users::own();
    let of_others = |entries: &[PcbEntry]| {
        entries.iter().any(|entry| entry.socket.uid.is_some_and(|uid| Some(uid) != own))
    };
    own == Some(0)
        || of_others(entries)
        || (!request.udp && list(Protocol::Udp).is_ok_and(|list| of_others(&list.entries)))
}

/// Adds the sockets that are in descriptor tables and in no list, each once.
fn add(entries: &mut Vec<PcbEntry>, seen: Vec<SocketDescriptor>, request: &TableRequest) {
    let protocols: Vec<Protocol> = wanted(request).collect();
    let key = |entry: &PcbEntry| (entry.socket.protocol, entry.generation);
    let mut known: Vec<_> = entries.iter().map(key).collect();
    known.sort_unstable();
    for SocketDescriptor { entry, .. } in seen {
        let key = key(&entry);
        if let Err(at) = known.binary_search(&key)
            && protocols.contains(&entry.socket.protocol)
        {
            known.insert(at, key);
            entries.push(entry);
        }
    }
}

fn is_wanted(socket: &Socket, request: &TableRequest) -> bool {
    let family = match socket.endpoint.address() {
        Some(address) if address.is_ipv6() => request.ipv6,
        _ => request.ipv4,
    };
    family && (request.all || socket.is_listener())
}

fn row(entry: PcbEntry) -> Row {
    let PcbEntry { mut socket, scope, generation, open, last_users } = entry;
    if let (Some(scope), Endpoint::Ip { interface, .. }) = (scope, &mut socket.endpoint) {
        *interface = Some(interface_name(scope));
    }
    Row { socket, pcb: PcbInfo { generation, open, last_users, by_netstat: false } }
}

/// Returns a row for a socket that only netstat reports. It does not print the user.
fn printed_row(row: PrintedRow) -> Row {
    let PrintedRow { socket, pid, generation } = row;
    // Pid 0 is the kernel, but is also printed if no process is known.
    let last_users = pid.filter(|pid| *pid != 0).map(|pid| [pid, pid]);
    let generation = generation.unwrap_or(0);
    Row { socket, pcb: PcbInfo { generation, open: true, last_users, by_netstat: true } }
}

/// Returns an interface's name, or its index if it has no name any more.
fn interface_name(number: u32) -> Text {
    if_indextoname(number).map_or_else(|_| number.to_string().as_str().into(), |name| name.as_bytes().into())
}

/// Facts about a socket from its protocol control block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PcbInfo {
    /// The number of its control block.
    pub(in crate::os) generation: u64,
    /// Whether the socket still exists.
    pub(in crate::os) open: bool,
    /// The pids of the process that used it last, and of the process on whose behalf.
    pub(in crate::os) last_users: Option<[u32; 2]>,
    /// Whether only netstat reported it, and no list of the kernel.
    pub(in crate::os) by_netstat: bool,
}

/// Returns what the table reports about a row's holders: the number of the control block, which no other socket has.
pub(super) fn holder_data(row: &Row) -> Vec<u64> {
    vec![row.pcb.generation]
}

/// Reads the socket table.
pub(in crate::os) fn sockets(request: &TableRequest) -> Result<SocketTable, Error> {
    let unsupported = |what| Err(Error::new(ErrorKind::Unsupported, what));
    if request.reader == Reader::Netstat2 {
        return unsupported("netstat2 is not used on macOS: it can name sockets that are not there");
    }
    if request.namespaces {
        return unsupported("macOS has no network namespaces");
    }
    if request.unix {
        return unsupported("Unix sockets are not listed on macOS");
    }
    read(request)
}
