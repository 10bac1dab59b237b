//! What a process that does not run needs before it does anything, and what signals do to it meanwhile. Pure: a process
//! goes in; command words and typed answers come out.

use crate::model::{
    Condition, Container, ContainerRuntime, Freezer, FreezerScope, Parent, Process, ServiceScope, Text,
};
use crate::shell;

/// What resumes a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// This command; for a job of a shell also `fg` there.
    Command {
        /// The command's words.
        words: Vec<Text>,
        /// What the command reads from standard input, through `echo`.
        input: Option<&'static str>,
        /// The shell that can resume the process as one of its jobs.
        shell: Option<Parent>,
    },
    /// The tracer lets it continue, or lets it go.
    Detach(Option<Parent>),
    /// Whoever froze the cgroup thaws it; its control file is not visible from here.
    ThawOutside(Text),
}

/// What a signal does to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignalEffect {
    /// It ends the process.
    Ends,
    /// It ends the process at once, unless the process handles or ignores the signal; then it waits.
    EndsUnlessHandled,
    /// It waits, and takes effect after the process resumes.
    Waits,
}

/// Returns what resumes a process; `None` if nothing keeps it from running.
pub(crate) fn helps(process: &Process) -> Option<Remedy> {
    let command = |words: Vec<Text>| Remedy::Command { words, input: None, shell: None };
    Some(match process.condition.as_ref()? {
        Condition::Stopped { shell } => Remedy::Command {
            words: vec!["kill".into(), "-CONT".into(), process.id.pid.to_string().as_str().into()],
            input: None,
            shell: shell.clone(),
        },
        Condition::Traced { tracer } => Remedy::Detach(tracer.clone()),
        Condition::Frozen(freezer) => match freezer.scope {
            Some(FreezerScope::Container) => match process.container.as_ref().and_then(unpause) {
                Some(words) => command(words),
                None => thaw(freezer),
            },
            Some(FreezerScope::Service) => match process.service.as_ref() {
                Some(service) if service.scope == ServiceScope::System => {
                    command(vec!["systemctl".into(), "thaw".into(), "--".into(), service.name.clone()])
                }
                _ => thaw(freezer),
            },
            None => thaw(freezer),
        },
    })
}

fn thaw(freezer: &Freezer) -> Remedy {
    match &freezer.control {
        Some(control) => Remedy::Command {
            words: vec!["sudo".into(), "tee".into(), control.clone()],
            input: Some(if freezer.version == 1 { "THAWED" } else { "0" }),
            shell: None,
        },
        None => Remedy::ThawOutside(freezer.cgroup.clone()),
    }
}

/// The words that resume a paused container.
fn unpause(container: &Container) -> Option<Vec<Text>> {
    let name = container.name.as_ref().unwrap_or(&container.id).clone();
    match &container.runtime {
        ContainerRuntime::Docker | ContainerRuntime::Podman => {
            Some(vec![Text::from(&container.runtime), "unpause".into(), name])
        }
        ContainerRuntime::Lxc => Some(vec!["lxc-unfreeze".into(), "-n".into(), name]),
        _ => None,
    }
}

impl Remedy {
    /// Returns the command as a line that is safe to paste. `None` if no command helps, or if it cannot be quoted.
    pub(crate) fn line(&self) -> Option<String> {
        let Remedy::Command { words, input, .. } = self else { return None };
        let line = shell::line(&words.iter().map(Text::as_bytes).collect::<Vec<_>>())?;
        Some(match input {
            Some(input) => format!("echo {input} | {line}"),
            None => line,
        })
    }

