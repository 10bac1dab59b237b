//! Pairs the events of sockets with the passes of a watch: what no pass saw is an [`Occurrence`]. A socket is recognized by
//! the cookie that the kernel gives it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::occurrence::{BriefListener, Occurrence, Refusal};
use crate::bind_attempt::BindTarget;
use crate::compare::Change;
use crate::enrich::program_labels;
use crate::model::compact::{CompactCollect as _, CompactSort as _};
use crate::model::{
    Candidate, Endpoint, ErrorName, Evidence, Gap, GapDetail, GapKind, GapReason, Holder, Listener, Process,
    ProcessId, Protocol, Selection, Snapshot, Socket, State, Text, Unseen, UnseenReason,
};
use crate::os::socket_events::{EventBatch, EventProcess, SocketEvent, SocketEventKind};
use crate::os::{self, Row};
use crate::scan::port_sockets;
use crate::select::FilterContext;

/// The most listeners that are waited for, and the most occurrences of one pass. Beyond them the oldest are dropped and
/// counted as lost.
const MOST: usize = 1000;
/// The most processes of a batch that are examined.
const DESCRIBED: usize = 32;
/// The most ports of a pass whose holders are searched because a bind was refused.
const SEARCHED: usize = 8;
/// The number of passes for which a socket is remembered: the kernel may report its end with delay.
const REMEMBERED: u32 = 20;

/// A protocol, an address and a port.
type Place = (Protocol, IpAddr, u16);

/// Events that wait for the next pass, and sockets that passes have seen.
#[derive(Debug, Default)]
pub(crate) struct EventTracker {
    /// Listeners that no pass has seen yet, by their cookies.
    pending: BTreeMap<u64, Opened>,
    /// Listeners that a pass saw before their events were read, by their cookies.
    late: Vec<(u64, Listener)>,
    ended: VecDeque<BriefListener>,
    refused: VecDeque<Refused>,
    seen: Seen,
    lost: bool,
}

/// A listener that opened.
#[derive(Debug)]
struct Opened {
    listener: Listener,
    /// By the monotonic clock, and by the time of day.
    at: (Duration, Timestamp),
}

/// A refused call, until what has the address is known.
#[derive(Debug)]
struct Refused {
    refusal: Refusal,
    target: BindTarget,
    process: Option<ProcessId>,
}

/// The sockets that the last passes saw.
#[derive(Debug, Default)]
struct Seen {
    pass: u32,
    /// By their cookies.
    sockets: HashMap<u64, SeenSocket>,
    /// The sockets of the last pass that have no cookie, because a table was not read by netlink.
    places: HashSet<Place>,
}

/// A socket that a pass saw.
#[derive(Debug)]
struct SeenSocket {
    /// Its last pass.
    pass: u32,
    /// Whether the filters by process let it through.
    shown: bool,
    inode: Option<u64>,
}

impl Seen {
    /// Adds the sockets of a pass, of which those at `shown` passed all filters.
    fn add_pass(&mut self, rows: &[ListedSocket], shown: &HashSet<Place>) {
        self.pass += 1;
        self.places.clear();
        let without_cookie = rows.iter().filter(|row| row.cookie.is_none());
        self.places.extend(without_cookie.map(|row| row.place));
        for row in rows {
            let Some(cookie) = row.cookie else { continue };
            let socket = SeenSocket { pass: self.pass, shown: shown.contains(&row.place), inode: row.inode };
            self.sockets.insert(cookie, socket);
        }
        let oldest = self.pass.saturating_sub(REMEMBERED);
        self.sockets.retain(|_, socket| socket.pass >= oldest);
    }

    /// Returns whether a pass has seen the socket.
    fn has(&self, cookie: u64, place: Place) -> bool {
        self.sockets.contains_key(&cookie) || self.places.contains(&place)
    }

    /// Returns whether a pass has seen the socket and shown it.
    fn has_shown(&self, cookie: u64, place: Place) -> bool {
        self.sockets.get(&cookie).is_some_and(|socket| socket.shown) || self.places.contains(&place)
    }

    /// Returns the inode of a socket, if a pass has seen it and the table reports inodes.
    fn inode(&self, cookie: u64) -> Option<u64> {
        self.sockets.get(&cookie)?.inode
    }
}

/// A pass, as far as events are compared with it.
pub(crate) struct Pass<'a> {
    pub(crate) listed: &'a [ListedSocket],
    pub(crate) selection: &'a Selection,
    /// The snapshot of the last full scan.
    pub(crate) last: &'a mut Snapshot,
}

