//! What was asked for.

use crate::bind_attempt::BindTarget;

/// Returns what was asked for as one types it for `free`: `3000`, `udp/53`. It has no address, because `free` takes none.
pub(crate) fn target(asked: &BindTarget) -> String {
    format!("{}{}", asked.protocol.prefix(), asked.port)
}
