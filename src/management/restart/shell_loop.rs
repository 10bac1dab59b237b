//! Finds loops in shell code that start a program repeatedly. The code is an argument of the shell or a script. The
//! commands of a shell that reads them from a terminal are unknown.

use std::collections::BTreeSet;
use std::time::Duration;

use super::parent_role::ParentRole;
use super::program::Program;
use super::{Certainty, RestarterKind, RestartingProcess, Sources};
use crate::model::compact::CompactCollect as _;
use crate::model::process_table::ProcessTable;
use crate::model::{Process, ProcessId, Text};
use crate::os::parse::shell_code::{file_name, loop_bodies, opens_command, pause, sleep_argument, words};
use crate::program_label;

/// Returns what a shell does when its child ends. `None` if `parent` is not a shell.
pub(super) fn role(parent: &Process, child: &Process, sources: &mut dyn Sources) -> Option<ParentRole> {
    if !program_label::is_shell(parent) {
        return None;
    }
    if program_label::is_shell(child) && parent.command == child.command {
        // A subshell of its script: which loops are inside of it is unknown.
        return Some(ParentRole::Wrapper);
    }
    let Some(code) = code(parent, sources) else {
        // Commands from a terminal or a pipe are unknown.
        let reads_script = program_label::started(parent).is_some();
        return Some(if reads_script { ParentRole::Other } else { ParentRole::Boundary });
    };
    let names = names_of(child);
    let Some(body) = loop_that_starts(&code, &names) else { return Some(ParentRole::Wrapper) };
    let program = Program::from_process(parent);
    let mut restarter = RestartingProcess::new(RestarterKind::ShellLoop, parent, &program);
    restarter.certainty = Certainty::Likely;
    restarter.delay = pause(&body);
    Some(ParentRole::Restarts(restarter.into()))
}

/// Returns the code that a shell runs: its argument after `-c`, or its script.
fn code(shell: &Process, sources: &mut dyn Sources) -> Option<Vec<u8>> {
    if let Some(code) = argument(shell) {
        return Some(code.as_bytes().to_vec());
    }
    let (path, _) = program_label::started(shell)?;
    let path = match path.as_bytes() {
        absolute @ [b'/', ..] => Text::from(absolute),
        relative => [shell.directory.as_ref()?.as_bytes(), b"/", relative].concat().into(),
    };
    sources.file(shell.id, &path)
}

/// Returns the code in a shell's arguments: `bash -lc CODE`.
fn argument(shell: &Process) -> Option<&Text> {
    let mut words = shell.command.as_deref().unwrap_or_default().iter().skip(1);
    let mut is_code = false;
    while let Some(word) = words.next() {
        match word.as_bytes() {
            b"-o" | b"+o" | b"-O" | b"+O" | b"--rcfile" | b"--init-file" => {
                words.next();
            }
            b"--" | b"-" => return words.next().filter(|_| is_code),
            b"--command" => is_code = true,
            [b'-', b'-', ..] => {}
            [b'-', letters @ ..] => is_code |= letters.contains(&b'c'),
            [b'+', ..] => {}
            _ => return Some(word).filter(|_| is_code),
        }
    }
    None
}

/// Returns the words by which code may start this process: the file names of its program and of its script.
fn names_of(child: &Process) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    let program = Program::from_process(child);
    let first = child.command.iter().flatten().next();
    for text in
        [Some(&program.path), first, child.executable.as_ref(), Some(&child.name)].into_iter().flatten()
    {
        let name = text.file_name().to_vec();
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Returns the body of a loop that starts the program, if the code has one.
fn loop_that_starts(code: &[u8], names: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let words = words(code);
    let is_name = |word: &Vec<u8>| names.iter().any(|name| file_name(word) == name.as_slice());
    let last = words.iter().rposition(is_name);
    // Functions that may start the program: it is named after their beginning. Their end is not determined.
    let functions: BTreeSet<&[u8]> = words
        .windows(3)
        .enumerate()
        .filter_map(|(at, part)| match part {
            [name, open, close] if open == b"(" && close == b")" && last > Some(at) => Some(name.as_slice()),
            _ => None,
        })
        .collect_set();
    // Whether a body names the program, starts what a variable holds, or calls a function that names it.
    let starts = |body: &[Vec<u8>]| {
        body.iter().enumerate().any(|(at, word)| {
            let is_command = at == 0 || body.get(at - 1).is_some_and(|before| opens_command(before));
            let is_variable = word.starts_with(b"$") && !word.starts_with(b"$(");
            let calls = is_variable || word == b"eval" || functions.contains(word.as_slice());
            is_name(word) || (is_command && calls)
        })
    };
    loop_bodies(&words).into_iter().find(|body| starts(body)).map(<[_]>::to_vec)
}

/// Returns how long the sleep(1) child of a shell lasts. After a server has ended, this is when the next one starts.
pub(crate) fn sleeps(shell: ProcessId, table: &ProcessTable, sources: &mut dyn Sources) -> Option<Duration> {
    let is_sleep = |name: &[u8]| matches!(name, b"sleep" | b"busybox" | b"coreutils");
    let children = table.find(shell).map(|shell| table.children(shell.id.pid)).into_iter().flatten();
    let ids: Vec<ProcessId> =
        children.filter(|child| is_sleep(child.name.as_bytes())).map(|child| child.id).collect();
    let described = sources.describe(&ids);
    let mut longest = None;
    for process in described.values() {
        let program = Program::from_process(process);
        if program.name() == b"sleep" {
            let parts: Option<Vec<Duration>> =
                program.arguments.iter().map(|word| sleep_argument(word.as_bytes())).collect();
            let whole = parts?.into_iter().try_fold(Duration::ZERO, Duration::checked_add)?;
            longest = longest.max(Some(whole));
        }
    }
    longest
}
