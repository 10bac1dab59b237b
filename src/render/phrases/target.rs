//! What was asked for.

use crate::bind_attempt::BindTarget;

/// Returns what was asked for as one types it for `free`: `3000`, `udp/53`. It has no address, because `free` takes none.
pub(crate) fn target(target: &BindTarget) -> String {
    format!("{}{}", target.protocol.prefix(), target.port)
}
