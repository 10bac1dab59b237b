//! What forbids a bind, by its error and by the policies that apply.

use super::*;
use crate::bind_attempt::BindTarget;
use crate::model::{Confinement, SecurityModule};
use crate::os::Policies;

fn refusal(kind: BindRefusalKind, name: &str) -> BindRefusal {
    BindRefusal { kind, name: name.into(), message: String::new() }
}

fn hindrance(
    target: &BindTarget,
    refusal: &BindRefusal,
    limits: &Limits,
    policies: Policies,
) -> Option<Hindrance> {
    Hindrance::from_refusal(&System::Linux, target, refusal, None, limits, || policies)
}

/// The error of a BPF program of the cgroup is EPERM if it does not choose another; that of a security module is EACCES.
#[test]
fn policies_that_may_have_refused() {
    let modules =
        |modules: &[SecurityModule]| Policies { modules: Some(modules.to_vec()), ..Policies::default() };
    let confined = |module| Some(Confinement { module, context: "docker-default (enforce)".into() });
    let enforcing = |policies| Policies { selinux_enforces: Some(true), ..policies };
    let programs = |count, policies| Policies { bind_programs: Some(count), ..policies };
    let no_programs = |policies| programs(0, policies);
    use SecurityModule::{AppArmor, Landlock, SeLinux, Smack, Tomoyo};
    use SuspectedPolicy as Suspect;
    for (name, policies, suspects) in [
        ("EACCES", Policies::default(), &[Suspect::Landlock][..]),
        ("EPERM", Policies::default(), &[Suspect::CgroupProgram]),
        ("EPERM", no_programs(Policies::default()), &[]),
        ("EPERM", programs(2, Policies::default()), &[Suspect::CgroupProgram]),
        ("EPERM", no_programs(Policies { seccomp: Some(true), ..Policies::default() }), &[Suspect::Seccomp]),
        ("EPERM", no_programs(Policies { seccomp: Some(false), ..Policies::default() }), &[]),
        ("EPERM", no_programs(modules(&[Landlock, Smack])), &[]),
        ("EPERM", no_programs(enforcing(modules(&[SeLinux]))), &[]),
        ("EPERM", no_programs(Policies { confinement: confined(AppArmor), ..modules(&[AppArmor]) }), &[]),
        ("EACCES", modules(&[]), &[]),
        ("EACCES", programs(2, modules(&[])), &[Suspect::CgroupProgram]),
        ("EACCES", no_programs(modules(&[])), &[]),
        (
            "EACCES",
            enforcing(Policies { confinement: confined(AppArmor), ..modules(&[AppArmor, SeLinux]) }),
            &[Suspect::AppArmor],
        ),
        (
            "EACCES",
            enforcing(Policies { confinement: confined(SeLinux), ..modules(&[SeLinux]) }),
            &[Suspect::SeLinux],
        ),
        ("EACCES", Policies { selinux_enforces: Some(false), ..modules(&[SeLinux]) }, &[]),
        ("EACCES", modules(&[SeLinux]), &[]),
        ("EACCES", enforcing(modules(&[Landlock])), &[Suspect::Landlock]),
        ("EACCES", modules(&[Smack]), &[Suspect::OtherModule]),
        ("EACCES", modules(&[Tomoyo]), &[Suspect::OtherModule]),
    ] {
        let denied = refusal(BindRefusalKind::Denied, name);
        let found = hindrance(&bind_target(None), &denied, &Limits::default(), policies.clone());
        assert_eq!(found, Some(Hindrance::Policy { suspects: suspects.to_vec() }), "{name} {policies:?}");
    }
}

#[test]
fn privileged_ports_are_those_below_the_first_unprivileged_one() {
    let denied = refusal(BindRefusalKind::Denied, "EACCES");
    let with = |from, may_bind_privileged| {
        let limits = Limits { unprivileged_from: Some(from), ..Limits::default() };
        let policies = Policies { may_bind_privileged, modules: Some(Vec::new()), ..Policies::default() };
        hindrance(&bind_target(None), &denied, &limits, policies)
    };
    let policy = Some(Hindrance::Policy { suspects: Vec::new() });
    assert_eq!(with(81, None), Some(Hindrance::Privileged { from: 81 }));
    assert_eq!(with(81, Some(false)), Some(Hindrance::Privileged { from: 81 }));
    assert_eq!(with(81, Some(true)), policy, "a process with the privilege has another reason");
    assert_eq!(with(80, None), policy);
}

