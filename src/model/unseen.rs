//! Holders that must exist but could not be observed.

use super::names::names;
use super::{Evidence, Help, KernelSocket, Text};

/// A holder that must exist but could not be observed.
///
/// ```
/// use allears::Query;
///
/// for unseen in Query::new().scan()?.listeners.into_iter().filter_map(|listener| listener.unseen) {
///     println!("{}: one of {} processes", unseen.reason, unseen.candidates.len());
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Unseen {
    /// Why it could not be observed.
    pub reason: UnseenReason,
    /// What would make it visible.
    pub help: Option<Help>,
    /// The processes that it may be.
    pub candidates: Vec<Candidate>,
    /// The parts of the kernel that use the socket if the reason is [`UnseenReason::Kernel`], else those that may. Several
    /// interfaces can share one socket. Linux only.
    pub kernel: Vec<KernelSocket>,
}

/// Why a holder could not be observed.
///
/// ```
/// use allears::{Query, UnseenReason};
///
/// for listener in Query::new().scan()?.listeners {
///     if listener.unseen.is_some_and(|unseen| unseen.reason == UnseenReason::Permission) {
///         println!("run as root to see the holder of {}", listener.socket.endpoint);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum UnseenReason {
    /// The permission to read descriptor tables is missing.
    Permission,
    /// This /proc hides processes.
    HiddenProc,
    /// The process may be outside of this pid namespace.
    PidNamespace,
    /// The kernel itself uses the socket.
    Kernel,
    /// The socket is in a message from one process to another.
    InFlight,
    /// The process ended during the scan.
    Exited,
    /// The reason is unknown.
    Unknown,
}

/// A process that may be an unseen holder.
///
/// ```
/// use allears::Query;
///
/// for unseen in Query::new().scan()?.listeners.into_iter().filter_map(|listener| listener.unseen) {
///     for candidate in unseen.candidates {
///         println!("perhaps {} ({}), by {}", candidate.name.to_string_lossy(), candidate.pid, candidate.evidence);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Candidate {
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub name: Text,
    /// The evidence that it holds the socket.
    pub evidence: Evidence,
}

impl Unseen {
    /// Returns whether it is known to be held in no descriptor table, so that no permission to read more of them would
    /// show it.
    pub(crate) fn is_without_descriptor(&self) -> bool {
        self.reason == UnseenReason::Unknown
            && self.candidates.first().is_some_and(|first| {
                first.evidence.is_without_descriptor() || first.evidence == Evidence::Message
            })
    }

    /// Returns the candidates that would have it in no descriptor table.
    pub(crate) fn without_descriptor(&self) -> Option<&[Candidate]> {
        let hidden = self.is_without_descriptor() || self.reason == UnseenReason::InFlight;
        (hidden && !self.candidates.is_empty()).then_some(&self.candidates)
    }
}

names! { UnseenReason, "reason":
    Permission => "permission",
    HiddenProc => "hidden-proc",
    PidNamespace => "pid-namespace",
    Kernel => "kernel",
    InFlight => "in-flight",
    Exited => "exited",
    Unknown => "unknown",
}
