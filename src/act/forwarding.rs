//! Whether connections to a port are passed on without a socket.

use super::observe;
use crate::containers::{Found, Inquiry, Runtimes};
use crate::plan::Forwarding;
use crate::verdict::Asked;
use crate::{Listener, Socket};

/// Looks whether something passes on what comes to a port.
pub(super) fn forwarding(
    asked: &Asked,
    listening: &[Socket],
    sockets: &[Listener],
    runtimes: &Runtimes,
) -> Forwarding {
    let mut inquiry = Inquiry::new(runtimes);
    let found = if sockets.is_empty() { Found::Nothing } else { Found::Sockets };
    let publishers = inquiry.publishers(found);
    let mut forwarded = observe::forwarded(&mut inquiry, publishers, asked, listening, sockets);
    forwarded.retain(|listener| asked.overlaps(&listener.socket));
    match (forwarded.is_empty(), inquiry.gap()) {
        (false, _) => Forwarding::Forwarded(forwarded),
        (true, Some(gap)) => Forwarding::Unknown(gap),
        (true, None) => Forwarding::RuledOut,
    }
}
