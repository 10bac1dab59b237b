//! Finds the wrappers of a server, such as `npm run dev`, `sh -c` and `make`, and the process tree below them. Pure: the
//! input is a process table and command lines.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::process_table::{ProcessEntry, ProcessTable};
use crate::model::{Process, ProcessId, Text};
use crate::os::parse::supervisor;

/// Programs that run another program in the foreground and wait for it.
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

/// Shells. They are wrappers if they run a script or a command line; otherwise they are interactive.
const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "ash"];

/// Shells of Windows, whose options have another syntax.
const POWERSHELLS: &[&str] = &["pwsh", "pwsh.exe", "powershell", "powershell.exe"];

/// Long options of [`SHELLS`] that take the next argument as their value and leave the shell interactive: editors and
/// terminals start `bash --init-file FILE` and `fish --init-command COMMAND`.
const WITH_A_VALUE: &[&str] = &["--rcfile", "--init-file", "--init-command", "--profile", "--features"];

/// Interpreters whose first argument names the runner: `node /usr/bin/npm run dev`, `python3 /usr/bin/honcho start`.
const INTERPRETERS: &[&str] = &["node", "nodejs", "bun", "deno", "ruby", "php", "perl"];

/// Returns the wrappers of a process, the nearest first. `facts` are those of the ancestors. The chain ends at an unknown
/// ancestor, an ancestor in another session, a supervisor, a terminal, or an interactive shell.
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

/// Returns the process whose tree `--tree` ends: the outermost wrapper that is not an ancestor of allears, or the process
/// itself. A script that starts a server and then allears is a wrapper of both, and is not ended.
pub(crate) fn root(
    id: ProcessId,
    table: &ProcessTable,
    facts: &BTreeMap<u32, Process>,
    lineage: &[u32],
) -> ProcessId {
    let wrappers = wrappers(id, table, facts).into_iter();
    wrappers.take_while(|wrapper| !lineage.contains(&wrapper.id.pid)).last().map_or(id, |root| root.id)
}

/// Returns a process with all its descendants. If it leads a process group, the members of the group are included too,
/// because their parents may have ended. The process itself comes first, and children follow their parents.
pub(crate) fn tree(root: ProcessId, table: &ProcessTable) -> Vec<&ProcessEntry> {
    let Some(first) = table.find(root) else { return Vec::new() };
    let leads = first.group == Some(root.pid);
    let in_group = |entry: &ProcessEntry| leads && entry.group == first.group && entry.id.start >= root.start;
    let roots =
        std::iter::once(first).chain(table.iter().filter(|entry| entry.id != root && in_group(entry)));
    let mut found: Vec<&ProcessEntry> = Vec::new();
    let mut known = BTreeSet::new();
    for entry in roots.flat_map(|entry| std::iter::once(entry).chain(table.descendants(entry.id.pid))) {
        if !entry.zombie && known.insert(entry.id) {
            found.push(entry);
        }
    }
    found
}

/// Returns whether a process only runs other programs in the foreground.
fn is_wrapper(process: &Process) -> bool {
    let command = process.command.as_deref().unwrap_or_default();
    if supervisor::kind(&process.name, &mut || command.to_vec()).is_some() {
        return false;
    }
    let Some(program) = command.first() else { return false };
    let name = base(program);
    let is_runner = |name: &[u8]| RUNNERS.iter().any(|known| known.as_bytes() == name);
    // npm and yarn replace their command line with a title: `npm run dev`.
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
    let is = |known: &[&str], name: &[u8]| known.iter().any(|known| known.as_bytes() == name);
    let arguments = command.get(1..).unwrap_or_default();
    match name {
        b"busybox" => {
            let applet = arguments.first().is_some_and(|applet| is(SHELLS, base(applet)));
            return applet && runs_a_script(arguments.get(1..).unwrap_or_default());
        }
        b"cmd.exe" => return cmd_runs_a_command(arguments),
        _ if is(POWERSHELLS, name) => return powershell_runs_a_script(arguments),
        // The name of a login shell begins with a hyphen, so it is not matched here.
        _ if is(SHELLS, name) => return runs_a_script(arguments),
        _ => {}
    }
    // `node --watch server.js` runs the server as a child, and restarts it when a file changes.
    let watches = |argument: &Text| argument.as_bytes().starts_with(b"--watch");
    if is(&["node", "nodejs", "bun", "deno", "tsx"], name) && arguments.iter().take(3).any(watches) {
        return true;
    }
    let interpreted =
        INTERPRETERS.iter().any(|known| known.as_bytes() == name) || name.starts_with(b"python");
    let script = command.iter().skip(1).find(|argument| !argument.as_bytes().starts_with(b"-"));
    interpreted && script.is_some_and(|script| is_runner(stem(base(script))))
}

