//! Selects listeners: predicates on sockets, then on processes. They apply to a saved snapshot too.

mod coverage;

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::model::{
    Error, ErrorKind, Gap, GapDetail, GapKind, GapReason, Help, Listener, Process, Protocol, Snapshot,
    Socket, State, Text,
};
use crate::model::{Selection, Target, UserName};
use crate::os;
use crate::port_sharing::{Sharing, answering};

impl Selection {
    /// Returns the targets. Empty for every socket.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Returns whether sockets in every state are selected.
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// Returns whether there are filters by pid, user or command.
    pub fn filters_by_process(&self) -> bool {
        !(self.pids.is_empty() && self.users.is_empty() && self.commands.is_empty())
    }

    /// Returns the port if all targets are one port.
    pub(crate) fn one_port(&self) -> Option<u16> {
        let (first, rest) = self.targets.split_first()?;
        let port = first.single_port()?;
        rest.iter().all(|target| target.single_port() == Some(port)).then_some(port)
    }

    /// Returns the paths of Unix sockets among the targets, sorted.
    pub(crate) fn unix_paths(&self) -> Vec<Text> {
        let mut paths: Vec<Text> = self.targets.iter().filter_map(Target::path).map(Text::from).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    /// Returns whether a target names this protocol.
    fn names_protocol(&self, protocol: Protocol) -> bool {
        self.targets.iter().any(|target| target.protocol() == Some(protocol))
    }

    pub(crate) fn wants(&self, protocol: Protocol) -> bool {
        match self.protocols.is_empty() {
            // UDP-Lite is not UDP, and is selected only by name.
            true if protocol == Protocol::UdpLite => self.all || self.names_protocol(protocol),
            true => protocol != Protocol::Unix || self.targets.iter().any(Target::is_unix),
            false if protocol == Protocol::UdpLite => {
                self.names_protocol(protocol) || self.protocols.contains(&protocol)
            }
            false => {
                let unix = protocol == Protocol::Unix && self.targets.iter().any(Target::is_unix);
                unix || self.protocols.contains(&protocol)
            }
        }
    }

    /// Returns whether a socket passes everything but targets and process filters.
    pub(crate) fn admits(&self, socket: &Socket) -> bool {
        let family = match (self.ipv4, self.ipv6) {
            (true, false) => socket.takes_ipv4() != Some(false),
            (false, true) => socket.endpoint.address().is_some_and(|address| address.is_ipv6()),
            _ => true,
        };
        let exposed =
            || matches!(socket.exposure(), crate::model::Exposure::All | crate::model::Exposure::Address);
        self.wants(socket.protocol)
            && (self.all || socket.is_listener())
            && (self.all || socket.state != State::Bound || socket.protocol.is_datagram())
            && family
            && (!self.exposed || exposed())
    }

    /// Returns whether a socket may match, regardless of other sockets and of processes.
    pub(crate) fn concerns(&self, socket: &Socket) -> bool {
        let answers = |target: &Target| target.answered_by(socket).is_some();
        self.admits(socket) && (self.targets.is_empty() || self.targets.iter().any(answers))
    }

    /// Splits rows into those that match and the others. `in_order` is whether the rows are in the order in which the
    /// system listed them.
    pub(crate) fn split<T>(
        &self,
        rows: Vec<T>,
        in_order: bool,
        socket: impl Fn(&T) -> &Socket,
    ) -> (Vec<T>, Vec<T>) {
        let admitted: Vec<bool> = rows.iter().map(|row| self.admits(socket(row))).collect();
        let mut matching = vec![self.targets.is_empty(); rows.len()];
        for target in &self.targets {
            // For a target with an address, only the best match of each port and protocol counts.
            let mut best: BTreeMap<Place<'_>, u8> = BTreeMap::new();
            let ranks: Vec<Option<u8>> = rows
                .iter()
                .zip(&admitted)
                .map(|(row, admitted)| admitted.then(|| target.answered_by(socket(row))).flatten())
                .collect();
            for (row, rank) in rows.iter().zip(&ranks) {
                if let Some(rank) = rank {
                    let best = best.entry(place(socket(row))).or_default();
                    *best = (*best).max(*rank);
                }
            }
            for ((row, rank), matches) in rows.iter().zip(&ranks).zip(&mut matching) {
                let is_best = *rank == best.get(&place(socket(row))).copied();
                let decided = target.address().is_some() && socket(row).is_listener();
                *matches |= rank.is_some() && is_best && !decided;
            }
            if target.address().is_some() {
                let listens = |at: &usize| {
                    ranks.get(*at).is_some_and(Option::is_some)
                        && rows.get(*at).is_some_and(|row| socket(row).is_listener())
                };
                let listeners: Vec<usize> = (0..rows.len()).filter(listens).collect();
                let sockets = |at: &usize| rows.get(*at).map(|row| (*at, socket(row)));
                let listeners: Vec<(usize, &Socket)> = listeners.iter().filter_map(sockets).collect();
                for at in reached(target, &listeners, in_order) {
                    if let Some(matches) = matching.get_mut(at) {
                        *matches = true;
                    }
                }
            }
        }
        let mut yes = Vec::new();
        let mut no = Vec::new();
        for ((row, admitted), matches) in rows.into_iter().zip(admitted).zip(matching) {
            if admitted && matches { yes.push(row) } else { no.push(row) }
        }
        (yes, no)
    }

    /// Returns the targets that no listener of a snapshot matches.
    pub fn unanswered(&self, snapshot: &Snapshot) -> Vec<&Target> {
        let answered = |target: &Target| {
            snapshot.listeners.iter().any(|listener| target.answered_by(&listener.socket).is_some())
        };
        self.targets.iter().filter(|target| !answered(target)).collect()
    }

    /// Returns what this selects from a snapshot. If the snapshot's own selection does not cover this one, the result
    /// is incomplete, and a gap states what is not covered.
    pub fn apply(&self, snapshot: Snapshot) -> Snapshot {
        let missing = self.not_asked(&snapshot);
        let gap = (!missing.is_empty()).then(|| {
            let (count, asked) = (missing.len(), snapshot.asked.clone().unwrap_or_default());
            let detail = GapDetail::NotAsked { missing, asked };
            Gap::new(GapKind::Snapshot, GapReason::NotAsked, count, detail, None)
        });
        let mut snapshot = self.narrow(snapshot);
        snapshot.complete &= gap.is_none();
        snapshot.gaps.extend(gap);
        snapshot
    }

    /// Returns what this selects from a snapshot, whatever the snapshot covers.
    pub(crate) fn narrow(&self, mut snapshot: Snapshot) -> Snapshot {
        let listeners = std::mem::take(&mut snapshot.listeners);
        let (matching, _) = self.split(listeners, false, |listener| &listener.socket);
        snapshot.listeners = matching;
        self.drop_by_process(&mut snapshot, &|| None);
        match &mut snapshot.asked {
            Some(asked) if asked.contains(self) => {}
            Some(asked) => asked.push(self.clone()),
            None => snapshot.asked = Some(vec![self.clone()]),
        }
        snapshot.sort();
        snapshot
    }

    /// Drops listeners that do not pass the process filters. A listener whose holders are not all known is dropped too,
    /// and makes the snapshot incomplete. `unread` returns the processes that may be the unseen holders, or `None` if
    /// any process may.
    pub(crate) fn drop_by_process(&self, snapshot: &mut Snapshot, unread: &dyn Fn() -> Option<Vec<Process>>) {
        if !self.filters_by_process() {
            return;
        }
        let candidates = OnceCell::new();
        let may_be = |matches: &dyn Fn(&Process) -> bool| match candidates.get_or_init(unread) {
            Some(processes) => processes.iter().any(matches),
            None => true,
        };
        let (mut undecided, mut of_unknown_user) = (0, 0);
        snapshot.listeners.retain(|listener| match self.keeps(listener, &may_be) {
            Kept::Yes => true,
            Kept::No => false,
            Kept::IfHolderMatches => {
                undecided += 1;
                false
            }
            Kept::IfUserMatches => {
                of_unknown_user += 1;
                false
            }
        });
        if of_unknown_user > 0 {
            snapshot.complete = false;
            snapshot.gaps.push(Gap::new(
                GapKind::Users,
                GapReason::Unknown,
                of_unknown_user,
                GapDetail::UnknownUsers,
                None,
            ));
        }
        if undecided > 0 {
            snapshot.complete = false;
            snapshot.gaps.push(Gap::new(
                GapKind::Holders,
                GapReason::Unseen,
                undecided,
                GapDetail::UnseenHolders,
                None,
            ));
        }
    }

    /// Returns whether a listener passes the process filters.
    pub(crate) fn keeps(&self, listener: &Listener, may_be: &MayBe<'_>) -> Kept {
        let unseen = listener.unseen.is_some();
        let decide = |asked: bool, known: bool, matches: &dyn Fn(&Process) -> bool| {
            if !asked || known || listener.holders.iter().any(|holder| matches(&holder.process)) {
                return Kept::Yes;
            }
            if unseen && may_be(matches) { Kept::IfHolderMatches } else { Kept::No }
        };
        let filters = [
            decide(!self.pids.is_empty(), false, &|process| self.pids.contains(&process.id.pid)),
            self.user_keeps(listener, may_be),
            decide(!self.commands.is_empty(), false, &|process| self.names(process)),
        ];
        filters.into_iter().max().unwrap_or(Kept::Yes)
    }

    /// Returns whether a listener passes the filter by user. An unknown user may be any.
    fn user_keeps(&self, listener: &Listener, may_be: &MayBe<'_>) -> Kept {
        let is_asked =
            |uid: Option<u32>, name: &Option<Text>| self.users.iter().any(|user| user.is(uid, name));
        let (socket, holders) = (&listener.socket, &listener.holders);
        let of_process = |process: &Process| is_asked(process.uid, &process.user);
        let is_unknown = |process: &Process| process.unknown_user.is_some();
        match () {
            () if self.users.is_empty() || is_asked(socket.uid, &socket.user) => Kept::Yes,
            () if holders.iter().any(|holder| of_process(&holder.process)) => Kept::Yes,
            () if socket.unknown_user.is_some() => Kept::IfUserMatches,
            () if holders.iter().any(|holder| is_unknown(&holder.process)) => Kept::IfUserMatches,
            () if listener.unseen.is_some()
                && may_be(&|process| of_process(process) || is_unknown(process)) =>
            {
                Kept::IfHolderMatches
            }
            () => Kept::No,
        }
    }

    pub(crate) fn names(&self, process: &Process) -> bool {
        let line: Vec<u8> = process
            .command
            .iter()
            .flatten()
            .map(|argument| argument.as_bytes().to_ascii_lowercase())
            .collect::<Vec<_>>()
            .join(&b' ');
        let name = process.name.as_bytes().to_ascii_lowercase();
        // A process may have another name than its program, and a title instead of its command line.
        let program = process.executable.as_ref().map(|path| path.file_name().to_ascii_lowercase());
        self.commands.iter().any(|text| {
            let text = text.as_bytes().to_ascii_lowercase();
            contains(&name, &text)
                || contains(&line, &text)
                || program.as_ref().is_some_and(|program| contains(program, &text))
        })
    }
}

/// Whether a listener passes the process filters, best first. Of several filters the worst result counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kept {
    Yes,
    /// It passes if an unseen holder matches.
    IfHolderMatches,
    /// It passes if a user matches whose name or uid is unknown here.
    IfUserMatches,
    No,
}

