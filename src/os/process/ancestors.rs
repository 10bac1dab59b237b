//! The ancestors of processes among those that the crate sysinfo has read, on systems without a cheaper way.

use std::collections::BTreeMap;

use sysinfo::System;

use crate::model::{Process, RelatedProcess, Supervisor, Text};
use crate::os::parse::supervisor;
use crate::os::process::LONGEST_ANCESTRY;
use crate::os::process::sysinfo::SysinfoQuery;

/// Adds the ancestors of a process and the nearest supervisor among them. A "parent" that started after its child is
/// another process with its pid.
pub(in crate::os) fn add(
    mut facts: Process,
    system: &System,
    process: &sysinfo::Process,
    family: &SysinfoQuery,
) -> Process {
    let mut child = process;
    while let Some(parent) = child.parent().and_then(|pid| system.process(pid)) {
        let pid = parent.pid().as_u32();
        if parent.start_time() > child.start_time() || facts.parents.iter().any(|known| known.pid == pid) {
            break;
        }
        let name = family.listed_name(parent).unwrap_or_else(|| Text::from(parent.name()));
        if facts.supervisor.is_none() {
            let mut command =
                || parent.cmd().iter().map(|argument| Text::from(argument.as_os_str())).collect();
            facts.supervisor = supervisor::kind(&name, &mut command).map(|kind| Supervisor {
                kind,
                pid,
                name: name.clone(),
                terminal: None,
            });
        }
        facts.parents.push(RelatedProcess { pid, name });
        if facts.parents.len() == LONGEST_ANCESTRY {
            break;
        }
        child = parent;
    }
    facts
}

/// Shortens the ancestry to the parent unless all of it is wanted: [`add`] has added all.
pub(in crate::os) fn add_ancestors(processes: &mut BTreeMap<u32, Process>, whole: bool) {
    for process in processes.values_mut().filter(|_| !whole) {
        process.parents.truncate(1);
    }
}
