//! Adds labels of what interpreters and launchers run, and whether the script changed since the process started.

use std::collections::BTreeMap;

use crate::model::{FileChange, Listener, Process, ProcessId, Text};
use crate::os::{self, GivenFiles};
use crate::program_label;

/// Adds the program label and the change of the script to the holders of listeners. Each process is examined once, however
/// many sockets it holds.
pub(crate) fn add(listeners: &mut [Listener]) {
    let mut files = GivenFiles::default();
    let mut examined: BTreeMap<ProcessId, (Option<Text>, Option<FileChange>)> = BTreeMap::new();
    for holder in listeners.iter_mut().flat_map(|listener| &mut listener.holders) {
        let process = &mut holder.process;
        match examined.get(&process.id) {
            Some((script, change)) => {
                (process.script, process.script_change) = (script.clone(), *change);
            }
            None => {
                examine(process, &mut files);
                examined.insert(process.id, (process.script.clone(), process.script_change));
            }
        }
    }
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
    let mut files = GivenFiles::default();
    processes.values_mut().for_each(|process| examine(process, &mut files));
    processes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, Protocol, Socket, State};
    use crate::verdict::test_support::held_by;

    #[test]
    fn every_socket_of_a_process_has_its_label() {
        let listener = || {
            let socket = Socket::new(Protocol::Tcp, Endpoint::Unix { path: None }, State::Listen);
            let mut listener = held_by(Listener::new(socket), "node");
            listener.holders[0].process.command = Some(vec!["node".into(), "node_modules/.bin/vite".into()]);
            listener
        };
        let mut listeners = vec![listener(), listener()];
        add(&mut listeners);
        let labels: Vec<_> =
            listeners.iter().map(|listener| listener.holders[0].process.script.clone()).collect();
        assert!(labels[0].is_some());
        assert_eq!(labels[0], labels[1]);
    }
}
