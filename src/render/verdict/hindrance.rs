//! What forbids a bind, though no socket is in the way.

use crate::bind_attempt::BindTarget;
use crate::render::escape::escape;
use crate::verdict::{Hindrance, Suspect};

/// Returns a hindrance in a phrase that can follow "it cannot be bound:".
pub(crate) fn hindrance(hindrance: &Hindrance, target: &BindTarget) -> String {
    let address = target.address.map_or_else(|| "the address".to_owned(), |address| address.to_string());
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
        Hindrance::NotLocal => match target.address {
            Some(address) => format!("{address} is not an address of this machine"),
            None => "no address of this machine can be bound".to_owned(),
        },
        Hindrance::NoFamily => format!("this machine does not support the address family of {address}"),
        Hindrance::Privileged { from } => {
            format!("ports below {from} need a privilege that this user does not have")
        }
        Hindrance::Excluded { range } => format!(
            "Windows excludes a range of ports, {}-{}, for every program, and {} is in it",
            range.start(),
            range.end(),
            target.port
        ),
        Hindrance::Policy { suspects } => match suspects.as_slice() {
            [] => "a policy of the system denies it to this process, and which one is unknown".to_owned(),
            [only] => {
                format!("a policy of the system denies it to this process, probably {}", suspect(*only))
            }
            _ => "a policy of the system denies it to this process".to_owned(),
        },
    }
}

fn suspect(suspect: Suspect) -> &'static str {
    match suspect {
        Suspect::Landlock => "a Landlock sandbox",
        Suspect::CgroupProgram => "a BPF program of its cgroup",
        Suspect::Seccomp => "a seccomp filter",
        Suspect::AppArmor => "its AppArmor profile",
        Suspect::SeLinux => "SELinux",
        Suspect::OtherModule => "another security module",
    }
}
