//! The result of one pass for one target.

use crate::bind_attempt::BindRefusal;
use crate::os::Row;
use crate::verdict::Hindrance;

/// Why a bind is refused.
#[derive(Debug, Clone)]
pub(crate) struct BindDenial {
    pub(crate) refusal: BindRefusal,
    /// What prevents it. `None` if a socket may.
    pub(crate) hindrance: Option<Hindrance>,
}

/// The state of a target in one scan.
#[derive(Debug)]
pub(super) enum WaitState {
    Reached,
    /// Sockets have the port, or the reason for the refusal may pass.
    NotYet(Option<BindDenial>),
    /// The bind is refused, and waiting does not change that.
    Never(BindDenial),
}

impl WaitState {
    /// Returns the state of a scan that knows only whether it is reached.
    pub(super) fn from_reached(is_reached: bool) -> WaitState {
        if is_reached { WaitState::Reached } else { WaitState::NotYet(None) }
    }
}

/// The result of one pass for one target.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) state: WaitState,
    /// Whether that is certain.
    pub(super) complete: bool,
    /// The rows that answer for the target.
    pub(super) rows: Vec<Row>,
    pub(super) attempt: Option<WaitAttempt>,
}

impl Pass {
    pub(super) fn new((state, complete): (WaitState, bool)) -> Pass {
        Pass { state, complete, rows: Vec::new(), attempt: None }
    }
}

/// The result of the last connection that was attempted.
///
/// ```
/// use std::time::Duration;
/// use allears::{WaitAttempt, WaitFor};
///
/// let server = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
/// let target: allears::Target = server.local_addr().expect("it is bound").to_string().parse()?;
/// let waited = allears::wait(&target, WaitFor::Accepts, Some(Duration::ZERO))?;
/// assert_eq!(waited.attempt, Some(WaitAttempt::Open));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum WaitAttempt {
    /// No connection: it was refused, or no address of the target is this machine's.
    Refused,
    /// The connection or the answer did not come in time.
    NoAnswer,
    /// The connection was closed at once, or before an answer.
    Closed,
    /// The answer is not HTTP/1.
    NotHttp,
    /// The status of the answer.
    Status(u16),
    /// The connection stayed open.
    Open,
}

impl WaitAttempt {
    /// Returns whether it is what was waited for.
    pub(super) fn is_success(self) -> bool {
        match self {
            WaitAttempt::Open => true,
            WaitAttempt::Status(status) => status < 400,
            _ => false,
        }
    }
}
