//! What is read of this system to find out what starts a process again.

use std::collections::BTreeMap;

use crate::management::restart::{LONGEST_FILE, Sources};
use crate::model::{Process, ProcessId, Text};
#[cfg(not(target_os = "linux"))]
use crate::os::process::process_view;
#[cfg(target_os = "linux")]
use crate::os::process::sys::process_view;

/// The sources of this machine. Nothing is kept between two reads.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RestartSources;

impl Sources for RestartSources {
    fn describe(&mut self, ids: &[ProcessId]) -> BTreeMap<u32, Process> {
        crate::os::describe_ids(ids)
    }

    fn file(&mut self, viewer: ProcessId, path: &Text) -> Option<Vec<u8>> {
        process_view::file(viewer, path, LONGEST_FILE)
    }

    fn folder(&mut self, viewer: ProcessId, path: &Text) -> Option<Vec<Text>> {
        process_view::folder(viewer, path)
    }

    fn is_elsewhere(&mut self, id: ProcessId) -> bool {
        process_view::is_in_inner_pid_namespace(id)
    }

    fn own_uid(&mut self) -> Option<u32> {
        crate::os::own_uid()
    }
}