/// Returns whether a shell with these arguments ends after it has run a script or a command line.
fn runs_a_script(arguments: &[Text]) -> bool {
    let mut arguments = arguments.iter().map(Text::as_bytes);
    let (mut is_interactive, mut has_command) = (false, false);
    while let Some(argument) = arguments.next() {
        match argument {
            // `-` alone means the same (bash(1)).
            b"--" | b"-" => return has_command || (!is_interactive && arguments.next().is_some()),
            b"--interactive" => is_interactive = true,
            b"--command" => has_command = true,
            _ if argument.starts_with(b"--command=") => return true,
            [b'-', b'-', ..] => {
                if WITH_A_VALUE.iter().any(|option| option.as_bytes() == argument) {
                    arguments.next();
                }
            }
            // `+` alone is an option without letters, to bash 5.2 and dash 0.5.12.
            [sign @ (b'-' | b'+'), letters @ ..] => {
                if *sign == b'-' {
                    has_command |= letters.contains(&b'c');
                    // With `-s` the shell reads standard input, and the following words are its arguments.
                    is_interactive |= letters.iter().any(|letter| matches!(letter, b'i' | b's'));
                }
                // `-o vi`, `-O extglob`, and fish's `-C COMMAND`, after which the shell continues.
                if letters.iter().any(|letter| matches!(letter, b'o' | b'O' | b'C')) {
                    arguments.next();
                }
            }
            _ => return has_command || !is_interactive,
        }
    }
    false
}

/// Returns whether cmd.exe ends after a command: `cmd.exe /d /s /c "vite"` does, `cmd.exe /k` continues.
fn cmd_runs_a_command(arguments: &[Text]) -> bool {
    let is = |argument: &Text, option: &[u8]| argument.as_bytes().eq_ignore_ascii_case(option);
    let decides = arguments.iter().find(|argument| is(argument, b"/c") || is(argument, b"/k"));
    decides.is_some_and(|argument| is(argument, b"/c"))
}

/// Returns whether PowerShell ends after a script or command. Its options may be abbreviated. With -NoExit it continues.
fn powershell_runs_a_script(arguments: &[Text]) -> bool {
    let is = |argument: &Text, option: &str, shortest: usize| {
        let argument = argument.as_bytes().to_ascii_lowercase();
        argument.len() >= shortest && option.as_bytes().starts_with(&argument)
    };
    !arguments.iter().any(|argument| is(argument, "-noexit", 4))
        && arguments.iter().any(|argument| {
            is(argument, "-command", 2)
                || is(argument, "-file", 2)
                || is(argument, "-encodedcommand", 2)
                || argument.as_bytes().to_ascii_lowercase().ends_with(b".ps1")
        })
}

fn base(path: &Text) -> &[u8] {
    path.file_name()
}