/// What identifies a socket of a pass.
#[derive(Debug)]
pub(crate) struct ListedSocket {
    cookie: Option<u64>,
    inode: Option<u64>,
    place: Place,
}

impl ListedSocket {
    /// Returns what identifies the sockets of a table that have ports.
    pub(crate) fn of_rows(rows: &[Row]) -> Vec<ListedSocket> {
        let listed = |row: &Row| {
            let place = place(&row.socket)?;
            Some(ListedSocket { cookie: row.cookie(), inode: row.socket.inode, place })
        };
        rows.iter().filter_map(listed).collect()
    }
}

impl EventTracker {
    /// Takes events that the selection concerns. Returns whether there were any: then a pass is due.
    pub(crate) fn add(&mut self, batch: EventBatch, selection: &Selection) -> bool {
        let mut is_due = batch.lost;
        self.lost |= batch.lost;
        let concerned = |event: &SocketEvent| concerns(selection, event);
        let events: Vec<SocketEvent> = batch.events.into_iter().filter(concerned).collect();
        let opening = events.iter().filter(|event| event.kind.opens());
        let processes = describe(opening, selection.needs_ancestors());
        for event in events {
            is_due |= self.add_event(event, &processes, batch.read_at);
        }
        is_due
    }

    fn add_event(
        &mut self,
        event: SocketEvent,
        processes: &BTreeMap<ProcessId, Process>,
        read_at: Timestamp,
    ) -> bool {
        let at = ago(read_at, event.age);
        let place = (event.protocol, event.address, event.port);
        match event.kind {
            SocketEventKind::Listened | SocketEventKind::Bound => {
                if self.seen.has_shown(event.cookie, place) {
                    // It happened just before a pass, or while the pass read the table. Beyond the limit some listeners stay
                    // without a candidate.
                    if self.late.len() < MOST {
                        self.late.push((event.cookie, listener(&event, processes)));
                    }
                    return false;
                }
                let opened = Opened { listener: listener(&event, processes), at: (event.at, at) };
                self.pending.insert(event.cookie, opened);
                if self.pending.len() > MOST {
                    self.pending.pop_first();
                    self.lost = true;
                }
            }
            SocketEventKind::Closed => {
                if let Some(Opened { listener, at: (since, opened) }) = self.pending.remove(&event.cookie) {
                    let lifetime = event.at.saturating_sub(since);
                    self.end(BriefListener { listener, closed: at, opened: Some((opened, lifetime)) });
                }
            }
            SocketEventKind::Destroyed => {
                if !self.seen.has(event.cookie, place) && !is_perhaps_a_client(&event) {
                    let mut listener = listener(&event, processes);
                    let reason = UnseenReason::Unknown;
                    listener.unseen = Some(Box::new(Unseen {
                        reason,
                        help: None,
                        candidates: Vec::new(),
                        kernel: Vec::new(),
                    }));
                    self.end(BriefListener { listener, closed: at, opened: None });
                }
            }
            SocketEventKind::Refused(call, errno) => {
                let error = std::io::Error::from_raw_os_error(errno);
                let target = BindTarget {
                    protocol: event.protocol,
                    address: Some(event.address),
                    interface: interface(&event),
                    port: event.port,
                };
                let refusal = Refusal {
                    call,
                    attempt: listener(&event, processes),
                    error: os::error_name(&error),
                    reason: os::describe_chain(&error),
                    held_by: Vec::new(),
                    at,
                    times: 1,
                };
                self.refuse(Refused { refusal, target, process: event.process.map(|process| process.id) });
            }
        }
        true
    }

    fn end(&mut self, brief: BriefListener) {
        if self.ended.len() >= MOST {
            self.ended.pop_front();
            self.lost = true;
        }
        self.ended.push_back(brief);
    }

    /// Adds a refused call, or counts it with an equal one.
    fn refuse(&mut self, new: Refused) {
        let is_equal = |known: &&mut Refused| {
            (known.process, &known.target) == (new.process, &new.target)
                && (known.refusal.call, &known.refusal.error) == (new.refusal.call, &new.refusal.error)
        };
        if let Some(known) = self.refused.iter_mut().rev().find(is_equal) {
            (known.refusal.at, known.refusal.times) = (new.refusal.at, known.refusal.times + 1);
            return;
        }
        if self.refused.len() >= MOST {
            self.refused.pop_front();
            self.lost = true;
        }
        self.refused.push_back(new);
    }

