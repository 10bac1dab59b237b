//! Why a port is not free, and what restarts an ended process.

use std::fmt;

use super::{container_or_pod, name_and_pid};
use crate::act::{FreeObstacle, Restarter, StepFailure};
use crate::model::Text;
use crate::render::escape::escape;

/// A phrase about the port, in which names from outside are escaped.
impl fmt::Display for FreeObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FreeObstacle::Held => f.write_str("it is held"),
            FreeObstacle::Lingers { reason, .. } => write!(f, "no process listens, but {reason}"),
            FreeObstacle::Forwarded(listeners) => {
                let container = listeners.iter().find_map(|listener| listener.container.as_deref());
                let to = container.map_or_else(
                    || "elsewhere".to_owned(),
                    |container| format!("the {}", container_or_pod(container)),
                );
                write!(f, "no process holds it, but connections to it are forwarded to {to}")
            }
            FreeObstacle::Answered(address) => {
                write!(f, "no process holds it, but a connection to {address} is answered")
            }
            FreeObstacle::Restarts(restart) => {
                let starts = if restart.certain { "starts" } else { "may start" };
                write!(f, "it is free now, but {} {starts} the holder again", restart.by)
            }
            FreeObstacle::Refused { hindrance: Some(hindrance), .. } => {
                write!(f, "it is held by nothing, but it cannot be bound: {hindrance}")
            }
            FreeObstacle::Refused { error, hindrance: None } => {
                write!(f, "it is held by nothing, but a bind fails with {error}")
            }
            FreeObstacle::ForwardingUnknown(gap) => write!(
                f,
                "could not determine whether connections to it are forwarded: {}",
                escape(&Text::from_display(gap))
            ),
        }
    }
}

/// Writes the phrase for why a step failed. It may contain control characters.
impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepFailure::NotInstalled { program } => {
                write!(f, "{} is in none of the system's own folders", program.to_string_lossy())
            }
            StepFailure::Status { program, status } => {
                write!(f, "{} ended with {status}", program.to_string_lossy())
            }
            StepFailure::Timeout { program, limit } => {
                write!(f, "{} still runs after {} s", program.to_string_lossy(), limit.as_secs())
            }
            StepFailure::System(message) => f.write_str(&message.to_string_lossy()),
        }
    }
}

/// The name of what restarts a process, with its kind. It is escaped.
impl fmt::Display for Restarter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Restarter::Service(service) => write!(f, "service {}", escape(&service.name)),
            Restarter::SocketUnit(unit) => write!(f, "socket unit {}", escape(unit)),
            Restarter::Container(container) => f.write_str(&container_or_pod(container)),
            Restarter::Process { id, name, .. } => f.write_str(&name_and_pid(name, id.pid)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorName;
    use crate::verdict::Hindrance;

    #[test]
    fn obstacles_in_words() {
        let hindrance = Some(Hindrance::Privileged { from: 1024 });
        let refused = FreeObstacle::Refused { error: ErrorName::Access, hindrance };
        assert_eq!(
            refused.to_string(),
            "it is held by nothing, but it cannot be bound: ports below 1024 need a privilege that this user does not \
             have"
        );
        assert_eq!(Restarter::SocketUnit("a\u{1b}.socket".into()).to_string(), r"socket unit a\x1b.socket");
    }
}
