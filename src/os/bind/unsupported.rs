//! What only Linux reports about binds: on the other systems each function returns that it is unknown.

use std::time::Duration;

use crate::os::Policies;

/// Whether a bind of a socket that has a port already is checked in any way: unknown on this system.
pub(crate) const BOUND_SOCKETS_ARE_CHECKED: bool = false;

/// Returns nothing: the socket table does not have the timers of TIME_WAIT.
pub(in crate::os) fn time_wait_left(_port: u16) -> Option<Duration> {
    None
}

/// Returns nothing: the timeout is not read on this system.
pub(in crate::os) fn fin_timeout() -> Option<Duration> {
    None
}

/// Returns nothing: no policies are read on this system.
pub(in crate::os) fn policies() -> Policies {
    Policies::default()
}
