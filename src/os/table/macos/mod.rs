//! The socket table of macOS: the kernel's own lists, which tell of everybody's sockets, read by sysctl without rights.
//! macOS 27 is reported to tell a user of that user's own sockets alone, root aside; then those of processes whose
//! descriptors may be read are added, and what netstat prints of others. What nobody tells is a gap.

pub(in crate::os) mod kernel;
pub(in crate::os) mod netstat;

use nix::net::if_::if_indextoname;

use crate::model::{
    Endpoint, Error, ErrorKind, Gap, GapDetail, GapKind, GapReason, Help, Protocol, Purpose, Socket, Text,
};
use crate::os::holders::sys::walk;
use crate::os::holders::sys::walk::Seen;
use crate::os::parse::xnu::netstat::{Row as PrintedRow, foreign as others};
use crate::os::parse::xnu::{Entry, pcblist};
use crate::os::users;
use crate::os::{Reader, Request, Row, SocketTable};

/// How often a list is read that changes meanwhile.
const ATTEMPTS: usize = 5;

/// A list, and what of it could not be read.
struct List {
    entries: Vec<Entry>,
    gaps: Vec<Gap>,
    /// Whether it is much shorter than the kernel said it would be.
    shortened: bool,
}

/// The sockets that a request is about.
pub(in crate::os) fn read(request: &Request) -> Result<SocketTable, Error> {
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
    if withheld.is_some() || shortened || !tells_of_others(&entries, request) {
        whole.complete = false;
        let walked = walk::sockets().map_err(|error| match withheld.take() {
            Some(withheld) => withheld,
            None => Error::new(ErrorKind::Processes, "cannot list the processes").because(error),
        })?;
        whole.gaps.extend(walked.failures());
        let known = entries.iter().chain(walked.seen.iter().map(|seen| &seen.entry));
        whole.gaps.extend(withheld.map(|error| Gap {
            help: Some(HELP),
            ..Gap::failed(GapKind::Sockets, crate::os::describe_chain(&error))
        }));
        match netstat::printed().map(|printed| (others(&printed.rows, known), printed.unread)) {
            // Some service of the system is always among them, if it shows others at all.
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
        add(&mut entries, walked.seen, request);
    }
    entries.retain(|entry| is_wanted(&entry.socket, request));
    whole.rows = entries.into_iter().map(row).collect();
    foreign.retain(|row| wanted(request).any(|protocol| protocol == row.socket.protocol));
    foreign.retain(|row| is_wanted(&row.socket, request));
    whole.rows.extend(foreign.into_iter().map(printed_row));
    Ok(whole)
}

const HELP: Help = Help::Privileges(Purpose::SeeMany);

fn wanted(request: &Request) -> impl Iterator<Item = Protocol> {
    let wanted = [(request.tcp, Protocol::Tcp), (request.udp, Protocol::Udp)];
    wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, protocol)| protocol)
}

/// One of the kernel's lists, read again while it changes.
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
        shortened = pcblist::is_shortened(reported, bytes.len());
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

/// Whether the lists tell of sockets of other users too. The system's own services have some on every Mac (the one that
/// answers for Bonjour, which is UDP), so that lists in which there are none were shortened for who asks.
fn tells_of_others(entries: &[Entry], request: &Request) -> bool {
    let own = users::own();
    let of_others =
        |entries: &[Entry]| entries.iter().any(|entry| entry.socket.uid.is_some_and(|uid| Some(uid) != own));
    own == Some(0)
        || of_others(entries)
        || (!request.udp && list(Protocol::Udp).is_ok_and(|list| of_others(&list.entries)))
}

/// Adds sockets that were seen in descriptor tables and are in no list, each once.
fn add(entries: &mut Vec<Entry>, seen: Vec<Seen>, request: &Request) {
    let protocols: Vec<Protocol> = wanted(request).collect();
    let key = |entry: &Entry| (entry.socket.protocol, entry.generation);
    let mut known: Vec<_> = entries.iter().map(key).collect();
    known.sort_unstable();
    for Seen { entry, .. } in seen {
        let key = key(&entry);
        if let Err(at) = known.binary_search(&key)
            && protocols.contains(&entry.socket.protocol)
        {
            known.insert(at, key);
            entries.push(entry);
        }
    }
}

fn is_wanted(socket: &Socket, request: &Request) -> bool {
    let family = match socket.endpoint.address() {
        Some(address) if address.is_ipv6() => request.ipv6,
        _ => request.ipv4,
    };
    family && (request.all || socket.is_listener())
}

fn row(entry: Entry) -> Row {
    let Entry { mut socket, scope, generation, open, last_users } = entry;
    if let (Some(scope), Endpoint::Ip { interface, .. }) = (scope, &mut socket.endpoint) {
        *interface = Some(interface_name(scope));
    }
    Row { socket, told: PcbInfo { generation, open, last_users, by_netstat: false } }
}

/// A socket that netstat alone tells of. Its user is not printed.
fn printed_row(row: PrintedRow) -> Row {
    let PrintedRow { socket, pid, generation } = row;
    // Pid 0 is the kernel; but it is also what is printed if nobody is known.
    let last_users = pid.filter(|pid| *pid != 0).map(|pid| [pid, pid]);
    let generation = generation.unwrap_or(0);
    Row { socket, told: PcbInfo { generation, open: true, last_users, by_netstat: true } }
}

/// An interface's name, or its number where it has none any more.
fn interface_name(number: u32) -> Text {
    if_indextoname(number).map_or_else(|_| number.to_string().as_str().into(), |name| name.as_bytes().into())
}

/// What the kernel tells of a socket besides what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PcbInfo {
    /// The number of its control block.
    pub(in crate::os) generation: u64,
    /// Whether there is a socket still.
    pub(in crate::os) open: bool,
    /// Who used it last, and on whose behalf.
    pub(in crate::os) last_users: Option<[u32; 2]>,
    /// Whether netstat printed it, and no list of the kernel.
    pub(in crate::os) by_netstat: bool,
}

impl PcbInfo {
    /// The number of the control block, which no other socket has.
    pub(in crate::os) fn generation(&self) -> u64 {
        self.generation
    }
}

/// The socket table.
pub(in crate::os) fn sockets(request: &Request) -> Result<SocketTable, Error> {
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
