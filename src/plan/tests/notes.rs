//! Tests of the notes of a plan.

use super::*;
use crate::management::restart::RestarterKind;

#[test]
fn other_sockets_are_noted() {
    let mut facts = PlanFacts::new([node(50)]);
    let sockets = OtherSockets { first: vec![socket(Protocol::Udp, 53)], more: 3 };
    facts.others.insert(id(50), sockets.clone());
    let note = PlanNote::OtherSockets { process: node(50), sockets };
    assert!(facts.signal().notes.contains(&note));
}

#[test]
fn the_other_protocol_is_noted_if_a_process_outside_of_the_plan_has_it() {
    let is_left = |note: &PlanNote| matches!(note, PlanNote::OtherProtocol(_));
    let mut facts = PlanFacts::new([node(50)]);
    facts.other_protocol = vec![listener(Protocol::Udp, [node(50)])];
    assert!(!has_note(&facts.signal(), is_left), "it is ended");
    facts.other_protocol = vec![listener(Protocol::Udp, [node(51)])];
    assert!(has_note(&facts.signal(), is_left));
    facts.other_protocol = vec![listener(Protocol::Udp, [node(50), node(51)])];
    let names_51 = |note: &PlanNote| {
        matches!(note, PlanNote::OtherProtocol(listener)
            if listener.holders.iter().map(|holder| holder.process.id.pid).eq([51]))
    };
    assert!(has_note(&facts.signal(), names_51), "the remaining process is named");
    facts.other_protocol = vec![listener(Protocol::Udp, [])];
    assert!(has_note(&facts.signal(), is_left), "the holder is unknown");
}

#[test]
fn clients_are_noted_if_a_process_is_ended() {
    let mut facts = PlanFacts::new([node(50)]);
    facts.clients = vec![Connection {
        peer: "127.0.0.1:40000".parse().unwrap(),
        state: State::Established,
        clients: Vec::new(),
    }];
    let is_of_clients = |note: &PlanNote| matches!(note, PlanNote::Clients(_));
    assert!(has_note(&facts.signal(), is_of_clients));
    facts.sockets.clear();
    assert!(!has_note(&facts.signal(), is_of_clients));
}

#[test]
fn restarts_are_noted_unless_the_restarter_is_ended_too() {
    let mut facts = in_a_wrapper();
    let by = RestartCause::Process { kind: RestarterKind::ShellLoop, id: id(62), name: "sh".into() };
    let restart = Restart { by, delay: None, certain: true };
    let unit = Restart {
        by: RestartCause::Unit(system_unit("web.service")),
        delay: Some(Duration::from_secs(5)),
        certain: true,
    };
    facts.restarts.insert(63, vec![restart.clone(), unit.clone(), restart.clone()]);
    assert_eq!(facts.signal().restarts, [restart, unit.clone()]);
    assert_eq!(facts.tree().restarts, std::slice::from_ref(&unit), "the loop ends with the tree");
    assert!(facts.tree().notes.contains(&PlanNote::Restarts(unit)));
}

#[test]
fn forwarding_is_noted() {
    let mut facts = PlanFacts::new([]);
    facts.sockets.clear();
    let mut forwarded = listener(Protocol::Tcp, []);
    forwarded.container = Some(Box::new(container("docker", "web")));
    facts.forwarding = Forwarding::Forwarded(vec![forwarded]);
    let command = ["docker", "stop", "web"].map(Text::from).to_vec();
    let has_command = |note: &PlanNote| matches!(note, PlanNote::Forwarded { command: Some(named), .. } if *named == command);
    assert!(has_note(&facts.signal(), has_command));
    let gap = Gap {
        what: GapKind::Forwarding,
        reason: GapReason::Permission,
        count: 1,
        detail: GapDetail::Text("x".into()),
        help: None,
    };
    facts.forwarding = Forwarding::Unknown(gap.clone());
    assert!(facts.signal().notes.contains(&PlanNote::ForwardingUnknown(gap)));
}

