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
