//! Facts about processes, each read once, and verified to belong to the process that was found. Depends on `model`
//! and on other topics of `os`.

#[cfg(not(target_os = "linux"))]
pub(in crate::os) mod ancestors;
pub(in crate::os) mod checked_out;
#[cfg(not(target_os = "linux"))]
pub(in crate::os) mod machine_view;
#[cfg(not(target_os = "linux"))]
pub(in crate::os) mod process_table;
pub(in crate::os) mod project;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos/mod.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
pub(in crate::os) mod sys;
pub(in crate::os) mod sysinfo;
#[cfg(not(target_os = "linux"))]
pub(in crate::os) mod unsupported;

#[cfg(feature = "cli")]
pub(crate) use project::folder as project_folder;
pub(crate) use sys::GivenFiles;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(feature = "cli")]
use crate::model::compact::CompactCollect as _;
use crate::model::process_table::ProcessTable;
use crate::model::{Gap, GapDetail, GapKind, GapReason, Process, ProcessId, Text};
use crate::os::{threads, users};

/// Processes whose descriptors were not read.
#[derive(Debug, Default)]
pub(crate) struct UnreadProcesses {
    /// Their pids, as far as they are known, ascending.
    pub(crate) pids: Vec<u32>,
    /// Whether there may be others.
    pub(crate) others: bool,
}

/// Facts about processes by pid, without those that ended meanwhile.
#[derive(Debug, Default)]
pub(crate) struct ProcessFacts {
    pub(crate) processes: BTreeMap<u32, Process>,
    /// Those that still run although no facts could be read, as if all file descriptors were in use.
    pub(crate) undescribed: BTreeSet<u32>,
    pub(crate) gaps: Vec<Gap>,
}

/// Returns facts about exactly these processes, and their parents: with `ancestry` all of their ancestors, else the
/// nearest.
pub(crate) fn describe<'a>(refs: impl Iterator<Item = &'a sys::ProcessRef>, ancestry: bool) -> ProcessFacts {
    let mut by_pid: BTreeMap<u32, &sys::ProcessRef> = BTreeMap::new();
    for process in refs {
        by_pid.entry(process.pid()).or_insert(process);
    }
    let refs: Vec<&sys::ProcessRef> = by_pid.into_values().collect();
    // How many run at the same time is known only after several files were read.
    let threads = match refs.len() / sysinfo::WORTH_A_THREAD {
        0 => 1,
        others => threads::parallelism().min(others + 1),
    };
    let share = refs.len().div_ceil(threads).max(1);
    let parts: Vec<&[&sys::ProcessRef]> = refs.chunks(share).collect();
    let next = AtomicUsize::new(0);
    let described = threads::share(threads, || {
        let mut processes = BTreeMap::new();
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            processes.append(&mut verified(part, ancestry));
        }
        processes
    });
    let processes = described.into_iter().flatten().collect();
    let mut facts = ProcessFacts { processes, ..ProcessFacts::default() };
    facts.describe_again(&refs, ancestry);
    facts.gaps.extend(sys::shorten_commands(&mut facts.processes));
    facts.gaps.extend(project::find(&mut facts.processes));
    facts
}

impl ProcessFacts {
    /// Reads once more what is missing of processes that have not ended: what failed may have passed, as the other
    /// threads have closed their files.
    fn describe_again(&mut self, refs: &[&sys::ProcessRef], ancestry: bool) {
        let is_missing = |facts: &ProcessFacts, one: &sys::ProcessRef| {
            !facts.processes.contains_key(&one.pid()) && !one.has_ended()
        };
        let missing: Vec<&sys::ProcessRef> =
            refs.iter().copied().filter(|one| is_missing(self, one)).collect();
        if missing.is_empty() {
            return;
        }
        self.processes.append(&mut verified(&missing, ancestry));
        let missing = missing.iter().filter(|one| is_missing(self, one)).map(|one| one.pid());
        self.undescribed = missing.collect();
        if !self.undescribed.is_empty() {
            let (what, reason) = (GapKind::Processes, GapReason::Error);
            let detail = GapDetail::UndescribedProcesses;
            self.gaps.push(Gap::new(what, reason, self.undescribed.len(), detail, None));
        }
    }
}

/// Returns the names of these processes by pid, without those that ended meanwhile.
#[cfg(feature = "cli")]
pub(crate) fn names<'a>(refs: impl Iterator<Item = &'a sys::ProcessRef>) -> BTreeMap<u32, Text> {
    let refs: BTreeMap<u32, &sys::ProcessRef> = refs.map(|process| (process.pid(), process)).collect_map();
    let refs: Vec<&sys::ProcessRef> = refs.into_values().collect();
    verified(&refs, false).into_iter().map(|(pid, process)| (pid, process.name)).collect_map()
}