    /// Returns what helps as a phrase, which may hold names from outside, unescaped.
    pub(crate) fn phrase(&self) -> String {
        let tracer = |tracer: &Parent| format!("{} (pid {})", tracer.name.to_string_lossy(), tracer.pid);
        match (self, self.line()) {
            (Remedy::Command { shell: Some(shell), .. }, Some(line)) => {
                format!("{line} resumes it, as does fg in its shell, {}", tracer(shell))
            }
            (Remedy::Command { .. }, Some(line)) => format!("{line} resumes it"),
            (Remedy::Command { words, .. }, None) => {
                let program = words.first().map(Text::to_string_lossy).unwrap_or_default();
                format!("{program} resumes it; its name cannot be written as a safe command")
            }
            (Remedy::Detach(Some(by)), _) => {
                format!("detach {}, or let it continue the process", tracer(by))
            }
            (Remedy::Detach(None), _) => "detach its tracer, which is not visible from here".to_owned(),
            (Remedy::ThawOutside(cgroup), _) => format!(
                "thaw the cgroup {} where it was frozen, outside of what is mounted here",
                cgroup.to_string_lossy()
            ),
        }
    }
}

impl Condition {
    /// Returns what SIGTERM does.
    pub(crate) fn after_sigterm(&self) -> SignalEffect {
        match self {
            Condition::Frozen(Freezer { version: 2, .. }) => SignalEffect::EndsUnlessHandled,
            _ => SignalEffect::Waits,
        }
    }

    /// Returns what SIGKILL does.
    pub(crate) fn after_sigkill(&self) -> SignalEffect {
        match self {
            Condition::Frozen(Freezer { version: 1, .. }) => SignalEffect::Waits,
            _ => SignalEffect::Ends,
        }
    }

    /// Returns what the two signals do meanwhile, as a clause.
    pub(crate) fn signals(&self) -> &'static str {
        match (self.after_sigterm(), self.after_sigkill()) {
            (SignalEffect::Waits, SignalEffect::Waits) => "before that, neither SIGTERM nor SIGKILL ends it",
            (SignalEffect::Waits, _) => "before that, SIGTERM has no effect",
            _ => "before that, SIGTERM has no effect if the process handles it",
        }
    }

    /// Returns the condition as a phrase that follows "is", which may hold names from outside, unescaped.
    pub(crate) fn phrase(&self, process: &Process) -> String {
        match self {
            Condition::Stopped { .. } => "stopped by a signal".to_owned(),
            Condition::Traced { tracer: Some(tracer) } => {
                format!("stopped by its tracer, {} (pid {})", tracer.name.to_string_lossy(), tracer.pid)
            }
            Condition::Traced { tracer: None } => "stopped by its tracer".to_owned(),
            Condition::Frozen(freezer) => match (freezer.scope, &process.container, &process.service) {
                (Some(FreezerScope::Container), Some(container), _) => {
                    let name = container.name.as_ref().unwrap_or(&container.id);
                    format!("frozen with its container, {}", name.to_string_lossy())
                }
                (Some(FreezerScope::Service), _, Some(service)) => {
                    format!("frozen with its service, {}", service.name.to_string_lossy())
                }
                _ => format!("frozen with its cgroup, {}", freezer.cgroup.to_string_lossy()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ProcessId, Service};

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
        helps(process).unwrap().phrase()
    }

    /// A word as the shell of this system wants it.
    fn quoted(word: &str) -> String {
        shell::quote(&word.into()).unwrap()
    }

    fn bash() -> Option<Parent> {
        Some(Parent { pid: 7, name: "bash".into() })
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
            phrase(&process(Condition::Traced { tracer: Some(Parent { pid: 9, name: "gdb".into() }) })),
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
        assert_eq!(helps(&hostile).unwrap().line(), None, "what cannot be quoted is no command");
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
        assert_eq!(frozen(1, None, None).signals(), "before that, neither SIGTERM nor SIGKILL ends it");
        use SignalEffect::{Ends, EndsUnlessHandled, Waits};
        for (condition, term, kill) in [
            (Condition::Stopped { shell: None }, Waits, Ends),
            (Condition::Traced { tracer: None }, Waits, Ends),
            (frozen(1, None, None), Waits, Waits),
            (frozen(2, None, None), EndsUnlessHandled, Ends),
        ] {
            assert_eq!((condition.after_sigterm(), condition.after_sigkill()), (term, kill));
        }
    }
}
