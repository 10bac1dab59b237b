//! What Windows reads by the crate sysinfo: everything but the names, with all ancestors at once, because each refresh
//! reads the list of all processes.

use std::collections::BTreeMap;

use sysinfo::{Pid, ProcessRefreshKind, System, UpdateKind};

use crate::model::{Condition, Text};
use crate::os::parse::windows::process_times;
pub(in crate::os) use crate::os::process::ancestors::add as add_ancestors;
use crate::os::process::sysinfo::SysinfoQuery;
use crate::os::windows_api;

/// The number of processes that are read at a time: as many as possible, because each refresh reads the list of all.
pub(in crate::os) const AT_A_TIME: usize = 4096;

/// Describing fewer processes than this takes less time than another refresh on another thread.
pub(in crate::os) const WORTH_A_THREAD: usize = AT_A_TIME;

/// Returns the processes with their ancestors in the system's list (Toolhelp), which also has their names: sysinfo's
/// lose what is not valid UTF-16.
pub(in crate::os) fn family(pids: &[Pid]) -> SysinfoQuery {
    let listed = windows_api::processes();
    let mut wanted = process_times::ancestors(pids.iter().map(|pid| pid.as_u32()), &listed);
    wanted.extend(pids.iter().map(|pid| pid.as_u32()));
    let family = listed.into_iter().filter(|process| wanted.contains(&process.pid));
    let names: BTreeMap<u32, Text> = family.map(|process| (process.pid, process.name)).collect();
    SysinfoQuery { pids: names.keys().copied().map(Pid::from_u32).collect(), names }
}

/// Does nothing: all ancestors were read at once.
pub(in crate::os) fn read_ancestors(_family: &SysinfoQuery, _system: &mut System) {}

/// Adds the command line and the program to a request.
pub(in crate::os) fn with_program(kind: ProcessRefreshKind) -> ProcessRefreshKind {
    kind.with_cmd(UpdateKind::Always).with_exe(UpdateKind::Always)
}

/// Returns the name of the user of a process: users have no numbers on Windows.
pub(in crate::os) fn user(process: &sysinfo::Process) -> (Option<u32>, Option<Text>) {
    (None, process.user_id().and_then(|sid| crate::os::users::name_of_sid(&sid.to_string())))
}

/// Returns nothing: a process on Windows has no such state, and sysinfo reports every one as running.
pub(in crate::os) fn condition(_process: &sysinfo::Process) -> Option<Condition> {
    None
}
