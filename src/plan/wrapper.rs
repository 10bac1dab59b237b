//! The wrapper of a server, and the tree that belongs to it: `npm run dev`, `sh -c`, `make`, and all that they started.
//! Pure: a process table and command lines go in.

use std::collections::BTreeMap;

use crate::process_table::{ProcessEntry, ProcessTable};
use crate::{Process, ProcessId, Text, supervisor};

/// Programs that run another one in the foreground for a person, and wait for it.
const RUNNERS: &[&str] = &[
    "npm",
    "npx",
    "pnpm",
    "pnpx",
    "yarn",
    "yarnpkg",
    "bunx",
    "corepack",
    "make",
    "gmake",
    "just",
    "task",
    "rake",
    "bundle",
    "cargo",
    "poetry",
    "uv",
    "uvx",
    "pipenv",
    "hatch",
    "pdm",
    "rye",
    "tox",
    "nox",
    "pixi",
    "foreman",
    "honcho",
    "overmind",
    "hivemind",
    "goreman",
    "concurrently",
    "turbo",
    "nx",
    "lerna",
    "nodemon",
    "ts-node-dev",
    "tsx",
    "watchexec",
    "entr",
    "air",
    "reflex",
    "gow",
    "cargo-watch",
    "bacon",
    "mvn",
    "mvnw",
    "gradle",
    "gradlew",
    "sbt",
    "mix",
    "lein",
    "dotenv",
    "env-cmd",
    "cross-env",
    "direnv",
    "mise",
    "asdf",
    "nohup",
    "setsid",
    "env",
    "time",
    "timeout",
    "nice",
    "stdbuf",
    "script",
    "strace",
    "ltrace",
    "sudo",
    "doas",
    "su",
    "runuser",
    "setpriv",
    "xargs",
    "watch",
    "dumb-init",
    "tini",
    "catatonit",
];

/// Shells, which are wrappers where they run a script or a command line, and a person's own where they do not.
const SHELLS: &[&str] =
    &["sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "ash", "busybox", "cmd.exe", "pwsh"];

/// Interpreters whose first argument names the runner: `node /usr/bin/npm run dev`, `python3 /usr/bin/honcho start`.
const INTERPRETERS: &[&str] = &["node", "nodejs", "bun", "deno", "ruby", "php", "perl"];

/// Returns the wrappers of a process, the nearest first. `facts` holds what is known of the ancestors; one of which
/// nothing is known ends the chain, and so does one of another session, a supervisor, a terminal and an interactive
/// shell.
pub(crate) fn wrappers<'a>(
    id: ProcessId,
    table: &'a ProcessTable,
    facts: &BTreeMap<u32, Process>,
) -> Vec<&'a ProcessEntry> {
    let Some(own) = table.find(id) else { return Vec::new() };
    let mut found = Vec::new();
    for ancestor in table.ancestors(id.pid) {
        let known = facts.get(&ancestor.id.pid).filter(|facts| facts.id == ancestor.id);
        let in_session = ancestor.session == own.session;
        match known.filter(|facts| in_session && ancestor.id.pid != 1 && is_wrapper(facts)) {
            Some(_) => found.push(ancestor),
            None => break,
        }
    }
    found
}

/// Returns a process with all its descendants and, if it leads a process group, that group's members, whose parent may
/// have ended. The first is the process itself; children follow their parents.
pub(crate) fn tree(root: ProcessId, table: &ProcessTable) -> Vec<&ProcessEntry> {
    let Some(first) = table.find(root) else { return Vec::new() };
    let leads = first.group == Some(root.pid);
    let in_group = |entry: &ProcessEntry| leads && entry.group == first.group && entry.id.start >= root.start;
    let roots =
        std::iter::once(first).chain(table.iter().filter(|entry| entry.id != root && in_group(entry)));
    let mut found: Vec<&ProcessEntry> = Vec::new();
    for entry in roots.flat_map(|entry| std::iter::once(entry).chain(table.descendants(entry.id.pid))) {
        if !entry.zombie && !found.iter().any(|known| known.id == entry.id) {
            found.push(entry);
        }
    }
    found
}

/// Whether a process runs others in the foreground and does nothing else.
fn is_wrapper(process: &Process) -> bool {
    let command = process.command.as_deref().unwrap_or_default();
    if supervisor::kind(&process.name, &mut || command.to_vec()).is_some() {
        return false;
    }
    let Some(program) = command.first() else { return false };
    let name = base(program);
    let is_runner = |name: &[u8]| RUNNERS.iter().any(|known| known.as_bytes() == name);
    // npm and yarn write their command line into their title: `npm run dev`.
    let title =
        program.as_bytes().split(|byte| *byte == b' ').next().map(|word| base(&Text::from(word)).to_vec());
    if is_runner(name) || title.is_some_and(|word| command.len() == 1 && is_runner(&word)) {
        return true;
    }
    if name == b"go" {
        return command.get(1).is_some_and(|argument| argument.as_bytes() == b"run");
    }
    if name == b"dotnet" {
        return command.get(1).is_some_and(|argument| matches!(argument.as_bytes(), b"run" | b"watch"));
    }
    let name = name.strip_prefix(b"-").unwrap_or(name);
    if SHELLS.iter().any(|known| known.as_bytes() == name) {
        // A login shell, or one without a script, is where a person types.
        return !program.as_bytes().starts_with(b"-") && runs_a_script(command);
    }
    let interpreted =
        INTERPRETERS.iter().any(|known| known.as_bytes() == name) || name.starts_with(b"python");
    let script = command.iter().skip(1).find(|argument| !argument.as_bytes().starts_with(b"-"));
    interpreted && script.is_some_and(|script| is_runner(stem(base(script))))
}