/// Returns the program of a script's file name: `npm` for `npm-cli.js`, `yarn` for `yarn.js`.
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
            ("bash", &["bash", "-o", "pipefail", "-c", "x"]),
            ("bash", &["bash", "-lic", "vite"]),
            ("bash", &["bash", "-i", "-c", "vite"]),
            ("bash", &["bash", "--norc", "--", "serve.sh"]),
            ("fish", &["fish", "--command=vite"]),
            ("busybox", &["/bin/busybox", "sh", "-c", "httpd"]),
            ("cmd.exe", &["C:\\Windows\\System32\\cmd.exe", "/d", "/s", "/c", "vite"]),
            ("pwsh", &["pwsh", "-NoProfile", "-File", "serve.ps1"]),
            ("make", &["make", "run"]),
            ("go", &["go", "run", "."]),
            ("python3", &["python3", "/usr/bin/honcho", "start"]),
            ("sudo", &["sudo", "nginx"]),
            ("node", &["node", "--watch", "server.js"]),
            ("tsx", &["tsx", "server.ts"]),
            ("bun", &["bun", "--hot", "--watch", "server.ts"]),
            ("dotnet", &["dotnet", "watch"]),
            ("dotnet", &["/usr/bin/dotnet", "run"]),
            ("ruby", &["ruby", "-W0", "/usr/bin/foreman", "start"]),
            ("python3.11", &["/usr/bin/python3.11", "/usr/bin/honcho", "start"]),
            ("bash", &["bash", "--command", "vite"]),
            ("bash", &["bash", "-c", "--", "vite"]),
            ("bash", &["bash", "--", "-serve.sh"]),
            ("bash", &["bash", "-", "serve.sh"]),
            ("bash", &["bash", "--norc", "serve.sh"]),
            ("fish", &["fish", "-i", "--command", "vite"]),
            ("bash", &["bash", "-O", "extglob", "serve.sh"]),
            ("bash", &["bash", "--rcfile", "x", "serve.sh"]),
            ("bash", &["bash", "+e", "serve.sh"]),
            ("bash", &["bash", "+", "serve.sh"]),
            ("busybox", &["busybox", "/bin/ash", "serve.sh"]),
            ("pwsh", &["pwsh", "-NoProfile", "serve.ps1"]),
            ("pwsh.exe", &["pwsh.exe", "-c", "vite"]),
            ("powershell.exe", &["powershell.exe", "-EncodedCommand", "dgBpAHQAZQA="]),
            ("cmd.exe", &["cmd.exe", "/C", "x.bat", "/k"]),
        ] {
            assert!(is_wrapper(&process(5, name, command)), "{command:?}");
        }
        for (name, command) in [
            ("zsh", &["-zsh"][..]),
            ("bash", &["bash"]),
            ("bash", &["bash", "-i"]),
            ("bash", &["bash", "--login"]),
            // Shells that editors start in their terminals.
            ("bash", &["/bin/bash", "--init-file", "/usr/share/code/shellIntegration-bash.sh"]),
            ("bash", &["/bin/bash", "--rcfile", "/opt/idea/jediterm-bash.in", "-i"]),
            ("fish", &["fish", "--init-command", "source x.fish"]),
            ("fish", &["fish", "-C", "source x.fish"]),
            ("pwsh", &["pwsh", "-noexit", "-command", "try { . x.ps1 } catch {}"]),
            ("cmd.exe", &["cmd.exe", "/K", "x.bat"]),
            ("bash", &["bash", "-o", "vi"]),
            ("bash", &["bash", "+O", "extglob"]),
            ("bash", &["bash", "-s", "x"]),
            ("bash", &["bash", "-c"]),
            ("busybox", &["busybox", "sh"]),
            ("busybox", &["busybox", "httpd", "-f"]),
            ("node", &["node", "server.js"]),
            ("go", &["go", "test"]),
            ("python3", &["python3", "server.py", "npm"]),
            ("bash", &["bash", "-i", "serve.sh"]),
            ("bash", &["bash", "-i", "--", "serve.sh"]),
            ("bash", &["bash", "--interactive", "serve.sh"]),
            ("bash", &["bash", "--"]),
            ("bash", &["bash", "-"]),
            ("bash", &["bash", "--rcfile", "serve.sh"]),
            ("bash", &["bash", "--norc"]),
            ("bash", &["bash", "+i"]),
            ("bash", &["bash", "+"]),
            ("npm", &["npm run", "dev"]),
            ("dotnet", &["dotnet", "server.dll", "run"]),
            ("dotnet", &["dotnet"]),
            ("node", &["node", "a", "b", "c", "--watch"]),
            ("java", &["java", "--watch"]),
            ("ruby", &["ruby", "server.rb"]),
            ("cat", &["cat", "npm"]),
            ("pwsh", &["pwsh"]),
            ("pwsh", &["pwsh", "-NoProfile"]),
            ("pwsh", &["pwsh", "-noe", "-command", "x"]),
            ("cmd.exe", &["cmd.exe"]),
            ("cmd.exe", &["cmd.exe", "/k", "x.bat", "/c"]),
            ("runsv", &["runsv", "web"]),
            ("tmux: server", &["tmux"]),
            ("", &[]),
        ] {
            assert!(!is_wrapper(&process(5, name, command)), "{command:?}");
        }
    }

    #[test]
    fn the_chain_ends_at_an_interactive_shell() {
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
    fn the_chain_ends_at_another_session_at_the_first_process_and_at_an_unknown_one() {
        let wrapper = |pid| process(pid, "npm run dev", &["npm run dev"]);
        let chain = |entries: [ProcessEntry; 3], facts: &[Process]| -> Vec<u32> {
            let table: ProcessTable = entries.into_iter().collect();
            let facts = facts.iter().map(|process| (process.id.pid, process.clone())).collect();
            let found = wrappers(ProcessId { pid: 9, start: Some(9) }, &table, &facts);
            found.iter().map(|entry| entry.id.pid).collect()
        };
        let entries = || [entry(1, 0, 1, 3), entry(7, 1, 7, 3), entry(9, 7, 7, 3)];
        assert_eq!(chain(entries(), &[wrapper(1), wrapper(7)]), [7]);
        assert_eq!(chain(entries(), &[wrapper(1)]), [] as [u32; 0]);
        let mut other_session = entries();
        other_session[1].session = Some(4);
        assert_eq!(chain(other_session, &[wrapper(7)]), [] as [u32; 0]);
        let mut earlier = wrapper(7);
        earlier.id.start = Some(6);
        assert_eq!(chain(entries(), &[earlier]), [] as [u32; 0], "the pid was reused");
    }

    #[test]
    fn a_tree_has_no_zombies_and_no_group_that_its_root_does_not_lead() {
        let pids = |root: u32, entries: &[ProcessEntry]| -> Vec<u32> {
            let table: ProcessTable = entries.iter().cloned().collect();
            let root = ProcessId { pid: root, start: Some(u64::from(root)) };
            tree(root, &table).iter().map(|entry| entry.id.pid).collect()
        };
        let zombie = ProcessEntry { zombie: true, ..entry(8, 7, 5, 3) };
        let entries = [entry(5, 3, 5, 3), entry(7, 5, 5, 3), zombie, entry(9, 1, 5, 3)];
        assert_eq!(pids(5, &entries), [5, 7, 9]);
        assert_eq!(pids(7, &entries), [7], "another process leads its group");
        assert_eq!(pids(6, &entries), [] as [u32; 0]);
        let same_start = ProcessEntry { id: ProcessId { pid: 9, start: Some(5) }, ..entry(9, 1, 5, 3) };
        assert_eq!(pids(5, &[entry(5, 3, 5, 3), same_start]), [5, 9]);
    }

    #[test]
    fn a_tree_includes_its_process_group_but_no_older_process() {
        let table: ProcessTable = [
            entry(5, 3, 5, 3),
            entry(7, 5, 5, 3),
            entry(9, 7, 9, 9),
            // Its parent has ended, but it is in the group.
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
