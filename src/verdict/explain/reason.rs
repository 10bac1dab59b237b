//! The reason of a verdict.

use super::super::proxying::proxying_holder;
use super::super::{VerdictKind, VerdictReason};
use super::Explanation;
use crate::bind_attempt::BindRefusalKind;
use crate::management::proxy;
use crate::model::{Listener, State};

impl Explanation<'_> {
    /// Returns the reason.
    pub(in crate::verdict) fn reason(&self) -> VerdictReason {
        let observation = self.observation;
        let more = self.standing.len().saturating_sub(1);
        let boxed = |listener: &Listener| Box::new(listener.clone());
        if let Some(hindrance) = self.hindrance {
            return VerdictReason::Hindrance {
                hindrance: hindrance.clone(),
                target: observation.target.clone(),
            };
        }
        match (self.kind, self.standing.first()) {
            (VerdictKind::Free, _) => VerdictReason::Nothing,
            (VerdictKind::Forwarded, Some(listener)) if listener.socket.state == State::Forwarded => {
                VerdictReason::Forwarded(boxed(listener))
            }
            (VerdictKind::Forwarded, Some(listener)) => {
                let found = proxying_holder(listener);
                VerdictReason::Proxied {
                    listener: boxed(listener),
                    purpose: found.map(|(_, purpose)| purpose),
                    inside: found.and_then(|(holder, _)| proxy::destination(&holder.process)),
                }
            }
            (VerdictKind::Forwarded, None) => VerdictReason::Answered { address: observation.answered },
            (VerdictKind::Listening, Some(listener)) if self.is_shared(listener) => {
                VerdictReason::Shared(self.standing.to_vec())
            }
            (VerdictKind::Listening, Some(listener)) => {
                VerdictReason::Held { listener: boxed(listener), more }
            }
            (VerdictKind::Bound, Some(listener)) => VerdictReason::Bound {
                history: observation.history(&listener.socket),
                listener: boxed(listener),
                more,
            },
            (VerdictKind::Connection, Some(listener)) => {
                let orphaned = listener.holders.is_empty() && listener.unseen.is_none();
                let orphans = self.orphans();
                let other_end = orphans.first().and_then(|orphan| orphan.other_end.as_ref());
                VerdictReason::Connection {
                    listener: boxed(listener),
                    other_end: other_end.filter(|_| orphaned).map(boxed),
                    more,
                }
            }
            (VerdictKind::TimeWait, _) => {
                VerdictReason::TimeWait { connections: self.standing.len(), left: observation.time_wait_left }
            }
            (VerdictKind::Reserved, _) => VerdictReason::Reserved { port: observation.target.port },
            (_, _) if self.can_bind == Some(true) => VerdictReason::ForwardingUnknown,
            (_, _) => match self.refused {
                Some(refusal) if refusal.kind == BindRefusalKind::InUse => VerdictReason::Unseen,
                Some(refusal) if refusal.kind == BindRefusalKind::Denied => VerdictReason::Denied,
                refused => VerdictReason::NotAttempted {
                    error: refused.map(|refusal| (refusal.name.clone(), refusal.message.clone())),
                },
            },
        }
    }

    /// Returns whether only listeners of one address are in the way, and several of them.
    fn is_shared(&self, first: &Listener) -> bool {
        let shares =
            |one: &Listener| one.socket.endpoint == first.socket.endpoint && one.socket.is_listener();
        self.standing.len() > 1 && self.standing.iter().all(shares)
    }
}
