//! Why a process does not run.

use crate::model::names::{names, variant_names};
use crate::model::{RelatedProcess, Text};

/// Why a process does not run. It keeps its sockets: the kernel completes connections to them, and no process answers.
///
/// ```
/// use allears::{Condition, Query};
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         match &holder.process.condition {
///             Some(Condition::Stopped { shell }) => println!("stopped, by {shell:?}"),
///             Some(other) => println!("{}", other.as_str()),
///             None => {}
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Condition {
    /// A signal stopped it: SIGSTOP, or SIGTSTP by Ctrl-Z in its terminal. SIGCONT resumes it.
    Stopped {
        /// The shell whose job it is. `None` if it is no shell's job, or if that was not read.
        shell: Option<RelatedProcess>,
    },
    /// The process that traces it, usually a debugger, stopped it.
    Traced {
        /// The tracer. `None` if it is outside of this pid namespace, or was not read.
        tracer: Option<RelatedProcess>,
    },
    /// Its cgroup is frozen, for instance by pausing its container.
    Frozen(Freezer),
}

/// A frozen cgroup: that of a process, or one above it.
///
/// ```
/// use allears::{Condition, Query};
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         if let Some(Condition::Frozen(freezer)) = &holder.process.condition {
///             println!("{} is frozen", freezer.cgroup.to_string_lossy());
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Freezer {
    /// The version of cgroups, 1 or 2. SIGKILL ends a process that version 2 froze, but not one that version 1 froze.
    pub version: u8,
    /// The path of the cgroup in its hierarchy, as in /proc/PID/cgroup.
    pub cgroup: Text,
    /// The file that thaws it. `None` if its hierarchy is not mounted here.
    pub control: Option<Text>,
    /// The process's container or service, if the cgroup is exactly that one's.
    pub scope: Option<FreezerScope>,
}

/// What a frozen cgroup belongs to.
///
/// ```
/// use allears::FreezerScope;
///
/// assert_eq!("container".parse(), Ok(FreezerScope::Container));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FreezerScope {
    /// The process's container.
    Container,
    /// The process's service.
    Service,
}

variant_names! { Condition:
    Condition::Stopped { .. } => "stopped",
    Condition::Traced { .. } => "traced",
    Condition::Frozen(_) => "frozen",
}

names! { FreezerScope, "freezer scope":
    Container => "container",
    Service => "service",
}
