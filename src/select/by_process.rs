//! Filters by process: pid, user, command, tree, directory, and people's own programs. A filter that an unseen holder or
//! an unknown fact may pass leaves the snapshot incomplete.

use std::cell::OnceCell;

use super::filter_context::FilterContext;
use super::own_programs;
use crate::model::{
    Gap, GapDetail, GapKind, GapReason, Listener, Process, Selection, Snapshot, Text, UnseenReason,
};

/// The most ancestors that `os` reports of a process.
const LONGEST_ANCESTRY: usize = 64;

/// Whether a listener passes the process filters, best first. Of several filters the worst result counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum FilterResult {
    Yes,
    /// It passes if an unseen holder matches.
    IfHolderMatches,
    /// It passes if a user matches whose name or uid is unknown here.
    IfUserMatches,
    /// It passes if an unknown fact about a holder matches.
    IfFactMatches,
    No,
}

/// Returns whether a process that matches may be an unseen holder.
type MayBe<'a> = dyn Fn(&dyn Fn(&Process) -> bool) -> bool + 'a;

impl Selection {
    /// Drops listeners that do not pass the process filters. A listener whose holders are not all known is dropped too,
    /// and makes the snapshot incomplete. `unread` returns the processes that may be the unseen holders, or `None` if
    /// any process may. Returns the dropped listeners that may pass.
    pub(crate) fn drop_by_process(
        &self,
        snapshot: &mut Snapshot,
        context: &FilterContext,
        unread: &dyn Fn() -> Option<Vec<Process>>,
    ) -> Vec<Listener> {
        if !self.filters_by_process() {
            return Vec::new();
        }
        let candidates = OnceCell::new();
        let may_be = |matches: &dyn Fn(&Process) -> bool| match candidates.get_or_init(unread) {
            Some(processes) => processes.iter().any(matches),
            None => true,
        };
        let mut undecided: Vec<(FilterResult, Listener)> = Vec::new();
        for listener in std::mem::take(&mut snapshot.listeners) {
            match self.keeps(&listener, context, &may_be) {
                FilterResult::Yes => snapshot.listeners.push(listener),
                FilterResult::No => {}
                result => undecided.push((result, listener)),
            }
        }
        for (result, kind, reason, detail) in [
            (FilterResult::IfUserMatches, GapKind::Users, GapReason::Unknown, GapDetail::UnknownUsers),
            (FilterResult::IfFactMatches, GapKind::Holders, GapReason::Unknown, GapDetail::UnknownFacts),
            (FilterResult::IfHolderMatches, GapKind::Holders, GapReason::Unseen, GapDetail::UnseenHolders),
        ] {
            let count = undecided.iter().filter(|(other, _)| *other == result).count();
            if count > 0 {
                snapshot.complete = false;
                snapshot.gaps.push(Gap::new(kind, reason, count, detail, None));
            }
        }
        undecided.into_iter().map(|(_, listener)| listener).collect()
    }

    /// Returns whether a listener passes the process filters.
    fn keeps(&self, listener: &Listener, context: &FilterContext, may_be: &MayBe<'_>) -> FilterResult {
        let unseen = listener.unseen.is_some();
        let decide = |asked: bool, known: bool, matches: &dyn Fn(&Process) -> bool| {
            if !asked || known || listener.holders.iter().any(|holder| matches(&holder.process)) {
                return FilterResult::Yes;
            }
            if unseen && may_be(matches) { FilterResult::IfHolderMatches } else { FilterResult::No }
        };
        let filters = [
            decide(!self.pids.is_empty(), false, &|process| self.pids.contains(&process.id.pid)),
            self.user_keeps(listener, may_be),
            decide(!self.commands.is_empty(), false, &|process| self.names(process)),
            self.tree_keeps(listener, context, may_be),
            self.directory_keeps(listener, may_be),
            self.developer_keeps(listener, context, may_be),
        ];
        filters.into_iter().max().unwrap_or(FilterResult::Yes)
    }

    /// Returns whether a listener passes the filter by user. An unknown user may be any.
    fn user_keeps(&self, listener: &Listener, may_be: &MayBe<'_>) -> FilterResult {
        let is_asked =
            |uid: Option<u32>, name: &Option<Text>| self.users.iter().any(|user| user.matches(uid, name));
        let (socket, holders) = (&listener.socket, &listener.holders);
        let of_process = |process: &Process| is_asked(process.uid, &process.user);
        let is_unknown = |process: &Process| process.unknown_user.is_some();
        match () {
            () if self.users.is_empty() || is_asked(socket.uid, &socket.user) => FilterResult::Yes,
            () if holders.iter().any(|holder| of_process(&holder.process)) => FilterResult::Yes,
            () if socket.unknown_user.is_some() => FilterResult::IfUserMatches,
            () if holders.iter().any(|holder| is_unknown(&holder.process)) => FilterResult::IfUserMatches,
            () if listener.unseen.is_some()
                && may_be(&|process| of_process(process) || is_unknown(process)) =>
            {
                FilterResult::IfHolderMatches
            }
            () => FilterResult::No,
        }
    }

