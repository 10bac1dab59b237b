//! Who started a process, in one phrase: its parent, and what that runs in or under.

use super::escape::escape;
use super::phrases::process_name;
use crate::model::{Process, Supervisor};

/// What is said of a kind of supervisor.
struct Words {
    kind: &'static str,
    /// Where it started the process itself.
    itself: &'static str,
    /// Where something between them did.
    between: &'static str,
}

const fn words(kind: &'static str, itself: &'static str, between: &'static str) -> Words {
    Words { kind, itself, between }
}

/// Kinds whose name alone does not make the phrase.
const KINDS: &[Words] = &[
    words("containerd", "by a container's shim", "in a container"),
    words("conmon", "by a container's monitor", "in a container"),
    words("cron", "by cron", "from cron"),
    words("at", "by at", "from at"),
    words("tmux", "by tmux", "in tmux"),
    words("screen", "by screen", "in screen"),
    words("zellij", "by zellij", "in zellij"),
    words("ssh", "over ssh", "over ssh"),
    words("mosh", "over mosh", "over mosh"),
    words("login", "by login", "on a console"),
    words("windows-services", "by the service manager", "under the service manager"),
    words("vscode", "by VS Code", "in VS Code"),
    words("cursor", "by Cursor", "in Cursor"),
    words("windsurf", "by Windsurf", "in Windsurf"),
    words("zed", "by Zed", "in Zed"),
    words("jetbrains", "by a JetBrains IDE", "in a JetBrains IDE"),
    words("vim", "by vim", "in vim"),
    words("nvim", "by nvim", "in nvim"),
    words("emacs", "by emacs", "in emacs"),
];

/// Editors, which run terminals of their own among much else.
const EDITORS: [&str; 8] = ["vscode", "cursor", "windsurf", "zed", "jetbrains", "vim", "nvim", "emacs"];

/// `by zsh in tmux`, `by systemd`, or nothing where nothing is known.
pub(crate) fn by(process: &Process) -> Option<String> {
    let parent = process.parents.first();
    // The first process takes in whoever has lost its parent: only of a service is it known that it was the starter.
    if let Some(first) = parent.filter(|parent| parent.pid == 1 && process.service.is_none()) {
        return Some(format!("now a child of {} (pid 1)", process_name(&first.name)));
    }
    let Some(supervisor) = &process.supervisor else {
        return parent.map(|parent| format!("by {}", process_name(&parent.name)));
    };
    match parent.filter(|parent| parent.pid != supervisor.pid) {
        None => Some(itself(supervisor)),
        Some(parent) => Some(format!("by {} {}", process_name(&parent.name), between(supervisor))),
    }
}

fn known(supervisor: &Supervisor) -> Option<&'static Words> {
    KINDS.iter().find(|words| words.kind.as_bytes() == supervisor.kind.as_bytes())
}

fn itself(supervisor: &Supervisor) -> String {
    match known(supervisor) {
        Some(words) if in_its_terminal(supervisor) => format!("{}'s terminal", words.between),
        Some(words) => words.itself.to_owned(),
        None => format!("by {}", process_name(&supervisor.name)),
    }
}

fn between(supervisor: &Supervisor) -> String {
    match known(supervisor) {
        Some(words) if in_its_terminal(supervisor) => format!("{}'s terminal", words.between),
        Some(words) => words.between.to_owned(),
        None if supervisor.kind.as_bytes() == b"terminal" => format!("in {}", process_name(&supervisor.name)),
        None => format!("under {}", escape(&supervisor.kind)),
    }
}

fn in_its_terminal(supervisor: &Supervisor) -> bool {
    supervisor.terminal == Some(true)
        && EDITORS.iter().any(|editor| editor.as_bytes() == supervisor.kind.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Parent, ProcessId};

    fn told(parent: Option<(u32, &str)>, supervisor: Option<(&str, u32, &str, Option<bool>)>) -> String {
        let supervisor = supervisor.map(|(kind, pid, name, terminal)| Supervisor {
            kind: kind.into(),
            pid,
            name: name.into(),
            terminal,
        });
        by(&process(parent, supervisor)).unwrap_or_default()
    }

    fn process(parent: Option<(u32, &str)>, supervisor: Option<Supervisor>) -> Process {
        Process {
            parents: parent.map(|(pid, name)| Parent { pid, name: name.into() }).into_iter().collect(),
            supervisor,
            ..Process::new(ProcessId { pid: 9, start: None }, "node".into())
        }
    }

    #[test]
    fn a_service_was_started_by_the_first_process() {
        let name = crate::model::Service {
            manager: "systemd".into(),
            name: "nginx.service".into(),
            scope: "system".into(),
            uid: None,
            activates: None,
        };
        let supervisor =
            Supervisor { kind: "systemd".into(), pid: 1, name: "systemd".into(), terminal: Some(false) };
        let service = Process { service: Some(name), ..process(Some((1, "systemd")), Some(supervisor)) };
        assert_eq!(by(&service).as_deref(), Some("by systemd"));
    }

    #[test]
    fn one_phrase() {
        let zsh = Some((5, "zsh"));
        for (parent, supervisor, phrase) in [
            (None, None, ""),
            (zsh, None, "by zsh"),
            (zsh, Some(("tmux", 4, "tmux: server", Some(true))), "by zsh in tmux"),
            (zsh, Some(("ssh", 4, "sshd", Some(false))), "by zsh over ssh"),
            (
                Some((5, "npm run dev")),
                Some(("vscode", 4, "code", Some(true))),
                "by npm run dev in VS Code's terminal",
            ),
            (zsh, Some(("vscode", 4, "node", None)), "by zsh in VS Code"),
            (zsh, Some(("vscode", 4, "node", Some(false))), "by zsh in VS Code"),
            (Some((4, "code")), Some(("vscode", 4, "code", Some(false))), "by VS Code"),
            (Some((4, "code")), Some(("vscode", 4, "code", Some(true))), "in VS Code's terminal"),
            (
                Some((1, "systemd")),
                Some(("systemd", 1, "systemd", Some(false))),
                "now a child of systemd (pid 1)",
            ),
            (zsh, Some(("systemd", 1, "systemd", None)), "by zsh under systemd"),
            (zsh, Some(("terminal", 4, "konsole", Some(true))), "by zsh in konsole"),
            (Some((4, "runsv")), Some(("runit", 4, "runsv", None)), "by runsv"),
            (Some((4, "sshd")), Some(("ssh", 4, "sshd", None)), "over ssh"),
            (zsh, Some(("a\nb", 4, "x", None)), r"by zsh under a\nb"),
        ] {
            assert_eq!(told(parent, supervisor), phrase);
        }
    }
}
