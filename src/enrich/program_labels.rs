//! Adds what runs in a process whose name is that of an interpreter or a launcher, and what became of its script.

use std::collections::BTreeMap;

use crate::model::{Process, ProcessId};
use crate::os::{self, GivenFiles};
use crate::program_label;

/// Adds the program label and the change of its script to processes. A file is read only where the command line leaves
/// the label open: `java @options`.
pub(crate) fn add<'a>(processes: impl Iterator<Item = &'a mut Process>) {
    let mut files = GivenFiles::default();
    for process in processes {
        // A process may have changed its directory, so that a relative path leads elsewhere by now.
        let script = program_label::script_file(process).filter(|path| path.as_bytes().starts_with(b"/"));
        process.script_change = script.and_then(|path| files.change(process.id, &path));
        let options = program_label::options_file(process);
        let content = options.and_then(|path| files.older_content(process, &path));
        let label = content.and_then(|content| program_label::with_options(process, &content));
        process.script = label.or_else(|| program_label::label(process).map(|label| label.text().clone()));
    }
}

/// Returns facts of exactly these processes, by pid, with their program labels. One that has ended is left out.
pub(crate) fn describe(ids: &[ProcessId]) -> BTreeMap<u32, Process> {
    let mut processes = os::describe_ids(ids);
    add(processes.values_mut());
    processes
}