#[test]
fn each_error_has_its_meaning() {
    let windows = |kind| {
        let limits = Limits {
            excluded: vec![ExcludedRange {
                ports: 70..=90,
                family: crate::model::Family::Ipv4,
                administered: false,
            }],
            unprivileged_from: Some(1024),
            ..Limits::default()
        };
        let refused = refusal(kind, "EACCES");
        Hindrance::from_refusal(
            &System::Windows,
            &bind_target(None),
            &refused,
            None,
            &limits,
            Policies::default,
        )
    };
    assert_eq!(windows(BindRefusalKind::Denied), Some(Hindrance::Excluded { range: 70..=90 }));
    assert_eq!(windows(BindRefusalKind::InUse), None);
    assert_eq!(windows(BindRefusalKind::Other), None);
    assert_eq!(windows(BindRefusalKind::NoFamily), Some(Hindrance::NoFamily));
    assert_eq!(windows(BindRefusalKind::NotLocal), Some(Hindrance::NotLocal));
}

#[test]
fn addresses_that_are_not_usable_yet() {
    let local = |usability, interface: &str| LocalAddress {
        address: "fe80::1".parse().unwrap(),
        interface: interface.into(),
        usability,
    };
    let foreign = LocalAddress { address: "fe80::2".parse().unwrap(), ..local(Usability::Tentative, "a") };
    let refused = refusal(BindRefusalKind::NotLocal, "EADDRNOTAVAIL");
    let of = |interface: Option<&str>, local: &[LocalAddress]| {
        let target = BindTarget { interface: interface.map(Into::into), ..bind_target(Some("fe80::1")) };
        Hindrance::from_refusal(
            &System::Linux,
            &target,
            &refused,
            Some(local),
            &Limits::default(),
            Policies::default,
        )
        .unwrap()
    };
    let both = [local(Usability::Duplicate, "a"), local(Usability::Tentative, "b")];
    let tentative = of(None, &both);
    assert_eq!(tentative, Hindrance::Tentative { interface: "b".into() });
    assert_eq!(of(Some("b"), &both), tentative);
    let duplicate = of(Some("a"), &both);
    assert_eq!(duplicate, Hindrance::Duplicate { interface: "a".into() });
    assert_eq!(of(Some("c"), &both), Hindrance::NotLocal);
    assert_eq!(of(None, &[foreign, local(Usability::Usable, "a")]), Hindrance::NotLocal);
    assert!(tentative.may_pass() && !duplicate.may_pass() && !Hindrance::NotLocal.may_pass());
}

#[test]
fn a_policy_has_its_facts_and_its_advice() {
    let mut denied = observation(DENIED, DENIED, vec![]);
    denied.limits.unprivileged_from = Some(80);
    denied.policies = Some(Policies {
        modules: Some(vec![SecurityModule::Landlock]),
        seccomp: Some(true),
        no_new_privileges: Some(true),
        bind_programs: Some(0),
        ..Policies::default()
    });
    let verdict = judge(denied.clone());
    let policies = [
        Fact::PrivilegeIsNotTheReason { from: 80, privileged: false },
        Fact::SecurityModules(Some(vec![SecurityModule::Landlock])),
        Fact::LandlockMayDeny { no_new_privileges: Some(true) },
        Fact::BindPrograms(Some(0)),
        Fact::SeccompFilter,
    ];
    assert_eq!(verdict.facts[1..], policies);
    let check = |suspect| Advice::CheckPolicy { suspect, port: 80 };
    assert_eq!(verdict.advice, [check(SuspectedPolicy::Landlock), check(SuspectedPolicy::Seccomp)]);

    denied.limits.unprivileged_from = Some(81);
    denied.policies = Some(Policies {
        may_bind_privileged: Some(true),
        modules: Some(Vec::new()),
        bind_programs: Some(0),
        ..Policies::default()
    });
    let verdict = judge(denied);
    let policies = [
        Fact::PrivilegeIsNotTheReason { from: 81, privileged: true },
        Fact::SecurityModules(Some(Vec::new())),
        Fact::BindPrograms(Some(0)),
    ];
    assert_eq!(verdict.facts[1..], policies);
    assert_eq!(verdict.advice, [Advice::FindPolicy]);
}
