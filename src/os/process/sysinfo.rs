//! Process facts by the crate sysinfo, for the holders' pids, never for all. On systems without a cheaper way also for
//! their ancestors. What differs between the systems is in `sysinfo_read` of each.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use super::sys::sysinfo_read::{self, AT_A_TIME};
use crate::model::{Process, ProcessId, Text};
use crate::os::parse::process_name;

pub(in crate::os) use super::sys::sysinfo_read::WORTH_A_THREAD;

/// The processes of one read, on some systems with their ancestors.
#[derive(Debug)]
pub(in crate::os) struct SysinfoQuery {
    /// The pids that sysinfo reads.
    pub(in crate::os) pids: Vec<Pid>,
    /// Names by pid, of systems that report better ones than sysinfo.
    pub(in crate::os) names: BTreeMap<u32, Text>,
}

impl SysinfoQuery {
    /// Returns the name that the system reports for a process, if it is a better one than sysinfo's.
    pub(in crate::os) fn listed_name(&self, process: &sysinfo::Process) -> Option<Text> {
        self.names.get(&process.pid().as_u32()).cloned()
    }
}

/// Returns facts about these processes, without those that have ended or may not be read. Linux: without ancestors,
/// which `linux/ancestors.rs` reads.
pub(in crate::os) fn read(pids: impl Iterator<Item = u32>) -> BTreeMap<u32, Process> {
    let pids: Vec<Pid> = pids.map(Pid::from_u32).collect();
    let mut processes = BTreeMap::new();
    for some in pids.chunks(AT_A_TIME) {
        read_some(some, &mut processes);
    }
    processes
}

fn read_some(pids: &[Pid], processes: &mut BTreeMap<u32, Process>) {
    let Ok(mut system) = System::new() else { return };
    let family = sysinfo_read::family(pids);
    let kind = ProcessRefreshKind::nothing()
        .with_cwd(UpdateKind::Always)
        .with_user(UpdateKind::Always)
        .without_tasks();
    let kind = sysinfo_read::with_program(kind);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&family.pids), false, kind);
    sysinfo_read::read_ancestors(&family, &mut system);
    for pid in pids {
        if let Some(process) = system.process(*pid) {
            let mut facts = describe(process);
            facts.name = family.listed_name(process).unwrap_or(facts.name);
            processes.insert(pid.as_u32(), sysinfo_read::add_ancestors(facts, &system, process, &family));
        }
    }
}

fn describe(process: &sysinfo::Process) -> Process {
    let command: Vec<Text> = process.cmd().iter().map(|argument| Text::from(argument.as_os_str())).collect();
    let executable = process.exe().map(Text::from).filter(|path| !path.is_empty());
    let name = Text::from(process.name());
    let name = process_name::full_name(name.as_bytes(), executable.as_ref(), &command);
    let (uid, user) = sysinfo_read::user(process);
    let start = process.start_time();
    Process {
        command: (!command.is_empty()).then_some(command),
        executable,
        directory: process.cwd().map(Text::from).filter(|path| !path.is_empty()),
        uid,
        user,
        started_at: i64::try_from(start)
            .ok()
            .filter(|start| *start > 0)
            .and_then(|start| Timestamp::from_second(start).ok()),
        condition: sysinfo_read::condition(process),
        ..Process::new(ProcessId { pid: process.pid().as_u32(), start: (start != 0).then_some(start) }, name)
    }
}