    /// Returns whether a listener passes the filter by tree.
    fn tree_keeps(&self, listener: &Listener, context: &FilterContext, may_be: &MayBe<'_>) -> FilterResult {
        match self.trees.is_empty() {
            true => FilterResult::Yes,
            false => Selection::fact_keeps(listener, may_be, &|process| self.is_in_tree(process, context)),
        }
    }

    /// Returns whether a listener passes the filter by directory.
    fn directory_keeps(&self, listener: &Listener, may_be: &MayBe<'_>) -> FilterResult {
        match self.directories.is_empty() {
            true => FilterResult::Yes,
            false => Selection::fact_keeps(listener, may_be, &|process| self.runs_inside(process)),
        }
    }

    /// Returns whether a listener passes the filter for people's own programs. A published port of a container passes,
    /// whichever process forwards it. A socket of a service of the system does not, even if its holder could not be seen.
    fn developer_keeps(
        &self,
        listener: &Listener,
        context: &FilterContext,
        may_be: &MayBe<'_>,
    ) -> FilterResult {
        if !self.developer || listener.container.is_some() {
            return FilterResult::Yes;
        }
        let of_system = listener.service.as_deref().is_some_and(own_programs::is_system_service);
        if listener.holders.is_empty() && of_system {
            return FilterResult::No;
        }
        Selection::fact_keeps(listener, may_be, &|process| own_programs::is_own(process, context))
    }

    /// Returns whether a listener passes a filter by a fact that may be unknown of a holder.
    fn fact_keeps(
        listener: &Listener,
        may_be: &MayBe<'_>,
        matches: &dyn Fn(&Process) -> Option<bool>,
    ) -> FilterResult {
        let found: Vec<Option<bool>> =
            listener.holders.iter().map(|holder| matches(&holder.process)).collect();
        let no_process = |reason: UnseenReason| reason == UnseenReason::Kernel;
        match &listener.unseen {
            _ if found.contains(&Some(true)) => FilterResult::Yes,
            _ if found.contains(&None) => FilterResult::IfFactMatches,
            Some(unseen)
                if !no_process(unseen.reason) && may_be(&|process| matches(process) != Some(false)) =>
            {
                FilterResult::IfHolderMatches
            }
            _ => FilterResult::No,
        }
    }

    /// Returns whether a process is one of the trees' roots or a descendant of one. `None` if not all of its ancestors are
    /// known.
    fn is_in_tree(&self, process: &Process, context: &FilterContext) -> Option<bool> {
        let own = std::iter::once(process.id.pid);
        let mut line = own.chain(process.parents.iter().map(|parent| parent.pid));
        if line.clone().any(|pid| self.trees.contains(&pid)) {
            return Some(true);
        }
        let is_short = process.parents.len() < LONGEST_ANCESTRY;
        let is_whole = line.any(|pid| pid == 1) || (context.whole_ancestries && is_short);
        is_whole.then_some(false)
    }

    /// Returns whether the name, program file or command line of a process contains one of the texts.
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

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::test_support::{container, system_unit};
    use crate::model::{
        Endpoint, Evidence, Holder, ProcessId, Protocol, RelatedProcess, Socket, State, UnknownUser, Unseen,
        UserName,
    };

    fn process(pid: u32) -> Process {
        Process::new(ProcessId { pid, start: Some(1) }, "node".into())
    }

    fn held_by(processes: &[Process]) -> Listener {
        let endpoint = Endpoint::Ip { address: [127, 0, 0, 1].into(), port: 80, interface: None };
        let mut listener = Listener::new(Socket::new(Protocol::Tcp, endpoint, State::Listen));
        let holder = |process: &Process| Holder {
            process: process.clone().into(),
            descriptors: vec![3],
            evidence: Evidence::Descriptor,
        };
        listener.holders = processes.iter().map(holder).collect();
        listener
    }

    fn unseen(reason: UnseenReason, mut listener: Listener) -> Listener {
        listener.unseen =
            Some(Box::new(Unseen { reason, help: None, candidates: Vec::new(), kernel: Vec::new() }));
        listener
    }

    fn hidden(listener: Listener) -> Listener {
        unseen(UnseenReason::Permission, listener)
    }

