//! The ancestors of processes by the crate sysinfo, where there is no cheaper way to them: all that are wanted of a
//! generation at a time, each once.

#[cfg(not(windows))]
use std::collections::BTreeSet;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use super::LONGEST_ANCESTRY;
use crate::{Parent, Process, Supervisor, Text, supervisor};

/// Reads the ancestors of processes that were read. On Windows, where each reading goes through the list of all
/// processes, all generations at once.
#[cfg(windows)]
pub(super) fn read(system: &mut System, of: &[Pid]) {
    let of: Vec<u32> = of.iter().map(|pid| pid.as_u32()).collect();
    let ancestors: Vec<Pid> = super::sys::forebears(&of)
        .into_iter()
        .map(Pid::from_u32)
        .filter(|pid| system.process(*pid).is_none())
        .collect();
    let kind = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&ancestors), false, kind);
}

/// Reads the ancestors of processes that were read.
#[cfg(not(windows))]
pub(super) fn read(system: &mut System, of: &[Pid]) {
    let mut known: BTreeSet<Pid> = of.iter().copied().collect();
    let mut level: Vec<Pid> = of.to_vec();
    for _ in 0..LONGEST_ANCESTRY {
        let next: BTreeSet<Pid> = level
            .iter()
            .filter_map(|pid| system.process(*pid)?.parent())
            .filter(|parent| known.insert(*parent))
            .collect();
        if next.is_empty() {
            return;
        }
        level = next.into_iter().collect();
        let kind = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&level), false, kind);
    }
}

/// Gives a process its ancestors and the nearest supervisor among them. A "parent" that began after its child is
/// another process with its pid.
pub(super) fn with_ancestors(mut facts: Process, system: &System, process: &sysinfo::Process) -> Process {
    let mut child = process;
    while let Some(parent) = child.parent().and_then(|pid| system.process(pid)) {
        let pid = parent.pid().as_u32();
        if parent.start_time() > child.start_time() || facts.parents.iter().any(|known| known.pid == pid) {
            break;
        }
        let name = Text::from(parent.name());
        if facts.supervisor.is_none() {
            let mut command =
                || parent.cmd().iter().map(|argument| Text::from(argument.as_os_str())).collect();
            facts.supervisor = supervisor::kind(&name, &mut command).map(|kind| Supervisor {
                kind: kind.into(),
                pid,
                name: name.clone(),
                terminal: None,
            });
        }
        facts.parents.push(Parent { pid, name });
        if facts.parents.len() == LONGEST_ANCESTRY {
            break;
        }
        child = parent;
    }
    facts
}
