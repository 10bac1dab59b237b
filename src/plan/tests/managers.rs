//! The commands of managers.

use super::*;
use crate::management::ManagingProgram;
use crate::management::restart::RestarterKind;

#[test]
fn each_manager_has_its_own_command() {
    let via = |facts: &PlanFacts, via| commands(&facts.plan(via, false));
    let mut server = node(50);
    let none = PlanFacts::new([server.clone()]);
    for other in [Via::Container, Via::Service, Via::Supervisor] {
        let plan = none.plan(other, false);
        assert!(matches!(plan.refusals.as_slice(), [PlanRefusal::NoManager { .. }]), "{:?}", plan.refusals);
    }

    server.service = Some(system_unit("web.service"));
    let unit = PlanFacts::new([server.clone()]);
    assert_eq!(via(&unit, Via::Service), ["systemctl stop -- web.service"]);
    for other in [Via::Container, Via::Supervisor] {
        let plan = unit.plan(other, false);
        assert!(matches!(plan.refusals.as_slice(), [PlanRefusal::NoManager { .. }]));
    }

    // systemd restarts the supervisor, but not the supervisor's programs.
    let mut both = PlanFacts::new([server.clone()]);
    both.supervisors.insert(50, supervisor());
    assert_eq!(via(&both, Via::Supervisor), ["supervisorctl stop web"]);
    let plan = both.plan(Via::Service, false);
    assert!(matches!(plan.refusals.as_slice(), [PlanRefusal::OtherManager { via: Via::Service, .. }]));

    // The unit of a quadlet restarts its container.
    server.container = Some(container("podman", "web"));
    let quadlet = PlanFacts::new([server.clone()]);
    assert_eq!(via(&quadlet, Via::Service), ["systemctl stop -- web.service"]);
    let plan = quadlet.plan(Via::Container, false);
    assert!(matches!(plan.refusals.as_slice(), [PlanRefusal::OtherManager { via: Via::Container, .. }]));

    server.service = None;
    assert_eq!(via(&PlanFacts::new([server.clone()]), Via::Container), ["podman stop web"]);
    server.container = Some(container("lxc", "web"));
    let unknown = PlanFacts::new([server]);
    let plan = unknown.plan(Via::Container, false);
    assert!(matches!(plan.refusals.as_slice(), [PlanRefusal::NoCommand { .. }]));
    let plan = unknown.plan(Via::Service, false);
    assert!(matches!(plan.refusals.as_slice(), [PlanRefusal::NoManager { .. }]), "{:?}", plan.refusals);
}

#[test]
fn a_supervisor_without_a_known_command() {
    let mut facts = PlanFacts::new([node(50)]);
    let manager = Manager::Supervisor {
        kind: ManagingProgram::Restarter(RestarterKind::Pm2),
        program: None,
        stop: None,
        find: None,
    };
    facts.supervisors.insert(50, manager);
    let plan = facts.plan(Via::Supervisor, false);
    assert!(matches!(plan.refusals.as_slice(), [PlanRefusal::NoCommand { .. }]), "{:?}", plan.refusals);
}

#[test]
fn another_users_unit_is_stopped_in_that_users_manager() {
    let mut server = node(50);
    server.service = Some(user_unit("web.service", 1000));
    let mut facts = PlanFacts::new([server]);
    let command = |facts: &PlanFacts| commands(&facts.plan(Via::Service, false));
    assert_eq!(command(&facts), ["systemctl --user -M 1000@ stop -- web.service"]);
    facts.own_uid = Some(1000);
    assert_eq!(command(&facts), ["systemctl --user stop -- web.service"]);
}

#[test]
fn a_socket_unit_is_stopped_with_the_service_it_started() {
    let mut systemd = process(1, &["/sbin/init"]);
    systemd.uid = Some(0);
    let mut unit = system_unit("web.socket");
    unit.activates = Some("web.service".into());
    let mut facts = PlanFacts::new([systemd.clone()]);
    facts.sockets[0].service = Some(Box::new(unit.clone()));
    assert_eq!(commands(&facts.plan(Via::Service, false)), ["systemctl stop -- web.socket"]);

    let mut server = node(50);
    server.service = Some(system_unit("web.service"));
    let mut facts = PlanFacts::new([systemd, server]);
    facts.sockets[0].service = Some(unit.into());
    let plan = facts.plan(Via::Service, false);
    assert_eq!(commands(&plan), ["systemctl stop -- web.socket web.service"], "one command");
    // Signals end neither of them.
    assert!(matches!(facts.signal().refusals.as_slice(), [PlanRefusal::StandsFor { .. }]));

    // A user's service with the same name is another service.
    facts.sockets[0].holders[1].process.service = Some(user_unit("web.service", 1000));
    let stops = ["systemctl stop -- web.socket", "systemctl --user -M 1000@ stop -- web.service"];
    assert_eq!(commands(&facts.plan(Via::Service, false)), stops);
}

#[test]
fn a_rootless_container_is_stopped_by_its_owners_engine() {
    let mut server = node(50);
    server.container = Some(container("docker", "web"));
    let mut facts = PlanFacts::new([server]);
    assert_eq!(commands(&facts.plan(Via::Container, false)), ["docker stop web"], "whatever its uid is");
    facts.sockets[0].holders[0].process.container.as_mut().unwrap().uid = Some(1000);
    facts.engine_users.insert(1000, EngineUser { uid: 1000, name: "dev".into() });
    let expected = "docker --host=unix:///run/user/1000/docker.sock stop web";
    assert_eq!(commands(&facts.plan(Via::Container, false)), [expected]);
}
