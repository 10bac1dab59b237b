//! Reads the facts that decide whether a process is restarted from this machine.

use std::collections::BTreeMap;

use crate::management::restart::{LONGEST_FILE, Sources};
use crate::model::{Process, ProcessId, Text};
use crate::os;

/// The sources of this machine. They cache nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RestartSources;

impl Sources for RestartSources {
    fn describe(&mut self, ids: &[ProcessId]) -> BTreeMap<u32, Process> {
        os::describe_ids(ids)
    }

    fn file(&mut self, viewer: ProcessId, path: &Text) -> Option<Vec<u8>> {
        os::file_seen_by(viewer, path, LONGEST_FILE)
    }

    fn folder(&mut self, viewer: ProcessId, path: &Text) -> Option<Vec<Text>> {
        os::folder_seen_by(viewer, path)
    }

    fn is_elsewhere(&mut self, id: ProcessId) -> bool {
        os::is_in_inner_pid_namespace(id)
    }

    fn own_uid(&mut self) -> Option<u32> {
        os::own_uid()
    }
}
