//! Explains a refused bind that no socket prevents, by the machine's addresses, limits and policies.

use crate::bind_attempt::{BindRefusal, BindRefusalKind, BindTarget};
use crate::os;
use crate::verdict::Hindrance;

/// Returns what a refusal means, or `None` if it has nothing to do with addresses, limits and policies. Reads only what
/// the kind of refusal needs.
pub(crate) fn hindrance(bind_target: &BindTarget, refusal: &BindRefusal) -> Option<Hindrance> {
    let local = match refusal.kind {
        BindRefusalKind::NotLocal => os::local_addresses(),
        _ => None,
    };
    let limits = match refusal.kind {
        BindRefusalKind::Denied => os::limits(bind_target.protocol),
        _ => os::Limits::default(),
    };
    Hindrance::from_refusal(&os::SYSTEM, bind_target, refusal, local.as_deref(), &limits, os::policies)
}