    const CONTEXT: FilterContext =
        FilterContext { whole_ancestries: true, first_person: 1000, is_macos: false };

    /// Applies filters, if any process may be an unseen holder.
    fn kept(selection: &Selection, listener: &Listener) -> FilterResult {
        selection.keeps(listener, &CONTEXT, &|_| true)
    }

    #[test]
    fn a_pid_or_a_command() {
        let pid = Selection { pids: vec![5], ..Selection::default() };
        assert_eq!(kept(&pid, &held_by(&[process(4), process(5)])), FilterResult::Yes);
        assert_eq!(kept(&pid, &held_by(&[process(4)])), FilterResult::No);
        assert_eq!(kept(&pid, &hidden(held_by(&[process(4)]))), FilterResult::IfHolderMatches);
        assert_eq!(pid.keeps(&hidden(held_by(&[])), &CONTEXT, &|_| false), FilterResult::No);
        let names = |text: &str, change: &dyn Fn(&mut Process)| {
            let mut process = process(5);
            change(&mut process);
            let selection = Selection { commands: vec![text.into()], ..Selection::default() };
            kept(&selection, &held_by(&[process])) == FilterResult::Yes
        };
        assert!(names("NOD", &|_| ()) && names("", &|_| ()) && !names("vite", &|_| ()));
        let command = |process: &mut Process| process.command = Some(vec!["sh".into(), "Vite".into()]);
        assert!(names("vite", &command) && names("sh vite", &command) && !names("vites", &command));
        let program = |process: &mut Process| process.executable = Some("/srv/vite/Server".into());
        assert!(names("server", &program) && !names("vite", &program), "the file's name, not its folder");
        // Of two filters the worse result counts.
        let both = Selection { commands: vec!["vite".into()], ..pid };
        assert_eq!(kept(&both, &held_by(&[process(5)])), FilterResult::No);
    }

    #[test]
    fn a_user() {
        let user = Selection { users: vec![UserName::Uid(7)], ..Selection::default() };
        let of = |uid| Process { uid: Some(uid), ..process(5) };
        assert_eq!(kept(&user, &held_by(&[of(7)])), FilterResult::Yes);
        assert_eq!(kept(&user, &held_by(&[of(8)])), FilterResult::No);
        assert_eq!(kept(&user, &hidden(held_by(&[of(8)]))), FilterResult::IfHolderMatches);
        assert_eq!(user.keeps(&hidden(held_by(&[of(8)])), &CONTEXT, &|_| false), FilterResult::No);
        let mut of_socket = held_by(&[of(8)]);
        of_socket.socket.uid = Some(7);
        assert_eq!(kept(&user, &of_socket), FilterResult::Yes);
    }

    #[test]
    fn a_user_whose_name_is_unknown_may_be_any() {
        let user = Selection { users: vec![UserName::Uid(7)], ..Selection::default() };
        let unknown = Process { unknown_user: Some(UnknownUser::Unmapped), ..process(5) };
        assert_eq!(kept(&user, &held_by(&[unknown])), FilterResult::IfUserMatches);
        let mut of_socket = held_by(&[process(5)]);
        of_socket.socket.unknown_user = Some(UnknownUser::Unmapped);
        assert_eq!(kept(&user, &of_socket), FilterResult::IfUserMatches);
        assert_eq!(kept(&Selection::default(), &of_socket), FilterResult::Yes);
    }

