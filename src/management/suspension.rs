//! Determines what resumes a suspended process, and what signals do to it until then. Pure.

use crate::model::{
    Condition, Container, ContainerRuntime, Freezer, FreezerScope, Process, RelatedProcess, ServiceScope,
    Text,
};

/// What resumes a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// A command. A job of a shell can be resumed with `fg` too.
    Command {
        /// The command's words.
        words: Vec<Text>,
        /// What the command has to read from standard input.
        input: Option<&'static str>,
        /// The shell that can resume the process as one of its jobs.
        shell: Option<RelatedProcess>,
    },
    /// The tracer has to continue the process or detach from it.
    Detach(Option<RelatedProcess>),
    /// The cgroup has to be thawed from outside, because its control file is not visible here.
    ThawOutside(Text),
}

/// What a signal does to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignalEffect {
    /// It ends the process.
    Ends,
    /// It ends the process at once. If the process handles or ignores the signal, it stays pending.
    EndsUnlessHandled,
    /// It stays pending until the process resumes.
    Waits,
}

/// Returns what resumes a process. `None` if the process is not suspended.
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

/// Returns the command that resumes a paused container.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frozen(version: u8) -> Condition {
        Condition::Frozen(Freezer { version, cgroup: "/x".into(), control: None, scope: None })
    }

    #[test]
    fn signals_to_suspended_processes() {
        use SignalEffect::{Ends, EndsUnlessHandled, Waits};
        for (condition, term, kill) in [
            (Condition::Stopped { shell: None }, Waits, Ends),
            (Condition::Traced { tracer: None }, Waits, Ends),
            (frozen(1), Waits, Waits),
            (frozen(2), EndsUnlessHandled, Ends),
        ] {
            assert_eq!((condition.after_sigterm(), condition.after_sigkill()), (term, kill));
        }
    }
}
