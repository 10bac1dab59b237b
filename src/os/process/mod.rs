//! Facts about processes, each read once, and verified to be of the process that was seen.

#[cfg(not(target_os = "linux"))]
pub(in crate::os) mod ancestors;
pub(in crate::os) mod git_head;
#[cfg(not(target_os = "linux"))]
pub(in crate::os) mod machine_view;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(in crate::os) mod process_ref;
#[cfg(not(target_os = "linux"))]
pub(in crate::os) mod process_table;
pub(in crate::os) mod project;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub(in crate::os) mod sys;
pub(in crate::os) mod sysinfo;

pub(crate) use sys::GivenFiles;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::model::process_table::ProcessTable;
use crate::model::{Gap, Process, ProcessId, Text};
use crate::os::holders::Unread;
use crate::os::{threads, users};

/// Facts of processes by pid. One that ended meanwhile is not among them.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) processes: BTreeMap<u32, Process>,
    pub(crate) gaps: Vec<Gap>,
}

/// Facts of exactly these processes, and of their parents.
pub(crate) fn describe<'a>(pinned: impl Iterator<Item = &'a sys::ProcessRef>, ancestry: bool) -> Facts {
    let mut by_pid: BTreeMap<u32, &sys::ProcessRef> = BTreeMap::new();
    for process in pinned {
        by_pid.entry(process.pid()).or_insert(process);
    }
    let pinned: Vec<&sys::ProcessRef> = by_pid.into_values().collect();
    let threads = threads::parallelism().min(pinned.len() / sysinfo::WORTH_A_THREAD + 1);
    let share = pinned.len().div_ceil(threads).max(1);
    let parts: Vec<&[&sys::ProcessRef]> = pinned.chunks(share).collect();
    let next = AtomicUsize::new(0);
    let described = threads::share(threads, || {
        let mut processes = BTreeMap::new();
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            processes.append(&mut confirmed(part, ancestry));
        }
        processes
    });
    let processes = described.into_iter().flatten().collect();
    let mut facts = Facts { processes, gaps: Vec::new() };
    facts.gaps.extend(sys::shorten_commands(&mut facts.processes));
    facts.gaps.extend(project::find(&mut facts.processes));
    facts
}

/// How far an ancestry is followed; a chain as long as this is a fault in what the system tells.
const LONGEST_ANCESTRY: usize = 64;

/// Facts of those processes that are still the ones that were seen.
fn confirmed(pinned: &[&sys::ProcessRef], ancestry: bool) -> BTreeMap<u32, Process> {
    let mut processes = sysinfo::read(pinned.iter().map(|pinned| pinned.pid()));
    let mut conditions = sys::Conditions::default();
    for pinned in pinned {
        let gone =
            processes.get_mut(&pinned.pid()).is_some_and(|process| !pinned.confirm(process, &mut conditions));
        if gone {
            processes.remove(&pinned.pid());
        }
    }
    #[cfg(target_os = "linux")]
    if let Some(overflow) = sys::OverflowUid::current() {
        for process in processes.values_mut() {
            overflow.unmap(&mut process.uid, &mut process.unknown_user);
        }
    }
    sys::trace(&mut processes, ancestry);
    processes
}

/// Every process of this machine that may be seen, as one moment's table. Milliseconds for a thousand.
pub(crate) fn process_table() -> std::io::Result<ProcessTable> {
    #[cfg(target_os = "linux")]
    return sys::process_table();
    #[cfg(not(target_os = "linux"))]
    process_table::process_table()
}

/// Facts of these very processes, by pid: one that has ended, or whose pid is another's by now, is left out.
pub(crate) fn describe_ids(ids: &[ProcessId]) -> BTreeMap<u32, Process> {
    let pinned: Vec<sys::ProcessRef> = ids.iter().filter_map(|id| sys::pin(id.pid)).collect();
    let mut processes = confirmed(&pinned.iter().collect::<Vec<_>>(), false);
    processes.retain(|_, process| ids.contains(&process.id));
    for process in processes.values_mut() {
        process.user = process.user.take().or_else(|| users::name(process.uid?));
    }
    processes
}

/// The processes whose descriptors were not read, as far as everybody may know them; `None` where there may be others.
pub(crate) fn describe_unread(unread: &Unread) -> Option<Vec<Process>> {
    if unread.others {
        return None;
    }
    let pinned: Vec<sys::ProcessRef> = unread.pids.iter().filter_map(|pid| sys::pin(*pid)).collect();
    let mut processes = confirmed(&pinned.iter().collect::<Vec<_>>(), false);
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

/// This process and its ancestors, the nearest first, by the pids that this module reports.
pub(crate) fn lineage() -> Vec<u32> {
    let Some(own) = sys::own_pid() else { return Vec::new() };
    let pinned = sys::pin(own);
    let known = confirmed(&pinned.iter().collect::<Vec<_>>(), true).remove(&own);
    let parents = known.map(|process| process.parents).unwrap_or_default();
    std::iter::once(own).chain(parents.into_iter().map(|parent| parent.pid)).collect()
}

/// The command line of a process that is known by its pid alone.
pub(crate) fn command(pid: u32) -> Option<Vec<Text>> {
    sys::command(pid)
}
