//! The phrase for what started a process: its parent, and what that runs in or under.

use super::escape::escape;
use super::phrases::{name_and_pid, process_name};
use crate::model::{Process, Supervisor, SupervisorKind, Text};

/// The phrases about a kind of supervisor.
struct StarterPhrases {
    /// If it started the process itself.
    itself: &'static str,
    /// If it started an ancestor between them.
    between: &'static str,
}

/// Returns the phrases about a kind. `None` if its name is the phrase.
fn phrases(kind: &SupervisorKind) -> Option<StarterPhrases> {
    let phrases = |itself, between| Some(StarterPhrases { itself, between });
    match kind {
        SupervisorKind::Containerd => phrases("by a container's shim", "in a container"),
        SupervisorKind::Conmon => phrases("by a container's monitor", "in a container"),
        SupervisorKind::Cron => phrases("by cron", "from cron"),
        SupervisorKind::At => phrases("by at", "from at"),
        SupervisorKind::Tmux => phrases("by tmux", "in tmux"),
        SupervisorKind::Screen => phrases("by screen", "in screen"),
        SupervisorKind::Zellij => phrases("by zellij", "in zellij"),
        SupervisorKind::Ssh => phrases("over ssh", "over ssh"),
        SupervisorKind::Mosh => phrases("over mosh", "over mosh"),
        SupervisorKind::Login => phrases("by login", "on a console"),
        SupervisorKind::WindowsServices => phrases("by the service manager", "under the service manager"),
        SupervisorKind::Vscode => phrases("by VS Code", "in VS Code"),
        SupervisorKind::Cursor => phrases("by Cursor", "in Cursor"),
        SupervisorKind::Windsurf => phrases("by Windsurf", "in Windsurf"),
        SupervisorKind::Zed => phrases("by Zed", "in Zed"),
        SupervisorKind::Jetbrains => phrases("by a JetBrains IDE", "in a JetBrains IDE"),
        SupervisorKind::Vim => phrases("by vim", "in vim"),
        SupervisorKind::Nvim => phrases("by nvim", "in nvim"),
        SupervisorKind::Emacs => phrases("by emacs", "in emacs"),
        SupervisorKind::Daemontools
        | SupervisorKind::Launchd
        | SupervisorKind::Openrc
        | SupervisorKind::Pm2
        | SupervisorKind::Runit
        | SupervisorKind::S6
        | SupervisorKind::Supervisord
        | SupervisorKind::Systemd
        | SupervisorKind::Terminal
        | SupervisorKind::Other(_) => None,
    }
}

/// Returns what started a process, as it follows "started": `by zsh in tmux`, `by systemd`. `None` if nothing is known.
pub(crate) fn started_by(process: &Process) -> Option<String> {
    let parent = process.parents.first();
    // Orphans become children of process 1. Only a service is known to have been started by it.
    if let Some(first) = parent.filter(|parent| parent.pid == 1 && process.service.is_none()) {
        return Some(format!("now a child of {}", name_and_pid(&first.name, first.pid)));
    }
    let Some(supervisor) = &process.supervisor else {
        return parent.map(|parent| format!("by {}", process_name(&parent.name)));
    };
    match parent.filter(|parent| parent.pid != supervisor.pid) {
        None => Some(itself(supervisor)),
        Some(parent) => Some(format!("by {} {}", process_name(&parent.name), between(supervisor))),
    }
}

fn itself(supervisor: &Supervisor) -> String {
    match phrases(&supervisor.kind) {
        Some(phrases) if in_its_terminal(supervisor) => format!("{}'s terminal", phrases.between),
        Some(phrases) => phrases.itself.to_owned(),
        None => format!("by {}", process_name(&supervisor.name)),
    }
}

fn between(supervisor: &Supervisor) -> String {
    match phrases(&supervisor.kind) {
        Some(phrases) if in_its_terminal(supervisor) => format!("{}'s terminal", phrases.between),
        Some(phrases) => phrases.between.to_owned(),
        None if supervisor.kind == SupervisorKind::Terminal => {
            format!("in {}", process_name(&supervisor.name))
        }
        None => format!("under {}", escape(&Text::from(&supervisor.kind))),
    }
}

fn in_its_terminal(supervisor: &Supervisor) -> bool {
    supervisor.terminal == Some(true) && supervisor.kind.is_editor()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ProcessId, RelatedProcess};

    fn phrase_of_start(
        parent: Option<(u32, &str)>,
        supervisor: Option<(&str, u32, &str, Option<bool>)>,
    ) -> String {
        let supervisor = supervisor.map(|(kind, pid, name, terminal)| Supervisor {
            kind: kind.into(),
            pid,
            name: name.into(),
            terminal,
        });
        started_by(&process(parent, supervisor)).unwrap_or_default()
    }

    fn process(parent: Option<(u32, &str)>, supervisor: Option<Supervisor>) -> Process {
        Process {
            parents: parent
                .map(|(pid, name)| RelatedProcess { pid, name: name.into() })
                .into_iter()
                .collect(),
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
        assert_eq!(started_by(&service).as_deref(), Some("by systemd"));
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
            assert_eq!(phrase_of_start(parent, supervisor), phrase);
        }
    }
}
