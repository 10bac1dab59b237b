//! Process facts by the crate sysinfo: for the holders' pids and their parents, never for all.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use jiff::Timestamp;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use crate::{Parent, Process, ProcessId, Text};

/// How far an ancestry is followed; a chain as long as this is a fault in what the system tells.
const LONGEST_ANCESTRY: usize = 64;

/// How many processes are read at a time: sysinfo keeps more of each than is kept here.
const AT_A_TIME: usize = 64;

/// Facts of these processes. One that is gone, or that may not be looked at, is missing.
pub(super) fn read(pids: impl Iterator<Item = u32>, ancestry: bool) -> BTreeMap<u32, Process> {
    let pids: Vec<Pid> = pids.map(Pid::from_u32).collect();
    let mut processes = BTreeMap::new();
    for some in pids.chunks(AT_A_TIME) {
        read_some(some, ancestry, &mut processes);
    }
    processes
}

fn read_some(pids: &[Pid], ancestry: bool, processes: &mut BTreeMap<u32, Process>) {
    let Ok(mut system) = System::new() else { return };
    let kind = ProcessRefreshKind::nothing()
        .with_exe(UpdateKind::Always)
        .with_cwd(UpdateKind::Always)
        .with_user(UpdateKind::Always)
        .without_tasks();
    // On Linux the command line is read without sysinfo, which leaves empty arguments out.
    #[cfg(not(target_os = "linux"))]
    let kind = kind.with_cmd(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(pids), false, kind);
    read_parents(&mut system, pids, ancestry);
    for pid in pids {
        if let Some(process) = system.process(*pid) {
            let mut facts = describe(process);
            facts.parents = parents(&system, process, ancestry);
            processes.insert(pid.as_u32(), facts);
        }
    }
}

fn describe(process: &sysinfo::Process) -> Process {
    let command: Vec<Text> = process.cmd().iter().map(|argument| Text::from(argument.as_os_str())).collect();
    let name = full_name(process.name(), process.exe().and_then(|path| path.file_name()));
    let (uid, user) = user(process);
    let start = process.start_time();
    Process {
        id: ProcessId { pid: process.pid().as_u32(), start: (start != 0).then_some(start) },
        name,
        command: (!command.is_empty()).then_some(command),
        script: None,
        executable: process.exe().map(Text::from).filter(|path| !path.is_empty()),
        directory: process.cwd().map(Text::from).filter(|path| !path.is_empty()),
        project: None,
        uid,
        user,
        started_at: i64::try_from(start)
            .ok()
            .filter(|start| *start > 0)
            .and_then(|start| Timestamp::from_second(start).ok()),
        parents: Vec::new(),
        supervisor: None,
        service: None,
        container: None,
    }
}

/// A name that the system cut, made whole by the name of the program's file.
fn full_name(name: &OsStr, file: Option<&OsStr>) -> Text {
    let name = Text::from(name);
    match file.map(Text::from) {
        Some(file) if name.as_bytes().len() >= 15 && file.as_bytes().starts_with(name.as_bytes()) => file,
        _ => name,
    }
}

/// Reads the parents of processes that were read, and theirs in turn where the whole ancestry is wanted.
fn read_parents(system: &mut System, of: &[Pid], ancestry: bool) {
    let mut known: BTreeSet<Pid> = of.iter().copied().collect();
    let mut level: Vec<Pid> = of.to_vec();
    for _ in 0..if ancestry { LONGEST_ANCESTRY } else { 1 } {
        let next: BTreeSet<Pid> = level
            .iter()
            .filter_map(|pid| system.process(*pid)?.parent())
            .filter(|parent| known.insert(*parent))
            .collect();
        if next.is_empty() {
            return;
        }
        level = next.into_iter().collect();
        let kind = ProcessRefreshKind::nothing().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&level), false, kind);
    }
}

/// The parent, or the whole ancestry. A "parent" that began after its child is another process with its pid.
fn parents(system: &System, process: &sysinfo::Process, ancestry: bool) -> Vec<Parent> {
    let mut parents: Vec<Parent> = Vec::with_capacity(1);
    let mut child = process;
    while let Some(parent) = child.parent().and_then(|pid| system.process(pid)) {
        let pid = parent.pid().as_u32();
        if parent.start_time() > child.start_time() || parents.iter().any(|known| known.pid == pid) {
            break;
        }
        parents.push(Parent { pid, name: Text::from(parent.name()) });
        if !ancestry || parents.len() == LONGEST_ANCESTRY {
            break;
        }
        child = parent;
    }
    parents
}

/// The user of a process: a number on Unix.
#[cfg(unix)]
fn user(process: &sysinfo::Process) -> (Option<u32>, Option<Text>) {
    let uid = process.effective_user_id().or_else(|| process.user_id());
    (uid.map(|uid| **uid), None)
}

/// The user of a process: a name on Windows.
#[cfg(windows)]
fn user(process: &sysinfo::Process) -> (Option<u32>, Option<Text>) {
    (None, process.user_id().and_then(|sid| super::users::name_of_sid(&sid.to_string())))
}