/// Whether a shell was given something to run, by its arguments.
fn runs_a_script(command: &[Text]) -> bool {
    let mut arguments = command.iter().skip(1).map(Text::as_bytes);
    let first = arguments.find(|argument| {
        let is_option =
            argument.starts_with(b"-") || argument.starts_with(b"+") || argument.starts_with(b"/");
        let runs = argument.starts_with(b"-") && !argument.starts_with(b"--") && argument.contains(&b'c');
        runs || argument.eq_ignore_ascii_case(b"/c") || !is_option || argument.starts_with(b"/")
    });
    first.is_some() && !command.iter().skip(1).any(|argument| argument.as_bytes() == b"-i")
}

fn base(path: &Text) -> &[u8] {
    path.file_name()
}

/// `npm-cli.js` is npm's file, `yarn.js` yarn's.
fn stem(name: &[u8]) -> &[u8] {
    let name = name.split(|byte| *byte == b'.').next().unwrap_or_default();
    name.strip_suffix(b"-cli").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, name: &str, command: &[&str]) -> Process {
        let mut process = Process::new(ProcessId { pid, start: Some(u64::from(pid)) }, name.into());
        process.command = Some(command.iter().map(|argument| Text::from(*argument)).collect());
        process
    }

    fn entry(pid: u32, parent: u32, group: u32, session: u32) -> ProcessEntry {
        ProcessEntry {
            id: ProcessId { pid, start: Some(u64::from(pid)) },
            parent,
            name: "x".into(),
            group: Some(group),
            session: Some(session),
            condition: None,
            zombie: false,
        }
    }

    #[test]
    fn wrappers_by_their_command_lines() {
        for (name, command) in [
            ("npm run dev", &["npm run dev"][..]),
            ("node", &["node", "/usr/lib/node_modules/npm/bin/npm-cli.js", "run", "dev"]),
            ("sh", &["sh", "-c", "next dev"]),
            ("bash", &["/bin/bash", "./serve.sh"]),
            ("bash", &["bash", "-ec", "x"]),
            ("make", &["make", "run"]),
            ("go", &["go", "run", "."]),
            ("python3", &["python3", "/usr/bin/honcho", "start"]),
            ("sudo", &["sudo", "nginx"]),
        ] {
            assert!(is_wrapper(&process(5, name, command)), "{command:?}");
        }
        for (name, command) in [
            ("zsh", &["-zsh"][..]),
            ("bash", &["bash"]),
            ("bash", &["bash", "-i"]),
            ("bash", &["bash", "--login"]),
            ("node", &["node", "server.js"]),
            ("go", &["go", "test"]),
            ("python3", &["python3", "server.py", "npm"]),
            ("tmux: server", &["tmux"]),
            ("", &[]),
        ] {
            assert!(!is_wrapper(&process(5, name, command)), "{command:?}");
        }
    }

    #[test]
    fn the_chain_ends_at_the_shell_of_a_person() {
        let table: ProcessTable =
            [entry(3, 1, 3, 3), entry(5, 3, 5, 3), entry(7, 5, 5, 3), entry(9, 7, 5, 3)]
                .into_iter()
                .collect();
        let facts: BTreeMap<u32, Process> = [
            process(3, "zsh", &["-zsh"]),
            process(5, "npm run dev", &["npm run dev"]),
            process(7, "sh", &["sh", "-c", "vite"]),
        ]
        .into_iter()
        .map(|process| (process.id.pid, process))
        .collect();
        let own = ProcessId { pid: 9, start: Some(9) };
        let found: Vec<u32> = wrappers(own, &table, &facts).iter().map(|entry| entry.id.pid).collect();
        assert_eq!(found, [7, 5]);
        assert!(wrappers(ProcessId { pid: 9, start: Some(8) }, &table, &facts).is_empty(), "another process");
    }

    #[test]
    fn a_tree_has_its_group_but_not_what_is_older() {
        let table: ProcessTable = [
            entry(5, 3, 5, 3),
            entry(7, 5, 5, 3),
            entry(9, 7, 9, 9),
            // Its parent has ended, its group has not.
            entry(11, 1, 5, 3),
            entry(4, 1, 5, 3),
            entry(12, 1, 12, 3),
        ]
        .into_iter()
        .collect();
        let found = tree(ProcessId { pid: 5, start: Some(5) }, &table);
        let pids: Vec<u32> = found.iter().map(|entry| entry.id.pid).collect();
        assert_eq!(pids, [5, 7, 9, 11]);
    }
}
