//! Selects listeners: predicates on sockets, then on processes. They apply to a saved snapshot too.

mod by_process;
mod coverage;
mod directories;
mod filter_context;
mod own_programs;

use std::collections::BTreeMap;

use crate::model::compact::CompactSort as _;
use crate::model::{
    Error, ErrorKind, Gap, GapDetail, GapKind, GapReason, Help, Protocol, Snapshot, Socket, Text,
};
use crate::model::{Selection, System, Target, UserName};
use crate::os;
use crate::port_sharing::answering;

pub(crate) use filter_context::FilterContext;

impl Selection {
    /// Returns the targets. Empty for every socket.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Returns whether sockets in every state are selected.
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// Returns whether there are filters by process: pid, user, command, tree, directory, or people's own programs.
    pub fn filters_by_process(&self) -> bool {
        !(self.pids.is_empty()
            && self.users.is_empty()
            && self.commands.is_empty()
            && self.trees.is_empty()
            && self.directories.is_empty()
            && !self.developer)
    }

    /// Returns whether a filter depends on all ancestors of a process.
    pub(crate) fn needs_ancestors(&self) -> bool {
        !self.trees.is_empty()
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
        paths.compact_sort_by(Ord::cmp);
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
            && family
            && (!self.exposed || exposed())
    }

    /// Returns whether a socket may match, regardless of other sockets and of processes.
    pub(crate) fn concerns(&self, socket: &Socket) -> bool {
        let answers = |target: &Target| target.answered_by(socket).is_some();
        self.admits(socket) && (self.targets.is_empty() || self.targets.iter().any(answers))
    }

    /// Splits rows of a machine with this system into those that match and the others. `in_order` is whether the rows are
    /// in the order in which the system listed them.
    pub(crate) fn split<T>(
        &self,
        rows: Vec<T>,
        system: &System,
        in_order: bool,
        socket: impl Fn(&T) -> &Socket,
    ) -> (Vec<T>, Vec<T>) {
        let admitted: Vec<bool> = rows.iter().map(|row| self.admits(socket(row))).collect();
        let mut matching = vec![self.targets.is_empty(); rows.len()];
        for target in &self.targets {
            // For a target with an address, only the best match of each port and protocol counts.
            let mut best: BTreeMap<BindKey<'_>, u8> = BTreeMap::new();
            let ranks: Vec<Option<u8>> = rows
                .iter()
                .zip(&admitted)
                .map(|(row, admitted)| admitted.then(|| target.answered_by(socket(row))).flatten())
                .collect();
            for (row, rank) in rows.iter().zip(&ranks) {
                if let Some(rank) = rank {
                    let best = best.entry(bind_key(socket(row))).or_default();
                    *best = (*best).max(*rank);
                }
            }
            for ((row, rank), matches) in rows.iter().zip(&ranks).zip(&mut matching) {
                let is_best = *rank == best.get(&bind_key(socket(row))).copied();
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
                for at in reached(target, &listeners, system, in_order) {
                    if let Some(matches) = matching.get_mut(at) {
                        *matches = true;
                    }
                }
            }
        }
        let mut dropped =
            admitted.into_iter().zip(matching).map(|(admitted, matches)| !(admitted && matches));
        // Those that match stay where they are: there may be a hundred thousand.
        let mut rows = rows;
        let rest = rows.extract_if(.., |_| dropped.next().unwrap_or(true)).collect();
        rows.shrink_to_fit();
        (rows, rest)
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
        let missing = self.not_covered(&snapshot);
        let gap = (!missing.is_empty()).then(|| {
            let (count, asked) = (missing.len(), snapshot.selections.clone().unwrap_or_default());
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
        let (matching, _) = self.split(listeners, &snapshot.os, false, |listener| &listener.socket);
        snapshot.listeners = matching;
        let context = FilterContext::from_saved(&snapshot);
        self.drop_by_process(&mut snapshot, &context, &|| None);
        match &mut snapshot.selections {
            Some(asked) if asked.contains(self) => {}
            Some(asked) => asked.push(self.clone()),
            None => snapshot.selections = Some(vec![self.clone()]),
        }
        snapshot.sort();
        snapshot
    }
}

/// Returns the indexes of the listeners that a connection to a target with an address reaches, or may reach if that is
/// unknown.
fn reached(target: &Target, listeners: &[(usize, &Socket)], system: &System, in_order: bool) -> Vec<usize> {
    let mut by_key: BTreeMap<BindKey<'_>, Vec<(usize, &Socket)>> = BTreeMap::new();
    for (at, socket) in listeners {
        by_key.entry(bind_key(socket)).or_default().push((*at, socket));
    }
    let of_key = |listeners: &Vec<(usize, &Socket)>| {
        let sockets: Vec<&Socket> = listeners.iter().map(|(_, socket)| *socket).collect();
        let found = answering(system, target, &sockets, None, in_order);
        let found = found.map(|found| found.sockets().to_vec()).unwrap_or_default();
        found.into_iter().filter_map(|at| Some(listeners.get(at)?.0)).collect::<Vec<_>>()
    };
    by_key.values().flat_map(of_key).collect()
}

/// The port, protocol and network namespace of a socket. Sockets with an equal key compete for the same peers.
type BindKey<'a> = (Option<u16>, Protocol, Option<&'a [u8]>);

fn bind_key(socket: &Socket) -> BindKey<'_> {
    (socket.endpoint.port(), socket.protocol, socket.namespace.as_ref().map(Text::as_bytes))
}

