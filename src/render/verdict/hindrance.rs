//! Phrases for hindrances.

use std::fmt;

use crate::bind_attempt::BindTarget;
use crate::render::escape::escape;
use crate::verdict::{Hindrance, SuspectedPolicy};

/// Returns a hindrance in a phrase that can follow "it cannot be bound:".
pub(crate) fn hindrance(hindrance: &Hindrance, target: &BindTarget) -> String {
    let Some(address) = target.address else {
        return match hindrance {
            Hindrance::NotLocal => "no address of this machine can be bound".to_owned(),
            other => phrase(other, "the address", Some(target.port)),
        };
    };
    phrase(hindrance, &address.to_string(), Some(target.port))
}

/// A phrase that can follow "it cannot be bound:", in which names from outside are escaped.
impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&phrase(self, "the address", None))
    }
}

fn phrase(hindrance: &Hindrance, address: &str, port: Option<u16>) -> String {
    match hindrance {
        Hindrance::Tentative { interface } => format!(
            "{address} is an address of this machine ({}) and not usable yet: it is tentative, duplicate address \
             detection has not ended",
            escape(interface)
        ),
        Hindrance::Duplicate { interface } => format!(
            "{address} is an address of this machine ({}) and not usable: duplicate address detection failed, because \
             the address was in use on that link already",
            escape(interface)
        ),
        Hindrance::NotLocal => format!("{address} is not an address of this machine"),
        Hindrance::NoFamily => format!("this machine does not support the address family of {address}"),
        Hindrance::Privileged { from } => {
            format!("ports below {from} need a privilege that this user does not have")
        }
        Hindrance::Excluded { range } => {
            let port = port.map_or_else(|| "the port".to_owned(), |port| port.to_string());
            format!(
                "Windows excludes a range of ports, {}-{}, for every program, and {port} is in it",
                range.start(),
                range.end()
            )
        }
        Hindrance::Policy { suspects } => match suspects.as_slice() {
            [] => "a policy of the system denies it to this process, and which one is unknown".to_owned(),
            [only] => {
                format!("a policy of the system denies it to this process, probably {}", suspect(*only))
            }
            _ => "a policy of the system denies it to this process".to_owned(),
        },
    }
}

fn suspect(suspect: SuspectedPolicy) -> &'static str {
    match suspect {
        SuspectedPolicy::Landlock => "a Landlock sandbox",
        SuspectedPolicy::CgroupProgram => "a BPF program of its cgroup",
        SuspectedPolicy::Seccomp => "a seccomp filter",
        SuspectedPolicy::AppArmor => "its AppArmor profile",
        SuspectedPolicy::SeLinux => "SELinux",
        SuspectedPolicy::OtherModule => "another security module",
    }
}