/// The most ancestors that are followed; a longer chain is an error in what the system reports.
const LONGEST_ANCESTRY: usize = 64;

/// Returns facts about those of these processes that still are the ones that were found.
fn verified(refs: &[&sys::ProcessRef], ancestry: bool) -> BTreeMap<u32, Process> {
    let mut processes = sysinfo::read(refs.iter().map(|refs| refs.pid()));
    let mut conditions = sys::Conditions::default();
    for refs in refs {
        let gone = processes
            .get_mut(&refs.pid())
            .is_some_and(|process| !refs.verify_and_fill(process, &mut conditions));
        if gone {
            processes.remove(&refs.pid());
        }
    }
    sys::mark_unmapped_users(&mut processes);
    sys::add_ancestors(&mut processes, ancestry);
    processes
}

/// Returns every visible process of this machine. Takes milliseconds for a thousand processes.
///
/// # Errors
/// If the processes cannot be listed.
pub(crate) fn process_table() -> std::io::Result<ProcessTable> {
    sys::process_table()
}

/// Returns facts about exactly these processes, by pid, without those that have ended.
pub(crate) fn describe_ids(ids: &[ProcessId]) -> BTreeMap<u32, Process> {
    describe_with(ids, false)
}

/// Returns what [`describe_ids`] returns, with all ancestors.
#[cfg(feature = "cli")]
pub(crate) fn describe_with_ancestors(ids: &[ProcessId]) -> BTreeMap<u32, Process> {
    describe_with(ids, true)
}

fn describe_with(ids: &[ProcessId], ancestry: bool) -> BTreeMap<u32, Process> {
    let refs: Vec<sys::ProcessRef> = ids.iter().filter_map(|id| sys::ProcessRef::open(id.pid)).collect();
    let mut processes = verified(&refs.iter().collect::<Vec<_>>(), ancestry);
    processes.retain(|_, process| ids.contains(&process.id));
    for process in processes.values_mut() {
        process.user = process.user.take().or_else(|| users::name(process.uid?));
    }
    processes
}

/// Returns the public facts about the processes whose descriptors were not read, with `ancestry` all of their ancestors.
/// `None` if there may be others.
pub(crate) fn describe_unread(unread: &UnreadProcesses, ancestry: bool) -> Option<Vec<Process>> {
    if unread.others {
        return None;
    }
    let refs: Vec<sys::ProcessRef> =
        unread.pids.iter().filter_map(|pid| sys::ProcessRef::open(*pid)).collect();
    let mut processes = verified(&refs.iter().collect::<Vec<_>>(), ancestry);
    for process in processes.values_mut() {
        process.user = process.user.take().or_else(|| users::name(process.uid?));
    }
    Some(processes.into_values().collect())
}

/// Returns the content of a regular file at an absolute path, as that process sees it, if it is not longer than `limit`
/// bytes. `None` also if reading it might wait for another machine. Only Linux has processes that see other files.
pub(crate) fn file_seen_by(viewer: ProcessId, path: &Text, limit: u64) -> Option<Vec<u8>> {
    sys::process_view::file(viewer, path, limit)
}

/// Returns the names in a folder at an absolute path, as that process sees it, sorted.
pub(crate) fn folder_seen_by(viewer: ProcessId, path: &Text) -> Option<Vec<Text>> {
    sys::process_view::folder(viewer, path)
}

/// Returns whether a process is in a pid namespace below that of /proc, or may be: true if that cannot be found out.
/// False on systems without pid namespaces.
pub(crate) fn is_in_inner_pid_namespace(id: ProcessId) -> bool {
    sys::process_view::is_in_inner_pid_namespace(id)
}

/// Returns the pids of this process and its ancestors, the nearest first, as this module reports pids.
pub(crate) fn lineage() -> Vec<u32> {
    let Some(own) = sys::own_pid() else { return Vec::new() };
    let refs = sys::ProcessRef::open(own);
    let known = verified(&refs.iter().collect::<Vec<_>>(), true).remove(&own);
    let parents = known.map(|process| process.parents).unwrap_or_default();
    std::iter::once(own).chain(parents.into_iter().map(|parent| parent.pid)).collect()
}

/// Returns the command line of the process with this pid. Linux only.
pub(crate) fn command(pid: u32) -> Option<Vec<Text>> {
    sys::command(pid)
}
