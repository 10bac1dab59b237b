//! Hindrances: what forbids a bind if no socket is in the way, and whether waiting helps.

use std::ops::RangeInclusive;

use crate::bind_attempt::{BindRefusal, BindRefusalKind, BindTarget};
use crate::model::names::{names, variant_names};
use crate::model::{ErrorName, SecurityModule, System, Text};
use crate::os::{Limits, LocalAddress, Policies, Usability};

/// What forbids a bind if no socket is in the way.
///
/// ```
/// let verdict = allears::why(&allears::Target::port(80)?)?;
/// if let Some(hindrance) = verdict.hindrance {
///     println!("forbidden: {}", hindrance.as_str());
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Hindrance {
    /// The address is on this machine, but duplicate address detection has not ended yet. It usually takes some seconds.
    Tentative {
        /// The interface that the address is on.
        interface: Text,
    },
    /// The address is on this machine, but duplicate address detection found it in use on the link.
    Duplicate {
        /// The interface that the address is on.
        interface: Text,
    },
    /// The address is not one of this machine's, or the machine's addresses could not be read.
    NotLocal,
    /// The machine does not have this address family.
    NoFamily,
    /// The port is below the first one that needs no privilege, and this process does not have that privilege.
    Privileged {
        /// The first port that needs no privilege.
        from: u16,
    },
    /// Windows excludes the port for all programs.
    Excluded {
        /// The excluded range.
        range: RangeInclusive<u16>,
    },
    /// A policy of the system forbids the bind to this process.
    Policy {
        /// The policies that may have refused it, the likely ones first. Empty if none is known.
        suspects: Vec<SuspectedPolicy>,
    },
}

/// A policy that may have refused a bind.
///
/// ```
/// use allears::{Hindrance, SuspectedPolicy};
///
/// let verdict = allears::why(&allears::Target::port(10309)?)?;
/// if let Some(Hindrance::Policy { suspects, .. }) = verdict.hindrance {
///     println!("a sandbox: {}", suspects.contains(&SuspectedPolicy::Landlock));
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SuspectedPolicy {
    /// A Landlock sandbox. The kernel does not tell whether a process is in one.
    Landlock,
    /// A BPF program of the cgroup.
    CgroupProgram,
    /// A seccomp filter.
    Seccomp,
    /// AppArmor.
    AppArmor,
    /// SELinux.
    SeLinux,
    /// Another security module that can refuse binds: Smack, TOMOYO, a BPF program.
    OtherModule,
}

variant_names! { Hindrance:
    Hindrance::Tentative { .. } => "tentative",
    Hindrance::Duplicate { .. } => "duplicate",
    Hindrance::NotLocal => "not-local",
    Hindrance::NoFamily => "no-family",
    Hindrance::Privileged { .. } => "privileged",
    Hindrance::Excluded { .. } => "excluded",
    Hindrance::Policy { .. } => "policy",
}

impl Hindrance {
    /// Returns whether it ends without intervention, so that waiting helps.
    pub fn may_pass(&self) -> bool {
        matches!(self, Hindrance::Tentative { .. })
    }

    /// Returns what a refusal means. `None` if a socket may be in the way (EADDRINUSE), and for errors that do not concern
    /// the port, such as EACCES on Windows for a port outside of the excluded ranges. `policies` is called only if a policy
    /// may have refused the bind.
    pub(crate) fn from_refusal(
        os: &System,
        target: &BindTarget,
        refusal: &BindRefusal,
        local: Option<&[LocalAddress]>,
        limits: &Limits,
        policies: impl FnOnce() -> Policies,
    ) -> Option<Hindrance> {
        match refusal.kind {
            BindRefusalKind::InUse | BindRefusalKind::Other => None,
            BindRefusalKind::NoFamily => Some(Hindrance::NoFamily),
            BindRefusalKind::NotLocal => Some(not_usable(target, local)),
            BindRefusalKind::Denied if *os == System::Windows => excluded(target, limits),
            BindRefusalKind::Denied => denied(target, refusal, limits, policies),
        }
    }
}

