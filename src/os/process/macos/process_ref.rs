//! A reference to one process of macOS.

use super::Conditions;
use crate::model::Process;
use crate::os::macos_api as kernel;

/// A process by its pid and its start, to the microsecond, if that may be read.
#[derive(Debug, Clone)]
pub(crate) struct ProcessRef {
    pid: u32,
    start: Option<(u64, u64)>,
}

impl ProcessRef {
    /// Refers to the process that has this pid now.
    pub(in crate::os) fn open(pid: u32) -> Option<ProcessRef> {
        Some(ProcessRef { pid, start: kernel::start(pid) })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns true: facts that cannot be read are those of a process that has ended.
    pub(in crate::os) fn has_ended(&self) -> bool {
        true
    }

    /// Verifies that these facts belong to this process, and that its pid was not reused.
    pub(in crate::os) fn verify_and_fill(&self, process: &mut Process, _conditions: &mut Conditions) -> bool {
        let Some(start) = self.start else { return true };
        let read = process.id.start.is_none_or(|seconds| seconds == start.0);
        read && kernel::start(self.pid) == Some(start)
    }
}