#[test]
fn other_sockets_of_workers_are_noted_once() {
    let mut facts = PlanFacts::new([node(50), node(51)]);
    let sockets = OtherSockets { first: vec![socket(Protocol::Udp, 53)], more: 0 };
    facts.others.insert(id(50), sockets.clone());
    facts.others.insert(id(51), sockets.clone());
    let noted = |facts: &PlanFacts| {
        let plan = facts.signal();
        plan.notes.iter().filter(|note| matches!(note, PlanNote::OtherSockets { .. })).count()
    };
    assert_eq!(noted(&facts), 1);
    facts.others.insert(id(51), OtherSockets { more: 1, ..sockets });
    assert_eq!(noted(&facts), 2);
}

#[test]
fn virtual_machines_and_halted_processes_are_noted() {
    let is_machine = |name: &str, executable: Option<&str>| {
        let mut process = node(50);
        process.name = name.into();
        process.executable = executable.map(Text::from);
        has_note(&PlanFacts::new([process]).signal(), |note| matches!(note, PlanNote::VirtualMachine(_)))
    };
    for (name, executable) in [
        ("qemu-system-x86", Some("/usr/bin/qemu-system-x86_64")),
        ("CPU 0/KVM", Some("/usr/libexec/qemu-kvm")),
        ("firecracker", None),
    ] {
        assert!(is_machine(name, executable), "{name}");
    }
    assert!(!is_machine("qemu-img", None) && !is_machine("firecracker", Some("/usr/bin/node")));

    let mut stopped = node(50);
    stopped.condition = Some(Condition::Stopped { shell: None });
    stopped.service = Some(system_unit("web.service"));
    let facts = PlanFacts::new([stopped.clone()]);
    let note = PlanNote::Halted(stopped);
    assert!(facts.signal().notes.contains(&note));
    assert!(!facts.plan(Via::Service, false).notes.contains(&note), "no signal is sent");
    assert!(!has_note(&PlanFacts::new([node(50)]).signal(), |note| matches!(note, PlanNote::Halted(_))));
}

#[test]
fn children_that_go_on_are_noted() {
    let children = |facts: &PlanFacts| {
        facts.signal().notes.into_iter().find_map(|note| match note {
            PlanNote::Children { children, tree, .. } => {
                Some((children.into_iter().map(|it| (it.pid, it.name)).collect::<Vec<_>>(), tree))
            }
            _ => None,
        })
    };
    let mut facts = PlanFacts::new([node(50)]);
    assert_eq!(children(&facts), None);
    facts.entries.push(ProcessEntry { zombie: true, ..entry(51, 50, 50, 50) });
    assert_eq!(children(&facts), None, "it has ended");
    facts.entries.push(entry(52, 50, 50, 50));
    facts.add(process(53, &["esbuild"]), 52, 50, 50);
    let both = vec![(52, Text::from("x")), (53, Text::from("esbuild"))];
    assert_eq!(children(&facts), Some((both.clone(), true)));
    // What is known about 53 is about an earlier process.
    facts.entries.retain(|entry| entry.id.pid != 53);
    facts.entries.push(ProcessEntry { id: ProcessId { pid: 53, start: Some(99) }, ..entry(53, 52, 50, 50) });
    let renamed = vec![(52, Text::from("x")), (53, Text::from("x"))];
    assert_eq!(children(&facts), Some((renamed, true)));
    // A tree with a process that stands for others is refused.
    facts.add(process(54, &["sshd: dev@pts/0"]), 52, 50, 50);
    assert!(matches!(children(&facts), Some((_, false))));
}

#[test]
fn a_wrapper_that_started_allears_too_is_not_noted() {
    let mut facts = in_a_wrapper();
    facts.lineage = vec![OWN, 61, 60, 1];
    let wrapper = facts.signal().notes.into_iter().find_map(|note| match note {
        PlanNote::Wrapper { wrapper, .. } => Some(wrapper.pid),
        _ => None,
    });
    assert_eq!(wrapper, Some(62));
    facts.lineage = vec![OWN, 62, 61, 60, 1];
    assert!(!has_note(&facts.signal(), |note| matches!(note, PlanNote::Wrapper { .. })));
}

