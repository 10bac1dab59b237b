//! The policies that may have denied a bind.

use super::super::{Advice, Fact, Hindrance, SuspectedPolicy};
use super::Explanation;

impl Explanation<'_> {
    fn suspects(&self) -> Option<&[SuspectedPolicy]> {
        match self.hindrance {
            Some(Hindrance::Policy { suspects }) => Some(suspects),
            _ => None,
        }
    }

    /// Returns the facts about the policies.
    pub(super) fn policies(&self) -> Vec<Fact> {
        let Some((policies, suspects)) = self.observation.policies.as_ref().zip(self.suspects()) else {
            return Vec::new();
        };
        let mut facts = Vec::new();
        if let Some(from) = self.observation.limits.unprivileged_from {
            facts.push(Fact::PrivilegeIsNotTheReason {
                from,
                privileged: self.observation.target.port < from,
            });
        }
        facts.push(Fact::SecurityModules(policies.modules.clone()));
        facts.extend(policies.confinement.clone().map(Fact::Confinement));
        if suspects.contains(&SuspectedPolicy::Landlock) {
            facts.push(Fact::LandlockMayDeny { no_new_privileges: policies.no_new_privileges });
        }
        facts.push(Fact::BindPrograms(policies.bind_programs));
        if policies.seccomp == Some(true) {
            facts.push(Fact::SeccompFilter);
        }
        facts
    }

    /// Returns how to find out which policy denies the bind, the likely ones first.
    pub(super) fn find_policy(&self) -> Vec<Advice> {
        let port = self.observation.target.port;
        match self.suspects() {
            None => Vec::new(),
            Some([]) => vec![Advice::FindPolicy],
            Some(suspects) => {
                suspects.iter().map(|suspect| Advice::CheckPolicy { suspect: *suspect, port }).collect()
            }
        }
    }
}
