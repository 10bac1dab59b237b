//! What forbids a bind where no socket is in the way: the machine's addresses, limits and policies are read for the answer.

use crate::bind_attempt::{BindTarget, Refusal, RefusalKind};
use crate::os;
use crate::verdict::Hindrance;

/// Returns what a refusal means, or `None` if it says nothing of the machine's addresses, limits and policies. Only what the
/// kind of refusal calls for is read.
pub(crate) fn hindrance(asked: &BindTarget, refusal: &Refusal) -> Option<Hindrance> {
    let local = match refusal.kind {
        RefusalKind::NotLocal => os::local_addresses(),
        _ => None,
    };
    let limits = match refusal.kind {
        RefusalKind::Denied => os::limits(asked.protocol),
        _ => os::Limits::default(),
    };
    Hindrance::of(std::env::consts::OS, asked, refusal, local.as_deref(), &limits, os::policies)
}