impl UserName {
    /// Returns a user of this machine, by name or number.
    ///
    /// # Errors
    /// If there is no such user.
    pub fn resolve(text: &str) -> Result<UserName, Error> {
        if let Ok(uid) = text.parse() {
            return Ok(UserName::Uid(uid));
        }
        match os::user_exists(text) {
            true => Ok(UserName::Name(text.to_owned())),
            false => {
                let attempted = format!("unknown user '{}'", text.escape_debug());
                let mut error = Error::new(ErrorKind::Usage, attempted);
                error.help = Some(Help::KnownUser);
                Err(error)
            }
        }
    }

    pub(crate) fn matches(&self, uid: Option<u32>, name: &Option<Text>) -> bool {
        match self {
            UserName::Uid(wanted) => uid == Some(*wanted),
            UserName::Name(wanted) => name.as_ref().is_some_and(|name| name.as_bytes() == wanted.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, Listener, State};

    fn of_targets(text: &str) -> Selection {
        Selection { targets: Target::parse_list(text).unwrap(), ..Selection::default() }
    }

    fn socket(protocol: Protocol, address: &str, state: State) -> Socket {
        let endpoint = Endpoint::Ip { address: address.parse().unwrap(), port: 80, interface: None };
        Socket::new(protocol, endpoint, state)
    }

    #[test]
    fn each_process_filter_counts() {
        let plain = Selection::default;
        assert!(!plain().filters_by_process() && !plain().needs_ancestors());
        for (filter, needs_ancestors) in [
            (Selection { pids: vec![1], ..plain() }, false),
            (Selection { users: vec![UserName::Uid(0)], ..plain() }, false),
            (Selection { commands: vec!["x".into()], ..plain() }, false),
            (Selection { trees: vec![1], ..plain() }, true),
            (Selection { directories: vec!["/srv".into()], ..plain() }, false),
            (Selection { developer: true, ..plain() }, false),
        ] {
            assert!(filter.filters_by_process(), "{filter:?}");
            assert_eq!(filter.needs_ancestors(), needs_ancestors);
        }
        let all = Selection { all: true, ..of_targets("80") };
        assert!(all.is_all() && !all.filters_by_process() && !plain().is_all());
        assert_eq!(all.targets(), Target::parse_list("80").unwrap());
    }

    #[test]
    fn one_port_and_paths_among_the_targets() {
        let one_port = |text: &str| of_targets(text).one_port();
        assert_eq!((one_port("80"), one_port("tcp/80,udp/80")), (Some(80), Some(80)));
        assert_eq!((one_port("80,81"), one_port("80-81"), one_port("unix")), (None, None, None));
        assert_eq!(Selection::default().one_port(), None);
        let paths = of_targets("/run/b,80,/run/a,/run/b").unix_paths();
        assert_eq!(paths, ["/run/a", "/run/b"].map(Text::from));
        assert!(of_targets("80").unix_paths().is_empty());
    }

    #[test]
    fn protocols_that_are_wanted() {
        use Protocol::{Tcp, Udp, UdpLite, Unix};
        let wants =
            |selection: &Selection| [Tcp, Udp, UdpLite, Unix].map(|protocol| selection.wants(protocol));
        let only = |protocol, targets: &str| Selection { protocols: vec![protocol], ..of_targets(targets) };
        let all = Selection { all: true, ..Selection::default() };
        for (selection, wanted) in [
            (Selection::default(), [true, true, false, false]),
            (all.clone(), [true, true, true, false]),
            (of_targets("53"), [true, true, false, false]),
            (of_targets("udplite/53"), [true, true, true, false]),
            (of_targets("/run/x"), [true, true, false, true]),
            (only(Tcp, "80"), [true, false, false, false]),
            (only(Unix, "80"), [false, false, false, true]),
            (only(UdpLite, "80"), [false, false, true, false]),
            (only(Tcp, "udplite/53"), [true, false, true, false]),
            (only(Udp, "tcp/80"), [false, true, false, false]),
            (only(Tcp, "/run/x"), [true, false, false, true]),
            (Selection { protocols: vec![Tcp], ..all }, [true, false, false, false]),
        ] {
            assert_eq!(wants(&selection), wanted, "{selection:?}");
        }
    }

    #[test]
    fn sockets_that_are_admitted() {
        let plain = Selection::default;
        let listen = |address: &str| socket(Protocol::Tcp, address, State::Listen);
        let dual = |dual_stack| Socket { dual_stack, ..listen("::") };
        let ipv4 = Selection { ipv4: true, ..plain() };
        for (socket, admitted) in [
            (listen("127.0.0.1"), true),
            (listen("::1"), false),
            (dual(Some(true)), true),
            (dual(Some(false)), false),
            (dual(None), true),
        ] {
            assert_eq!(ipv4.admits(&socket), admitted, "{socket:?}");
        }
        let ipv6 = Selection { ipv6: true, ..plain() };
        assert!(ipv6.admits(&listen("::1")) && !ipv6.admits(&listen("127.0.0.1")));
        let both = Selection { ipv4: true, ..ipv6 };
        assert!(both.admits(&listen("::1")) && both.admits(&listen("127.0.0.1")));
        let all = Selection { all: true, ..plain() };
        for (protocol, state, listens) in [
            (Protocol::Tcp, State::Listen, true),
            (Protocol::Tcp, State::Bound, false),
            (Protocol::Tcp, State::Established, false),
            (Protocol::Udp, State::Bound, true),
            (Protocol::Udp, State::Established, false),
        ] {
            let socket = socket(protocol, "127.0.0.1", state);
            assert_eq!((plain().admits(&socket), all.admits(&socket)), (listens, true), "{socket:?}");
        }
        let exposed = Selection { exposed: true, ..plain() };
        let admitted = ["127.0.0.1", "0.0.0.0", "10.0.0.1"].map(|address| exposed.admits(&listen(address)));
        assert_eq!(admitted, [false, true, true]);
        let udp = Selection { protocols: vec![Protocol::Udp], ..plain() };
        assert!(!udp.admits(&listen("127.0.0.1")) && !udp.concerns(&listen("127.0.0.1")));
        assert!(plain().concerns(&listen("10.0.0.1")) && of_targets("80").concerns(&listen("10.0.0.1")));
        assert!(!of_targets("81").concerns(&listen("10.0.0.1")));
        assert!(!of_targets("80").concerns(&socket(Protocol::Tcp, "10.0.0.1", State::Established)));
    }

    /// A connection to an address reaches the listener with that address, and no wildcard beside it.
    #[test]
    fn the_best_match_of_an_address_is_selected() {
        let listen = |address: &str| socket(Protocol::Tcp, address, State::Listen);
        let selected = |selection: &Selection, sockets: &[Socket]| -> Vec<String> {
            let (yes, no) = selection.split(sockets.to_vec(), &System::Linux, true, |socket| socket);
            assert_eq!(yes.len() + no.len(), sockets.len());
            yes.iter().map(|socket| socket.endpoint.to_string()).collect()
        };
        let sockets = [listen("0.0.0.0"), listen("127.0.0.1"), listen("::1")];
        assert_eq!(selected(&of_targets("127.0.0.1:80"), &sockets), ["127.0.0.1:80"]);
        assert_eq!(selected(&of_targets("127.0.0.2:80"), &sockets), ["0.0.0.0:80"]);
        assert_eq!(selected(&of_targets("[::1]:80"), &sockets), ["[::1]:80"]);
        assert_eq!(selected(&of_targets("80"), &sockets).len(), 3);
        assert_eq!(selected(&Selection::default(), &sockets).len(), 3);
        assert!(selected(&of_targets("81"), &sockets).is_empty());
        assert_eq!(selected(&of_targets("127.0.0.1:80,[::1]:80"), &sockets), ["127.0.0.1:80", "[::1]:80"]);
        let udp = Selection { protocols: vec![Protocol::Udp], ..of_targets("127.0.0.1:80") };
        assert!(selected(&udp, &sockets).is_empty());
        // Sockets of another namespace or protocol do not compete.
        let mut other = listen("0.0.0.0");
        other.namespace = Some("web".into());
        let datagrams = socket(Protocol::Udp, "0.0.0.0", State::Bound);
        let sockets = [listen("127.0.0.1"), other, datagrams];
        assert_eq!(selected(&of_targets("127.0.0.1:80"), &sockets).len(), 3);
        // With all states, a connection of the address is selected beside the listener.
        let mut connection = socket(Protocol::Tcp, "127.0.0.1", State::Established);
        connection.peer = Some("127.0.0.1:5".parse().unwrap());
        let all = Selection { all: true, ..of_targets("127.0.0.1:80") };
        assert_eq!(selected(&all, &[listen("127.0.0.1"), connection.clone()]).len(), 2);
        assert_eq!(
            selected(&all, &[listen("0.0.0.0"), connection]).len(),
            2,
            "the listener that accepted it"
        );
    }

    #[test]
    fn what_a_snapshot_does_not_cover_is_a_gap() {
        let saved = std::fs::read("tests/replay/workstation.json").unwrap();
        let mut snapshot = crate::render::json::read(&saved).unwrap();
        snapshot.listeners = vec![Listener::new(socket(Protocol::Tcp, "127.0.0.1", State::Listen))];
        (snapshot.complete, snapshot.gaps, snapshot.selections) =
            (true, Vec::new(), Some(vec![of_targets("80")]));
        let covered = of_targets("80").apply(snapshot.clone());
        assert!(covered.complete && covered.gaps.is_empty() && covered.listeners.len() == 1);
        assert_eq!(covered.selections, Some(vec![of_targets("80")]));
        let both = of_targets("80,81");
        let partly = both.apply(snapshot.clone());
        assert_eq!((partly.complete, partly.listeners.len(), partly.gaps.len()), (false, 1, 1));
        assert_eq!((partly.gaps[0].reason.clone(), partly.gaps[0].count), (GapReason::NotAsked, 1));
        assert_eq!(partly.selections, Some(vec![of_targets("80"), both.clone()]));
        assert_eq!(both.unanswered(&snapshot), Target::parse_list("81").unwrap().iter().collect::<Vec<_>>());
        snapshot.selections = None;
        assert_eq!(both.apply(snapshot).selections, Some(vec![both]));
    }

    #[test]
    fn users_by_number_and_by_name() {
        assert_eq!(UserName::resolve("1000").unwrap(), UserName::Uid(1000));
        let unknown = UserName::resolve("no such user").unwrap_err();
        assert_eq!((unknown.kind(), unknown.help), (ErrorKind::Usage, Some(Help::KnownUser)));
        let (uid, name) = (UserName::Uid(5), UserName::Name("dev".into()));
        assert!(uid.matches(Some(5), &None) && !uid.matches(Some(6), &None) && !uid.matches(None, &None));
        assert!(name.matches(None, &Some("dev".into())) && !name.matches(Some(5), &Some("web".into())));
        assert!(!name.matches(Some(5), &None));
    }

    /// Linux passes a datagram for 127.0.0.1 to one of these sockets by an option that a snapshot lacks. Windows passes it
    /// to the one with the nearer address.
    #[test]
    fn a_saved_snapshot_is_selected_by_the_rules_of_its_own_system() {
        let socket = |address: &str, interface: Option<&str>| {
            let (address, interface) = (address.parse().unwrap(), interface.map(Into::into));
            let endpoint = Endpoint::Ip { address, port: 53, interface };
            let dual_stack = address.is_ipv6().then_some(true);
            Listener::new(Socket { dual_stack, ..Socket::new(Protocol::Udp, endpoint, State::Bound) })
        };
        let saved = std::fs::read("tests/replay/workstation.json").unwrap();
        let saved = crate::render::json::read(&saved).unwrap();
        let selection =
            Selection { targets: Target::parse_list("127.0.0.1:53").unwrap(), ..Selection::default() };
        for (os, selected) in [(System::Linux, 2), (System::Windows, 1)] {
            let listeners = vec![socket("::", Some("lo")), socket("0.0.0.0", None)];
            let snapshot = Snapshot { os, listeners, ..saved.clone() };
            assert_eq!(selection.narrow(snapshot).listeners.len(), selected);
        }
    }
}
