//! Tests of the refusals of a plan.

use super::*;

#[test]
fn every_process_that_stands_for_others_is_refused() {
    for process in of_each_role() {
        let role = role(&process).unwrap();
        for evidence in [Evidence::Descriptor, Evidence::Table, Evidence::Cgroup] {
            for access in [Access::Allowed, Access::Ended, Access::Denied] {
                for tree in [false, true] {
                    let mut facts = PlanFacts::new([process.clone()]);
                    facts.sockets[0].holders[0].evidence = evidence;
                    facts.access.insert(process.id, access.clone());
                    let plan = facts.plan(Via::Signal, tree);
                    let refused = plan.refusals.iter().any(
                        |refusal| matches!(refusal, PlanRefusal::StandsFor { role: named, .. } if *named == role),
                    );
                    assert!(refused, "{role:?} {evidence:?} {access:?}: {:?}", plan.refusals);
                }
            }
        }
    }
}

#[test]
fn a_refusal_names_the_command_of_the_manager() {
    let mut proxy = process(45, &["/usr/bin/docker-proxy"]);
    proxy.service = Some(system_unit("docker.service"));
    let mut facts = PlanFacts::new([proxy]);
    facts.sockets[0].container = Some(Box::new(container("docker", "web")));
    let plan = facts.signal();
    let [PlanRefusal::StandsFor { command: Some(command), manager: Some(Manager::Container { .. }), .. }] =
        plan.refusals.as_slice()
    else {
        panic!("{:?}", plan.refusals)
    };
    assert_eq!(command, &["docker", "stop", "web"].map(Text::from));
    assert_eq!(commands(&facts.plan(Via::Container, false)), ["docker stop web"]);
}

#[test]
fn wineserver_is_not_ended_if_the_program_holds_the_socket_too() {
    let wineserver = || process(47, &["wineserver"]);
    let plan = PlanFacts::new([wineserver(), node(50)]).signal();
    assert_eq!((pids(&plan), plan.refusals), (vec![50], vec![]));

    let refused = |holders: Vec<Process>| !PlanFacts::new(holders).signal().refusals.is_empty();
    assert!(refused(vec![wineserver()]));
    // Neither of these holders is a program that uses the socket.
    assert!(refused(vec![wineserver(), process(45, &["docker-proxy"])]));
    assert!(refused(vec![wineserver(), process(40, &["wineserver64"])]));

    // It shares one socket with a program and is the only holder of another.
    let mut facts = PlanFacts::new([wineserver(), node(50)]);
    facts.sockets.push(listener(Protocol::Tcp, [wineserver()]));
    assert!(!facts.signal().refusals.is_empty());
}

#[test]
fn a_port_with_an_unseen_manager_is_refused() {
    let mut unit = user_unit("web.socket", 1000);
    unit.activates = Some("web.service".into());
    let mut server = node(50);
    server.service = Some(user_unit("web.service", 1000));
    let mut facts = PlanFacts::new([server]);
    facts.sockets[0].service = Some(unit.into());
    let refused = facts.signal();
    let [PlanRefusal::HeldByUnit { unit, command: Some(command), via: true, .. }] =
        refused.refusals.as_slice()
    else {
        panic!("{:?}", refused.refusals);
    };
    assert_eq!(unit.name.as_str(), Some("web.socket"));
    assert_eq!(
        command.iter().rev().take(2).rev().cloned().collect::<Vec<Text>>(),
        ["web.socket".into(), "web.service".into()]
    );
    // Without a visible holder the refusal still names the unit, but --via cannot act.
    facts.sockets[0].holders.clear();
    assert!(matches!(facts.signal().refusals.as_slice(), [PlanRefusal::HeldByUnit { via: false, .. }]));
}

#[test]
fn a_foreign_pid_namespace_is_refused() {
    let mut facts = PlanFacts::new([node(50)]);
    facts.own_pid_namespace = false;
    for via in [Via::Signal, Via::Service, Via::Container, Via::Supervisor] {
        assert!(facts.plan(via, false).refusals.contains(&PlanRefusal::ForeignPidNamespace));
    }
    // Without holders no pid matters.
    facts.sockets.clear();
    assert_eq!(facts.signal().refusals, []);
}

#[test]
fn unseen_holders_are_refused() {
    let mut facts = PlanFacts::new([node(50)]);
    for reason in [UnseenReason::Permission, UnseenReason::Exited, UnseenReason::Kernel] {
        facts.sockets[0].unseen =
            Some(Box::new(Unseen { reason, help: None, candidates: Vec::new(), kernel: Vec::new() }));
        let plan = facts.signal();
        assert!(matches!(plan.refusals.as_slice(), [PlanRefusal::Unseen(_) | PlanRefusal::KernelHolds(..)]));
    }
    // The reason for the unseen holders is unknown.
    let facts = PlanFacts::new([]);
    assert!(matches!(facts.signal().refusals.as_slice(), [PlanRefusal::Unseen(_)]));
}

