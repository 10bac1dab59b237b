//! Process facts by the crate sysinfo, for the holders' pids, never for all. On systems without a cheaper way also for
//! their ancestors.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use crate::model::{Process, ProcessId, Text};
use crate::os::parse::process_name;

/// How many processes are read at a time, to limit memory: sysinfo keeps more about each than this program.
#[cfg(not(windows))]
const AT_A_TIME: usize = 64;
/// On Windows each refresh reads the list of all processes, so as many as possible are read at a time.
#[cfg(windows)]
const AT_A_TIME: usize = 4096;

/// Describing fewer processes than this takes less time than starting another thread.
pub(in crate::os) const WORTH_A_THREAD: usize = if cfg!(windows) { AT_A_TIME } else { 24 };

/// Finds what keeps a process from running. Empty: only Linux reads more than sysinfo reports.
#[cfg(not(target_os = "linux"))]
#[derive(Debug, Default)]
pub(in crate::os) struct Conditions;

/// Returns facts about these processes, without those that have ended or may not be read. Linux: without ancestors,
/// which are read elsewhere.
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
    #[cfg(not(target_os = "linux"))]
    let family = super::ancestors::Family::of(pids);
    #[cfg(not(target_os = "linux"))]
    let wanted = family.wanted();
    #[cfg(target_os = "linux")]
    let wanted = pids;
    let kind = ProcessRefreshKind::nothing()
        .with_cwd(UpdateKind::Always)
        .with_user(UpdateKind::Always)
        .without_tasks();
    // On Linux these are read without sysinfo, which leaves empty arguments out and does not tell a file that is gone.
    #[cfg(not(target_os = "linux"))]
    let kind = kind.with_cmd(UpdateKind::Always).with_exe(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(wanted), false, kind);
    #[cfg(not(target_os = "linux"))]
    family.complete(&mut system);
    for pid in pids {
        if let Some(process) = system.process(*pid) {
            let facts = describe(process);
            #[cfg(not(target_os = "linux"))]
            let facts = family.add(facts, &system, process);
            processes.insert(pid.as_u32(), facts);
        }
    }
}

fn describe(process: &sysinfo::Process) -> Process {
    let command: Vec<Text> = process.cmd().iter().map(|argument| Text::from(argument.as_os_str())).collect();
    let executable = process.exe().map(Text::from).filter(|path| !path.is_empty());
    let name = Text::from(process.name());
    let name = process_name::full_name(name.as_bytes(), executable.as_ref(), &command);
    let (uid, user) = user(process);
    let start = process.start_time();
    // On Linux the condition is read through the process's own directory. On Windows a process has no such state, and
    // sysinfo calls every one running.
    let is_stopped = cfg!(target_os = "macos") && process.status() == sysinfo::ProcessStatus::Stop;
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
        condition: is_stopped.then_some(crate::model::Condition::Stopped { shell: None }),
        ..Process::new(ProcessId { pid: process.pid().as_u32(), start: (start != 0).then_some(start) }, name)
    }
}

/// Returns the user of a process: a uid on Unix.
#[cfg(unix)]
fn user(process: &sysinfo::Process) -> (Option<u32>, Option<Text>) {
    let uid = process.effective_user_id().or_else(|| process.user_id());
    (uid.map(|uid| **uid), None)
}

/// Returns the user of a process: a name on Windows.
#[cfg(windows)]
fn user(process: &sysinfo::Process) -> (Option<u32>, Option<Text>) {
    (None, process.user_id().and_then(|sid| crate::os::users::name_of_sid(&sid.to_string())))
}
