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
    forwarded.container = Some(container("docker", "web"));
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