#[test]
fn the_kernel_is_named_if_it_holds_the_port() {
    let mut facts = PlanFacts::new([node(50)]);
    let unseen = |reason| Some(Unseen { reason, help: None, candidates: Vec::new(), kernel: Vec::new() });
    facts.sockets[0].unseen = unseen(UnseenReason::Kernel).map(Box::new);
    let socket = facts.sockets[0].socket.clone();
    assert_eq!(facts.signal().refusals, [PlanRefusal::KernelHolds(socket, Vec::new())]);
    facts.sockets[0].unseen = unseen(UnseenReason::Permission).map(Box::new);
    let listener = Box::new(facts.sockets[0].clone());
    assert_eq!(facts.signal().refusals, [PlanRefusal::Unseen(listener)]);
}

#[test]
fn allears_its_ancestors_and_protected_processes_are_refused() {
    let refusals = |pid: u32, access: Option<Access>| {
        let mut facts = PlanFacts::new([node(pid)]);
        facts.access.clear();
        facts.access.extend(access.map(|access| (id(pid), access)));
        facts.signal().refusals
    };
    assert_eq!(refusals(OWN, Some(Access::Allowed)), [PlanRefusal::Itself(node(OWN))]);
    assert_eq!(refusals(SHELL, Some(Access::Allowed)), [PlanRefusal::RelatedProcess(node(SHELL))]);
    assert_eq!(refusals(50, Some(Access::Allowed)), []);
    assert_eq!(refusals(50, Some(Access::Ended)), []);
    assert_eq!(refusals(50, Some(Access::Denied)), [PlanRefusal::Denied(node(50))]);
    assert_eq!(refusals(50, Some(Access::Kernel)), [PlanRefusal::Kernel(node(50))]);
    let failed = |error: Option<&str>| PlanRefusal::Failed(node(50), error.map(str::to_owned));
    assert_eq!(refusals(50, Some(Access::Failed("EMFILE".into()))), [failed(Some("EMFILE"))]);
    assert_eq!(refusals(50, None), [failed(None)]);
}

#[test]
fn a_holder_by_weaker_evidence_is_refused() {
    for (evidence, certain) in [
        (Evidence::Descriptor, true),
        (Evidence::Table, true),
        (Evidence::Cgroup, false),
        (Evidence::LastUser, false),
    ] {
        let mut facts = PlanFacts::new([node(50)]);
        facts.sockets[0].holders[0].evidence = evidence;
        let plan = facts.signal();
        let uncertain = PlanRefusal::Uncertain(node(50), facts.sockets[0].socket.clone());
        assert_eq!(plan.refusals, if certain { vec![] } else { vec![uncertain] }, "{evidence:?}");
    }
}

/// systemd keeps the socket for the service, and gives it back when the service starts again.
#[test]
fn a_socket_in_a_descriptor_store_is_refused() {
    let unit = system_unit("web.service");
    let mut server = node(50);
    server.service = Some(unit.clone());
    let mut systemd = process(1, &["/sbin/init"]);
    systemd.uid = Some(0);
    let stored = |preserved, holders: Vec<Process>| {
        let mut facts = PlanFacts::new(holders);
        let store = crate::model::DescriptorStore { unit: unit.clone(), active: Some(true), preserved };
        facts.sockets[0].descriptor_store = Some(Box::new(store));
        facts
    };
    let is_stored = |plan: &Plan| plan.refusals.iter().any(|it| matches!(it, PlanRefusal::Stored(..)));
    let facts = stored(Some(false), vec![systemd.clone(), server.clone()]);
    let plan = facts.signal();
    assert!(matches!(plan.refusals.as_slice(), [PlanRefusal::Stored(..)]), "{:?}", plan.refusals);
    assert_eq!(pids(&plan), [50], "the manager only keeps it");
    assert_eq!(commands(&facts.plan(Via::Service, false)), ["systemctl stop -- web.service"]);
    assert!(is_stored(&stored(Some(true), vec![systemd.clone(), server.clone()]).plan(Via::Service, false)));
    assert!(!is_stored(&stored(None, vec![systemd.clone(), server]).plan(Via::Service, false)));
    assert!(is_stored(&stored(Some(false), vec![systemd]).plan(Via::Service, false)), "no service to stop");
}

#[test]
fn a_port_without_sockets_needs_no_manager() {
    let mut facts = PlanFacts::new([]);
    facts.sockets.clear();
    assert_eq!(facts.plan(Via::Service, false).refusals, []);
    // Without an unseen manager, --via service stops the unit of a socket.
    let mut unit = user_unit("web.socket", 1000);
    unit.activates = Some("web.service".into());
    let mut server = node(50);
    server.service = Some(user_unit("web.service", 1000));
    let mut facts = PlanFacts::new([server]);
    facts.sockets[0].service = Some(unit.into());
    let held = |plan: &Plan| plan.refusals.iter().any(|it| matches!(it, PlanRefusal::HeldByUnit { .. }));
    assert!(!held(&facts.plan(Via::Service, false)));
    assert!(held(&facts.plan(Via::Container, false)));
    let mut unheld = facts.sockets[0].clone();
    unheld.holders.clear();
    facts.sockets.push(unheld);
    assert!(held(&facts.plan(Via::Service, false)), "of the second socket no holder is visible");
    facts.sockets.remove(0);
    assert!(held(&facts.plan(Via::Service, false)));
}
