//! A process that was found to hold a socket, and the facts that are read through its directory, which are never those
//! of another process.

use std::collections::BTreeMap;

use super::proc_handle::{Directory, ProcHandle};
use super::suspension::Conditions;
use super::{ancestors, program_file};
use crate::model::{Gap, GapDetail, GapKind, GapReason, Process};
use crate::os::linux_api::cgroup_owner::{belongs_to, container};
use crate::os::linux_api::pid_namespace;
use crate::os::linux_api::procfs;
use crate::os::parse::linux::cgroup_file;
use crate::os::parse::linux::cmdline::arguments;
use crate::os::parse::process_name;

/// The most bytes that are kept of a command line. The kernel's limit is about 2 MiB.
pub(in crate::os) const LONGEST_COMMAND: u64 = 32 * 1024;

/// A process that holds a socket.
#[derive(Debug, Clone)]
pub(crate) struct ProcessRef(ProcHandle);

impl ProcessRef {
    pub(in crate::os) fn new(handle: ProcHandle) -> ProcessRef {
        ProcessRef(handle)
    }

    /// Opens the process that has this pid now. `None` if there is none.
    pub(in crate::os) fn open(pid: u32) -> Option<ProcessRef> {
        ProcHandle::new(pid, Directory::open(pid).ok()?).map(ProcessRef)
    }

    pub(in crate::os) fn handle(&self) -> &ProcHandle {
        &self.0
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.pid
    }

    /// Returns whether the process has certainly ended.
    pub(in crate::os) fn has_ended(&self) -> bool {
        self.0.has_ended()
    }

    /// Verifies that facts that were read by pid are this process's, and fills in what /proc/PID has. Returns false if
    /// the process has ended: the facts may be another process's then.
    pub(in crate::os) fn verify_and_fill(&self, process: &mut Process, conditions: &mut Conditions) -> bool {
        let Some(directory) = self.0.open() else { return false };
        let command = procfs::read_record(&*directory, "cmdline", LONGEST_COMMAND + 1);
        let cgroup = procfs::read_record(&*directory, "cgroup", LONGEST_COMMAND).ok();
        let program = program_file::link(&*directory);
        // This is read last: if it succeeds, the pid has belonged to this process all the time.
        let Some(stat) = procfs::stat(&*directory).filter(|stat| self.0.is_same_process(stat)) else {
            return false;
        };
        process.id.start = Some(stat.start);
        process.parents = ancestors::parent_only(&stat);
        if let Ok(command) = command {
            process.command = Some(arguments(&command));
        }
        conditions.files.complete(&*directory, program.as_deref(), process);
        let command = process.command.as_deref().unwrap_or_default();
        process.name = process_name::full_name(&stat.name, process.executable.as_ref(), command);
        let cgroup = cgroup.unwrap_or_default();
        if let Some(path) = cgroup_file::path_of_process(&cgroup) {
            let mut own_pids = || pid_namespace::contains(&*directory);
            (process.service, process.container) = belongs_to(&path, &mut own_pids);
        }
        if process.container.is_none() {
            process.container = cgroup_file::other_paths_of_process(&cgroup).find_map(container);
        }
        process.condition = conditions.find(&directory, &stat, &cgroup, process);
        true
    }
}

/// Truncates command lines that are too long to keep, and returns a gap if there were any.
pub(in crate::os) fn shorten_commands(processes: &mut BTreeMap<u32, Process>) -> Option<Gap> {
    let mut cut = 0;
    for process in processes.values_mut() {
        let Some(command) = &mut process.command else { continue };
        let mut room = usize::try_from(LONGEST_COMMAND).unwrap_or(usize::MAX);
        let length: usize = command.iter().map(|argument| argument.as_bytes().len() + 1).sum();
        if length <= room {
            continue;
        }
        cut += 1;
        command.retain_mut(|argument| {
            let kept = argument.as_bytes().get(..room).unwrap_or(argument.as_bytes()).to_vec();
            let keep = room > 0;
            room = room.saturating_sub(kept.len() + 1);
            *argument = kept.into();
            keep
        });
    }
    (cut > 0).then(|| {
        let detail = GapDetail::LongCommands { kept: LONGEST_COMMAND };
        Gap::new(GapKind::Command, GapReason::TooLong, cut, detail, None)
    })
}