    /// Returns what happened before a pass and was not seen by it, in the order of time, and gaps. Names the processes that
    /// opened what the pass saw and no process held any more.
    pub(crate) fn settle(&mut self, pass: Pass<'_>, changes: &mut [Change]) -> (Vec<Occurrence>, Vec<Gap>) {
        let Pass { listed, selection, last } = pass;
        let shown = last.listeners.iter().filter_map(|listener| place(&listener.socket)).collect();
        self.seen.add_pass(listed, &shown);
        let is_shown = |cookie: &u64, opened: &mut Opened| {
            place(&opened.listener.socket).is_none_or(|place| self.seen.has_shown(*cookie, place))
        };
        let opened = self.pending.extract_if(.., is_shown).map(|(cookie, opened)| (cookie, opened.listener));
        for (cookie, opened) in opened.chain(self.late.drain(..)) {
            let inode = self.seen.inode(cookie);
            let changed = changes.iter_mut().flat_map(|change| [&mut change.before, &mut change.after]);
            let shown = changed.flatten().chain(&mut last.listeners);
            shown.for_each(|listener| name_opener(listener, &opened, inode));
        }
        let mut gaps = Vec::new();
        if std::mem::take(&mut self.lost) {
            gaps.push(Gap::new(GapKind::ShortLived, GapReason::Overrun, 1, GapDetail::LostEvents, None));
        }
        let mut all: Vec<Occurrence> = self.ended.drain(..).map(Occurrence::Brief).collect();
        let (refused, filtered) =
            of_processes(self.refused.drain(..).collect(), selection, last, |it| &it.refusal.attempt);
        gaps.extend(filtered);
        all.extend(with_holders(refused));
        let refusals = |it: &Occurrence| matches!(it, Occurrence::Refused(_));
        let (refused, brief): (Vec<_>, Vec<_>) = all.into_iter().partition(refusals);
        let (brief, filtered) = of_processes(brief, selection, last, Occurrence::listener);
        gaps.extend(filtered);
        let mut all: Vec<Occurrence> = brief.into_iter().chain(refused).collect();
        all.compact_sort_by_key(|occurrence| match occurrence {
            Occurrence::Brief(brief) => brief.closed,
            Occurrence::Refused(refusal) => refusal.at,
        });
        (all, gaps)
    }
}

fn place(socket: &Socket) -> Option<Place> {
    match &socket.endpoint {
        Endpoint::Ip { address, port, .. } => Some((socket.protocol, *address, *port)),
        Endpoint::Unix { .. } => None,
    }
}

/// Makes the process that opened a listener the candidate for its holder, if it has none. `inode` is that of the opened
/// socket: another one may have the same address.
fn name_opener(listener: &mut Listener, opened: &Listener, inode: Option<u64>) {
    let (Some(unseen), Some(opener)) = (&mut listener.unseen, opened.holders.first()) else { return };
    let is_another = matches!((listener.socket.inode, inode), (Some(own), Some(other)) if own != other);
    if place(&listener.socket) == place(&opened.socket)
        && !is_another
        && listener.holders.is_empty()
        && unseen.candidates.is_empty()
    {
        let (pid, name) = (opener.process.id.pid, opener.process.name.clone());
        unseen.candidates = vec![Candidate { pid, name, evidence: Evidence::Call }];
    }
}

/// Returns the time of day of an event that had this age when it was read.
fn ago(read_at: Timestamp, age: Duration) -> Timestamp {
    SignedDuration::try_from(age).ok().and_then(|age| read_at.checked_sub(age).ok()).unwrap_or(read_at)
}

/// Returns whether it may be the socket of a client that only sent datagrams: such a socket is bound to every address and a
/// port of the system's choice, and a server that wants that is rare.
fn is_perhaps_a_client(event: &SocketEvent) -> bool {
    event.protocol.is_datagram()
        && event.address.is_unspecified()
        && os::ready_limits(event.protocol).ephemeral.is_none_or(|ports| ports.contains(&event.port))
}

/// Returns the name of the interface that the socket of an event is bound to, or its index if it is gone.
fn interface(event: &SocketEvent) -> Option<Text> {
    let index = event.interface?.to_string();
    Some(os::interface_name(&index).unwrap_or(index).as_str().into())
}

/// Returns whether a selection concerns the socket of an event, apart from its filters by process.
pub(crate) fn concerns(selection: &Selection, event: &SocketEvent) -> bool {
    selection.concerns(&socket(event))
}