    #[test]
    fn a_tree() {
        let tree = Selection { trees: vec![5], ..Selection::default() };
        let parent = |pid| RelatedProcess { pid, name: "sh".into() };
        let below = |parents: &[u32]| {
            let parents = parents.iter().copied().map(parent).collect();
            held_by(&[Process { parents, ..process(9) }])
        };
        let partly = FilterContext { whole_ancestries: false, ..CONTEXT };
        let keeps = |listener: &Listener, context| tree.keeps(listener, context, &|_| true);
        assert_eq!(keeps(&held_by(&[process(5)]), &CONTEXT), FilterResult::Yes);
        assert_eq!(keeps(&below(&[8, 5, 1]), &partly), FilterResult::Yes);
        assert_eq!(keeps(&below(&[8, 1]), &partly), FilterResult::No);
        assert_eq!(keeps(&below(&[8]), &CONTEXT), FilterResult::No, "the ancestry is whole");
        assert_eq!(keeps(&below(&[8]), &partly), FilterResult::IfFactMatches);
        let longest: Vec<u32> = (10..74).collect();
        assert_eq!(keeps(&below(&longest), &CONTEXT), FilterResult::IfFactMatches, "it may go on");
        assert_eq!(keeps(&below(&longest[1..]), &CONTEXT), FilterResult::No);
        assert_eq!(keeps(&hidden(below(&[8, 1])), &CONTEXT), FilterResult::IfHolderMatches);
        assert_eq!(keeps(&unseen(UnseenReason::Kernel, held_by(&[])), &CONTEXT), FilterResult::No);
        assert_eq!(keeps(&hidden(below(&[8])), &partly), FilterResult::IfFactMatches);
        assert_eq!(tree.keeps(&hidden(held_by(&[])), &CONTEXT, &|_| false), FilterResult::No);
        // An unseen holder is one of the processes that were not read.
        let unread = |processes: &[Process], context| {
            let may_be = |matches: &dyn Fn(&Process) -> bool| processes.iter().any(matches);
            tree.keeps(&hidden(held_by(&[])), context, &may_be)
        };
        let another = Process { parents: vec![parent(1)], ..process(9) };
        assert_eq!(unread(std::slice::from_ref(&another), &CONTEXT), FilterResult::No);
        assert_eq!(unread(&[another, process(5)], &CONTEXT), FilterResult::IfHolderMatches);
        assert_eq!(unread(&[process(9)], &partly), FilterResult::IfHolderMatches, "its ancestry is unknown");
    }

    #[test]
    fn a_directory_and_own_programs() {
        let inside = Selection { directories: vec!["/srv".into()], ..Selection::default() };
        let at = |directory: &str| held_by(&[Process { directory: Some(directory.into()), ..process(5) }]);
        assert_eq!(kept(&inside, &at("/srv/shop")), FilterResult::Yes);
        assert_eq!(kept(&inside, &at("/home/dev")), FilterResult::No);
        assert_eq!(kept(&inside, &held_by(&[process(5)])), FilterResult::IfFactMatches);
        let own = Selection { developer: true, ..Selection::default() };
        let of = |uid| held_by(&[Process { uid: Some(uid), ..process(5) }]);
        assert_eq!((kept(&own, &of(1000)), kept(&own, &of(33))), (FilterResult::Yes, FilterResult::No));
        let mut published = of(33);
        published.container = Some(Box::new(container("docker", "web")));
        assert_eq!(kept(&own, &published), FilterResult::Yes);
        let mut of_system = hidden(held_by(&[]));
        assert_eq!(kept(&own, &of_system), FilterResult::IfHolderMatches);
        of_system.service = Some(Box::new(system_unit("nginx.service")));
        assert_eq!(kept(&own, &of_system), FilterResult::No);
        let mut of_person = of(1000);
        of_person.service = Some(Box::new(system_unit("web.socket")));
        assert_eq!(kept(&own, &of_person), FilterResult::Yes, "its holder decides");
    }

    #[test]
    fn what_may_pass_makes_a_snapshot_incomplete() {
        let saved = std::fs::read("tests/replay/workstation.json").unwrap();
        let mut snapshot = crate::render::json::read(&saved).unwrap();
        (snapshot.complete, snapshot.gaps) = (true, Vec::new());
        let unknown = Process { unknown_user: Some(UnknownUser::Unmapped), ..process(5) };
        let of_user = Process { uid: Some(7), ..process(6) };
        let listeners = vec![
            held_by(std::slice::from_ref(&of_user)),
            held_by(&[process(8)]),
            held_by(&[unknown]),
            hidden(held_by(&[])),
        ];
        snapshot.listeners = listeners.clone();
        let user = Selection { users: vec![UserName::Uid(7)], ..Selection::default() };
        let drop = |selection: &Selection, unread: Option<Vec<Process>>| {
            let mut snapshot = snapshot.clone();
            let undecided = selection.drop_by_process(&mut snapshot, &CONTEXT, &|| unread.clone());
            let gaps: Vec<_> =
                snapshot.gaps.iter().map(|gap| (gap.what.clone(), gap.reason.clone(), gap.count)).collect();
            (snapshot.listeners.len(), undecided.len(), snapshot.complete, gaps)
        };
        let of_users = || (GapKind::Users, GapReason::Unknown, 1);
        let of_holders = || (GapKind::Holders, GapReason::Unseen, 1);
        assert_eq!(drop(&user, None), (1, 2, false, vec![of_users(), of_holders()]));
        assert_eq!(drop(&user, Some(vec![process(9)])), (1, 1, false, vec![of_users()]));
        assert_eq!(drop(&user, Some(vec![of_user])), (1, 2, false, vec![of_users(), of_holders()]));
        assert_eq!(drop(&Selection::default(), None), (4, 0, true, Vec::new()));
    }
}