/// Returns the hindrance for an address that cannot be bound, although it may be on an interface.
fn not_usable(target: &BindTarget, local: Option<&[LocalAddress]>) -> Hindrance {
    let is_asked = |one: &&LocalAddress| {
        Some(one.address) == target.address
            && target.interface.as_ref().is_none_or(|interface| *interface == one.interface)
    };
    let found = local.unwrap_or_default().iter().filter(is_asked);
    // An interface on which the address may become usable takes precedence.
    let interface_with = |wanted: Usability| {
        found.clone().find(|one| one.usability == wanted).map(|one| one.interface.clone())
    };
    match (interface_with(Usability::Tentative), interface_with(Usability::Duplicate)) {
        (Some(interface), _) => Hindrance::Tentative { interface },
        (None, Some(interface)) => Hindrance::Duplicate { interface },
        (None, None) => Hindrance::NotLocal,
    }
}

fn excluded(target: &BindTarget, limits: &Limits) -> Option<Hindrance> {
    let range = limits.excluded.iter().find(|range| range.ports.contains(&target.port))?;
    Some(Hindrance::Excluded { range: range.ports.clone() })
}

/// Returns the hindrance for a bind that was refused with EACCES or EPERM.
fn denied(
    target: &BindTarget,
    refusal: &BindRefusal,
    limits: &Limits,
    policies: impl FnOnce() -> Policies,
) -> Option<Hindrance> {
    let below = limits.unprivileged_from.filter(|from| target.port < *from);
    let policies = policies();
    match below {
        // A process with the privilege is refused for another reason.
        Some(from) if policies.may_bind_privileged != Some(true) => Some(Hindrance::Privileged { from }),
        _ => Some(Hindrance::Policy { suspects: suspects(refusal, &policies) }),
    }
}

/// Returns the policies that may have refused a bind. The default error of a BPF program of the cgroup is EPERM, that of a
/// security module is EACCES. A seccomp filter sets its own error.
fn suspects(refusal: &BindRefusal, policies: &Policies) -> Vec<SuspectedPolicy> {
    let active =
        |module: &SecurityModule| policies.modules.as_ref().is_none_or(|modules| modules.contains(module));
    let in_apparmor = policies.confinement.as_ref().is_some_and(|it| it.module == SecurityModule::AppArmor);
    let by_module = refusal.name != ErrorName::NotPermitted;
    let mut suspects = Vec::new();
    let mut add = |is: bool, suspect: SuspectedPolicy| suspects.extend(is.then_some(suspect));
    let no_programs = policies.bind_programs == Some(0);
    add(!by_module && !no_programs, SuspectedPolicy::CgroupProgram);
    add(by_module && in_apparmor, SuspectedPolicy::AppArmor);
    add(
        by_module
            && active(&SecurityModule::SeLinux)
            && policies.selinux_enforces == Some(true)
            && !in_apparmor,
        SuspectedPolicy::SeLinux,
    );
    add(by_module && active(&SecurityModule::Landlock), SuspectedPolicy::Landlock);
    add(policies.seccomp == Some(true), SuspectedPolicy::Seccomp);
    // A program can choose its error.
    add(by_module && policies.bind_programs.is_some_and(|count| count > 0), SuspectedPolicy::CgroupProgram);
    let other =
        policies.modules.is_some() && [SecurityModule::Smack, SecurityModule::Tomoyo].iter().any(active);
    add(by_module && other, SuspectedPolicy::OtherModule);
    suspects
}

names! { SuspectedPolicy, "policy that refuses binds":
    Landlock => "landlock",
    CgroupProgram => "cgroup-program",
    Seccomp => "seccomp",
    AppArmor => "apparmor",
    SeLinux => "selinux",
    OtherModule => "other-module",
}
