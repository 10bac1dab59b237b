//! A process of Windows by its pid and creation time.

use super::Conditions;
use crate::model::Process;
use crate::os::parse::windows::process_times::Lifetime;
use crate::os::windows_api;

/// A process by its pid and its start, if that may be read.
#[derive(Debug, Clone)]
pub(crate) struct ProcessRef {
    pid: u32,
    start: Option<u64>,
}

impl ProcessRef {
    /// Refers to the process that has this pid now.
    pub(in crate::os) fn open(pid: u32) -> Option<ProcessRef> {
        Some(ProcessRef { pid, start: windows_api::lifetime(pid).id_start() })
    }

    /// Refers to a process by its pid only, before its start is known.
    pub(in crate::os) fn without_start(pid: u32) -> ProcessRef {
        ProcessRef { pid, start: None }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns true: facts that cannot be read are those of a process that has ended.
    pub(in crate::os) fn has_ended(&self) -> bool {
        true
    }

    /// Sets its start.
    pub(in crate::os) fn set_start(&mut self, life: Lifetime) {
        self.start = life.id_start();
    }

    /// Verifies that facts that were read by pid are this process's, and fills in its start. Returns false if the pid
    /// belongs to another process by now.
    pub(in crate::os) fn verify_and_fill(&self, process: &mut Process, _conditions: &mut Conditions) -> bool {
        process.id.start = self.start;
        self.start.is_none() || windows_api::lifetime(self.pid).id_start() == self.start
    }
}