#[test]
fn a_manager_is_noted_with_what_it_does_after_a_signal() {
    let managed = |facts: &PlanFacts| {
        facts.signal().notes.into_iter().find_map(|note| match note {
            PlanNote::Managed { command, restarts, runs, .. } => Some((command.is_some(), restarts, runs)),
            _ => None,
        })
    };
    let restart = |by, certain| Restart { by, delay: None, certain };
    let with = |facts: &mut PlanFacts, restarts: Vec<Restart>| facts.restarts = [(50, restarts)].into();
    let unit = || RestartCause::Unit(system_unit("web.service"));
    let mut server = node(50);
    server.service = Some(system_unit("web.service"));
    let mut facts = PlanFacts::new([server.clone()]);
    assert_eq!(managed(&facts), Some((true, None, true)));
    facts.stays_down.insert(50);
    assert_eq!(managed(&facts), Some((true, Some(false), true)));
    with(&mut facts, vec![restart(unit(), true)]);
    assert_eq!(managed(&facts), Some((true, Some(true), true)));
    with(&mut facts, vec![restart(unit(), false)]);
    assert_eq!(managed(&facts), Some((true, None, true)));
    // What restarts it is not this manager.
    let engine = || RestartCause::Engine(container("docker", "web"));
    with(&mut facts, vec![restart(engine(), true)]);
    assert_eq!(managed(&facts), Some((true, Some(false), true)));

    let mut contained = node(50);
    contained.container = Some(container("docker", "web"));
    let mut facts = PlanFacts::new([contained]);
    facts.stays_down.insert(50);
    assert_eq!(managed(&facts), Some((true, None, true)), "only a unit is known to stay down");
    with(&mut facts, vec![restart(engine(), true)]);
    assert_eq!(managed(&facts), Some((true, Some(true), true)));

    let process = |kind| RestartCause::Process { kind, id: id(60), name: "x".into() };
    let mut facts = PlanFacts::new([node(50)]);
    facts.supervisors.insert(50, supervisor());
    with(&mut facts, vec![restart(process(RestarterKind::Runit), true)]);
    assert_eq!(managed(&facts), Some((true, None, true)));
    with(&mut facts, vec![restart(process(RestarterKind::Supervisord), true)]);
    assert_eq!(managed(&facts), Some((true, Some(true), true)));

    server.condition = Some(Condition::Frozen(crate::model::Freezer {
        version: 2,
        cgroup: "/system.slice/web.service".into(),
        control: None,
        scope: None,
    }));
    let facts = PlanFacts::new([server.clone()]);
    assert_eq!(managed(&facts), Some((false, None, false)), "systemd stops no frozen service");
    assert_eq!(facts.plan(Via::Service, false).refusals, [PlanRefusal::Frozen(server)]);
    assert!(!has_note(&PlanFacts::new([node(50)]).signal(), |note| matches!(note, PlanNote::Managed { .. })));
}

#[test]
fn workers_of_one_manager_are_noted_once() {
    let server = |pid| {
        let mut server = node(pid);
        server.service = Some(system_unit("web.service"));
        server
    };
    let plan = PlanFacts::new([server(50), server(51)]).signal();
    assert_eq!(plan.notes.len(), 1, "{:?}", plan.notes);
}

#[test]
fn an_answer_without_a_socket_is_noted() {
    let mut facts = PlanFacts::new([]);
    facts.sockets.clear();
    assert_eq!(facts.signal().notes, []);
    let address = "127.0.0.1:3000".parse().unwrap();
    facts.forwarding = Forwarding::Answered(address);
    assert_eq!(facts.signal().notes, [PlanNote::Answered(address)]);
}

#[test]
fn the_first_listener_of_the_other_protocol_is_noted() {
    let noted = |facts: &PlanFacts| {
        facts.signal().notes.iter().filter(|note| matches!(note, PlanNote::OtherProtocol(_))).count()
    };
    let mut facts = PlanFacts::new([node(50)]);
    facts.other_protocol = vec![listener(Protocol::Udp, [node(51)]), listener(Protocol::Udp, [node(52)])];
    assert_eq!(noted(&facts), 1);
    let mut partly = listener(Protocol::Udp, [node(50)]);
    facts.other_protocol = vec![partly.clone()];
    assert_eq!(noted(&facts), 0);
    partly.unseen = Some(
        Unseen { reason: UnseenReason::Permission, help: None, candidates: Vec::new(), kernel: Vec::new() }
            .into(),
    );
    facts.other_protocol = vec![partly];
    assert_eq!(noted(&facts), 1, "another holder may be unseen");
}
