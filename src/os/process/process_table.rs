//! All processes by the crate sysinfo, on systems without a cheaper way.

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

use crate::model::process_table::{ProcessEntry, ProcessTable};
use crate::model::{ProcessId, Text};
use crate::os::process::sys;

/// Returns the processes that the system lists.
pub(in crate::os) fn process_table() -> std::io::Result<ProcessTable> {
    let mut system = System::new().map_err(|error| std::io::Error::other(error.to_string()))?;
    system.refresh_processes_specifics(
        ProcessesToUpdate::All,
        false,
        ProcessRefreshKind::nothing().without_tasks(),
    );
    let entry = |process: &sysinfo::Process| {
        let pid = process.pid().as_u32();
        ProcessEntry {
            id: ProcessId { pid, start: sys::start_of(pid, process.start_time()) },
            parent: process.parent().map_or(0, sysinfo::Pid::as_u32),
            name: Text::from(process.name()),
            group: None,
            session: None,
            condition: None,
            zombie: false,
        }
    };
    Ok(system.processes().values().map(entry).collect())
}