/// Returns the socket of an event as the socket table would have it.
fn socket(event: &SocketEvent) -> Socket {
    let endpoint = Endpoint::Ip { address: event.address, port: event.port, interface: interface(event) };
    let state = if event.protocol.is_datagram() { State::Bound } else { State::Listen };
    let mut socket = Socket::new(event.protocol, endpoint, state);
    if let Some(process) = &event.process {
        (socket.uid, socket.user) = (Some(process.uid), os::user_name(process.uid));
    }
    socket
}

/// Returns the listener of an event, with the process that made the call.
fn listener(event: &SocketEvent, processes: &BTreeMap<ProcessId, Process>) -> Listener {
    let mut listener = Listener::new(socket(event));
    if let Some(caller) = &event.process {
        let process = processes.get(&caller.id).cloned().unwrap_or_else(|| ended(caller));
        listener.holders =
            vec![Holder { process: process.into(), descriptors: Vec::new(), evidence: Evidence::Call }];
    }
    listener
}

/// Returns what the kernel reported about a process that has ended.
fn ended(caller: &EventProcess) -> Process {
    let mut process = Process::new(caller.id, caller.name.clone());
    (process.uid, process.user) = (Some(caller.uid), os::user_name(caller.uid));
    process
}

/// Returns facts about the processes of events that still run.
fn describe<'a>(
    events: impl Iterator<Item = &'a SocketEvent>,
    ancestry: bool,
) -> BTreeMap<ProcessId, Process> {
    let mut ids: Vec<ProcessId> =
        events.filter_map(|event| event.process.as_ref()).map(|process| process.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.truncate(DESCRIBED);
    let found = if ancestry { os::describe_with_ancestors(&ids) } else { program_labels::describe(&ids) };
    found.into_values().map(|process| (process.id, process)).collect_map()
}

/// Returns what passes the filters by process, and the gaps for what may pass.
fn of_processes<T>(
    all: Vec<T>,
    selection: &Selection,
    last: &Snapshot,
    listener: impl Fn(&T) -> &Listener,
) -> (Vec<T>, Vec<Gap>) {
    if all.is_empty() || !selection.filters_by_process() {
        return (all, Vec::new());
    }
    let context = FilterContext::read(selection, &last.gaps);
    let mut gaps: Vec<Gap> = Vec::new();
    let keeps = |one: &T| {
        let listeners = vec![listener(one).clone()];
        let mut snapshot = Snapshot { listeners, gaps: Vec::new(), paths: Vec::new(), ..last.clone() };
        selection.drop_by_process(&mut snapshot, &context, &|| None);
        for gap in snapshot.gaps {
            match gaps.iter_mut().find(|known| known.detail == gap.detail) {
                Some(known) => known.count += gap.count,
                None => gaps.push(gap),
            }
        }
        !snapshot.listeners.is_empty()
    };
    let kept = { all.into_iter().filter(keeps).collect() };
    (kept, gaps)
}

/// Adds to refused calls what has the address.
fn with_holders(refused: Vec<Refused>) -> Vec<Occurrence> {
    let mut ports: BTreeMap<(Protocol, u16), Vec<Listener>> = BTreeMap::new();
    let occurrence = |mut refused: Refused| {
        let key = (refused.target.protocol, refused.target.port);
        if refused.refusal.error == ErrorName::InUse && (ports.len() < SEARCHED || ports.contains_key(&key)) {
            let at_port = ports.entry(key).or_insert_with(|| sockets_at(key));
            let overlaps = |listener: &&Listener| refused.target.overlaps(&listener.socket);
            refused.refusal.held_by = at_port.iter().filter(overlaps).cloned().collect();
        }
        Occurrence::Refused(refused.refusal)
    };
    refused.into_iter().map(occurrence).collect()
}

/// Returns the sockets at a port with their holders: those that listen if there are any, else those that are bound.
fn sockets_at((protocol, port): (Protocol, u16)) -> Vec<Listener> {
    let Ok(mut table) = port_sockets::sockets(protocol, Some(port), true) else { return Vec::new() };
    let listens = |row: &Row| row.socket.is_listener();
    match table.rows.iter().any(listens) {
        true => table.rows.retain(listens),
        false => table.rows.retain(|row| row.socket.state == State::Bound),
    }
    port_sockets::holders(table.rows).map(|(listeners, _)| listeners).unwrap_or_default()
}