/// Returns whether a process that matches may be an unseen holder.
type MayBe<'a> = dyn Fn(&dyn Fn(&Process) -> bool) -> bool + 'a;

/// Returns the indexes of the listeners that a connection to a target with an address reaches, or may reach if that is
/// unknown.
fn reached(target: &Target, listeners: &[(usize, &Socket)], in_order: bool) -> Vec<usize> {
    let mut by_place: BTreeMap<Place<'_>, Vec<(usize, &Socket)>> = BTreeMap::new();
    for (at, socket) in listeners {
        by_place.entry(place(socket)).or_default().push((*at, socket));
    }
    let of_place = |listeners: &Vec<(usize, &Socket)>| {
        let sockets: Vec<&Socket> = listeners.iter().map(|(_, socket)| *socket).collect();
        let os = std::env::consts::OS;
        let found = answering(os, target, &sockets, Sharing::Unknown, in_order);
        let found = found.map(|found| found.sockets().to_vec()).unwrap_or_default();
        found.into_iter().filter_map(|at| Some(listeners.get(at)?.0)).collect::<Vec<_>>()
    };
    by_place.values().flat_map(of_place).collect()
}

/// The port, protocol and network namespace of a socket. Sockets with an equal key compete for the same peers.
type Place<'a> = (Option<u16>, Protocol, Option<&'a [u8]>);

fn place(socket: &Socket) -> Place<'_> {
    (socket.endpoint.port(), socket.protocol, socket.namespace.as_ref().map(Text::as_bytes))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

impl UserName {
    /// Returns a user of this machine, by name or number.
    ///
    /// # Errors
    /// If there is no such user.
    pub fn of_this_machine(text: &str) -> Result<UserName, Error> {
        if let Ok(uid) = text.parse() {
            return Ok(UserName::Uid(uid));
        }
        match os::user_exists(text) {
            true => Ok(UserName::Name(text.to_owned())),
            false => {
                let attempted = format!("there is no user '{}' here", text.escape_debug());
                let mut error = Error::new(ErrorKind::Usage, attempted);
                error.help = Some(Help::KnownUser);
                Err(error)
            }
        }
    }

    pub(crate) fn is(&self, uid: Option<u32>, name: &Option<Text>) -> bool {
        match self {
            UserName::Uid(wanted) => uid == Some(*wanted),
            UserName::Name(wanted) => name.as_ref().is_some_and(|name| name.as_bytes() == wanted.as_bytes()),
        }
    }
}
