//! What keeps a process from running, and what resumes it.

use std::fmt;

use super::name_and_pid;
use crate::management::suspension::{Remedy, SignalEffect};
use crate::model::{Condition, Freezer, FreezerScope, Process, RelatedProcess, Text};
use crate::render::escape::escape;
use crate::shell;

/// Returns what resumes a process, in a phrase.
pub(crate) fn remedy(remedy: &Remedy) -> String {
    match (remedy, line(remedy)) {
        (Remedy::Command { shell: Some(shell), .. }, Some(line)) => {
            format!("{line} resumes it, as does fg in its shell, {}", parent(shell))
        }
        (Remedy::Command { .. }, Some(line)) => format!("{line} resumes it"),
        (Remedy::Command { words, .. }, None) => {
            let program = words.first().map(escape).unwrap_or_default();
            format!("{program} resumes it; its name cannot be written as a safe command")
        }
        (Remedy::Detach(Some(by)), _) => format!("detach {}, or let it continue the process", parent(by)),
        (Remedy::Detach(None), _) => "detach its tracer, which is not visible from here".to_owned(),
        (Remedy::ThawOutside(cgroup), _) => {
            format!("thaw the cgroup {} where it was frozen, outside of what is mounted here", escape(cgroup))
        }
    }
}

/// Returns the command that resumes a process as a line that is safe to paste. `None` if no command helps, or if it cannot
/// be quoted.
fn line(remedy: &Remedy) -> Option<String> {
    let Remedy::Command { words, input, .. } = remedy else { return None };
    let line = shell::line(&words.iter().map(Text::as_bytes).collect::<Vec<_>>())?;
    Some(match input {
        Some(input) => format!("echo {input} | {line}"),
        None => line,
    })
}

/// Returns what SIGTERM and SIGKILL do before a process resumes, as a clause.
pub(crate) fn effect_of_signals(condition: &Condition) -> &'static str {
    match (condition.after_sigterm(), condition.after_sigkill()) {
        (SignalEffect::Waits, SignalEffect::Waits) => "before that, neither SIGTERM nor SIGKILL ends it",
        (SignalEffect::Waits, _) => "before that, SIGTERM has no effect",
        _ => "before that, SIGTERM has no effect if the process handles it",
    }
}

/// Returns the condition of a process as a phrase that follows "is". A frozen container or service is named.
pub(crate) fn condition(condition: &Condition, process: &Process) -> String {
    let Condition::Frozen(Freezer { scope, .. }) = condition else { return condition.to_string() };
    match (scope, &process.container, &process.service) {
        (Some(FreezerScope::Container), Some(container), _) => {
            let name = container.name.as_ref().unwrap_or(&container.id);
            format!("frozen with its container, {}", escape(name))
        }
        (Some(FreezerScope::Service), _, Some(service)) => {
            format!("frozen with its service, {}", escape(&service.name))
        }
        _ => condition.to_string(),
    }
}

/// A phrase that follows "is", in which names from outside are escaped.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Stopped { .. } => f.write_str("stopped by a signal"),
            Condition::Traced { tracer: Some(tracer) } => {
                write!(f, "stopped by its tracer, {}", parent(tracer))
            }
            Condition::Traced { tracer: None } => f.write_str("stopped by its tracer"),
            Condition::Frozen(Freezer { cgroup, .. }) => {
                write!(f, "frozen with its cgroup, {}", escape(cgroup))
            }
        }
    }
}

/// Returns the phrase for an ancestor: `bash (pid 7)`.
fn parent(parent: &RelatedProcess) -> String {
    name_and_pid(&parent.name, parent.pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::suspension::helps;
    use crate::model::{Container, ProcessId, RelatedProcess, Service};

    fn process(condition: Condition) -> Process {
        Process {
            condition: Some(condition),
            ..Process::new(ProcessId { pid: 41, start: Some(1) }, "server".into())
        }
    }

    fn frozen(version: u8, control: Option<&str>, scope: Option<FreezerScope>) -> Condition {
        Condition::Frozen(Freezer { version, cgroup: "/x".into(), control: control.map(Text::from), scope })
    }

    fn phrase(process: &Process) -> String {
        remedy(&helps(process).unwrap())
    }

    /// Returns a word quoted for this system's shell.
    fn quoted(word: &str) -> String {
        shell::quote(&word.into()).unwrap()
    }

    fn bash() -> Option<RelatedProcess> {
        Some(RelatedProcess { pid: 7, name: "bash".into() })
    }

    #[test]
    fn what_resumes_it() {
        let running = Process { condition: None, ..process(Condition::Stopped { shell: None }) };
        assert_eq!(helps(&running), None);
        assert_eq!(phrase(&process(Condition::Stopped { shell: None })), "kill -CONT 41 resumes it");
        assert_eq!(
            phrase(&process(Condition::Stopped { shell: bash() })),
            "kill -CONT 41 resumes it, as does fg in its shell, bash (pid 7)"
        );
        assert_eq!(
            phrase(&process(Condition::Traced {
                tracer: Some(RelatedProcess { pid: 9, name: "gdb".into() })
            })),
            "detach gdb (pid 9), or let it continue the process"
        );
        assert_eq!(
            phrase(&process(frozen(2, Some("/sys/fs/cgroup/a b/cgroup.freeze"), None))),
            format!("echo 0 | sudo tee {} resumes it", quoted("/sys/fs/cgroup/a b/cgroup.freeze"))
        );
        assert_eq!(
            phrase(&process(frozen(1, Some("/f/x/freezer.state"), None))),
            "echo THAWED | sudo tee /f/x/freezer.state resumes it"
        );
        assert!(phrase(&process(frozen(2, None, None))).starts_with("thaw the cgroup /x where"));
    }

    #[test]
    fn containers_and_services_are_resumed_by_their_managers() {
        let container = |runtime: &str, name: Option<&str>| Container {
            runtime: runtime.into(),
            id: "4f1d".into(),
            uid: None,
            name: name.map(Text::from),
            image: None,
            port: None,
            compose: None,
        };
        let paused = |container| Process {
            container: Some(container),
            ..process(frozen(1, Some("/f"), Some(FreezerScope::Container)))
        };
        assert_eq!(phrase(&paused(container("docker", Some("web-1")))), "docker unpause web-1 resumes it");
        assert_eq!(phrase(&paused(container("podman", None))), "podman unpause 4f1d resumes it");
        assert_eq!(phrase(&paused(container("kubernetes", None))), "echo THAWED | sudo tee /f resumes it");
        let hostile = paused(container("lxc", Some("a\u{1b}[2J")));
        assert_eq!(line(&helps(&hostile).unwrap()), None, "what cannot be quoted is no command");
        let service = |name: &str, scope: &str| Process {
            service: Some(Service {
                manager: "systemd".into(),
                name: name.into(),
                scope: scope.into(),
                uid: None,
                activates: None,
            }),
            ..process(frozen(2, Some("/f"), Some(FreezerScope::Service)))
        };
        let hostile = phrase(&service("a;b.service", "system"));
        match shell::quote(&"a;b.service".into()) {
            Some(quoted) => assert_eq!(hostile, format!("systemctl thaw -- {quoted} resumes it")),
            None => assert!(!hostile.contains("a;b"), "{hostile}"),
        }
        assert_eq!(phrase(&service("a.service", "user")), "echo 0 | sudo tee /f resumes it");
    }

    #[test]
    fn what_signals_do_meanwhile() {
        let effect = effect_of_signals(&frozen(1, None, None));
        assert_eq!(effect, "before that, neither SIGTERM nor SIGKILL ends it");
    }
}
