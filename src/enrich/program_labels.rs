//! Adds labels of what interpreters and launchers run, and whether the script changed since the process started.

use std::collections::BTreeMap;

use crate::model::{Process, ProcessId};
use crate::os::{self, GivenFiles};
use crate::program_label;

/// Adds the program label and the change of the script to processes.
pub(crate) fn add<'a>(processes: impl Iterator<Item = &'a mut Process>) {
    let mut files = GivenFiles::default();
    processes.for_each(|process| examine(process, &mut files));
}

/// Adds the program label and the change of the script to a process. A file is read only if the command line does not
/// determine the label: `java @options`.
fn examine(process: &mut Process, files: &mut GivenFiles) {
    // A process may have changed its directory, so a relative path may mean another file now.
    let script = program_label::script_file(process).filter(|path| path.as_bytes().starts_with(b"/"));
    process.script_change = script.and_then(|path| files.change(process.id, &path));
    let options = program_label::options_file(process);
    let content = options.and_then(|path| files.older_content(process, &path));
    let label = content.and_then(|content| program_label::with_options(process, &content));
    process.script = label.or_else(|| program_label::label(process).map(|label| label.text().clone()));
}

/// Returns facts about exactly these processes, by pid, with their program labels. Processes that have ended are left out.
pub(crate) fn describe(ids: &[ProcessId]) -> BTreeMap<u32, Process> {
    let mut processes = os::describe_ids(ids);
    add(processes.values_mut());
    processes
}
