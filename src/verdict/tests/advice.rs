//! The advice of verdicts, by their kind.

use super::*;
use crate::model::Container;

const NOT_LOCAL: Option<(BindRefusalKind, &str)> = Some((BindRefusalKind::NotLocal, "EADDRNOTAVAIL"));

fn on(os: System, observation: Observation) -> Vec<Advice> {
    judge(Observation { os, ..observation }).advice
}

#[test]
fn privileged_ports() {
    let denied = || observation(DENIED, DENIED, vec![]);
    let linux = on(System::Linux, denied());
    assert_eq!(linux[..2], [Advice::GrantCapability, Advice::UseSocketUnit { port: 80 }]);
    assert_eq!(on(System::Macos, denied()), [Advice::BindAsRoot]);
}

#[test]
fn ports_that_an_unknown_socket_has() {
    let in_use = || observation(IN_USE, IN_USE, vec![]);
    let wait = Advice::WaitUntilFree { target: bind_target(None) };
    assert_eq!(on(System::Linux, in_use()), [Advice::FindBoundSocket, wait]);
    assert_eq!(on(System::Macos, in_use()), []);
    // A reserved port that can be bound needs no advice, and neither does a free one.
    let mut reserved = observation(None, None, vec![]);
    reserved.limits.reserved = vec![80..=80];
    reserved.limits.excluded =
        vec![ExcludedRange { ports: 70..=90, family: crate::model::Family::Ipv4, administered: true }];
    assert_eq!(on(System::Linux, reserved), []);
}

#[test]
fn forwarded_ports() {
    let answered = |uid| {
        let answered = Some("127.0.0.1:80".parse().unwrap());
        Observation { answered, uid: Some(uid), ..observation(None, None, vec![]) }
    };
    let read = Advice::ReadForwardingRules { target: bind_target(None) };
    let all = [Advice::FindForwarding, read.clone(), Advice::ListForwardingRules];
    assert_eq!(on(System::Linux, answered(1000)), all);
    assert_eq!(on(System::Linux, answered(0)), [Advice::FindForwarding, Advice::ListForwardingRules]);
    assert_eq!(on(System::Macos, answered(1000)), [Advice::FindForwarding, read]);
    let rule = || socket("192.0.2.1", None, State::Forwarded);
    let by_rule = Observation { forwarded: vec![rule()], ..observation(None, None, vec![]) };
    assert_eq!(on(System::Linux, by_rule), [Advice::ConnectionsBypass]);
    let proxied = held_by(socket("0.0.0.0", None, State::Listen), "docker-proxy");
    let advice = on(System::Linux, observation(IN_USE, IN_USE, vec![proxied]));
    assert!(!advice.contains(&Advice::ConnectionsBypass), "{advice:?}");
}

#[test]
fn addresses_that_cannot_be_bound() {
    let of = |usability| {
        let mut foreign = observation(NOT_LOCAL, NOT_LOCAL, vec![]);
        foreign.target = bind_target(Some("fd00::1"));
        foreign.attempts.iter_mut().for_each(|attempt| attempt.address = "fd00::1".parse().unwrap());
        let address = "fd00::1".parse().unwrap();
        foreign.local = Some(vec![LocalAddress { address, interface: "e".into(), usability }]);
        on(System::Linux, foreign)
    };
    let target = bind_target(Some("fd00::1"));
    assert_eq!(of(Usability::Tentative), [Advice::WaitForAddress { target }]);
    assert_eq!(of(Usability::Duplicate), [Advice::FindDuplicateAddress, Advice::AddAddressAgain]);
    assert_eq!(of(Usability::Usable), [Advice::UseLocalAddress]);
}

#[test]
fn ports_that_connections_have() {
    let lingering = || vec![socket("127.0.0.1", None, State::TimeWait)];
    let wait = |alternative| Advice::WaitForTimeWait { target: bind_target(None), left: None, alternative };
    let alone = on(System::Linux, observation(IN_USE, IN_USE, lingering()));
    assert_eq!(alone, [wait(false)]);
    let reusable = on(System::Linux, observation(None, IN_USE, lingering()));
    assert_eq!(reusable, [Advice::SetReuseAddress, wait(true)]);
    let mut connection = socket("127.0.0.1", None, State::Established);
    connection.socket.peer = Some("127.0.0.1:5".parse().unwrap());
    let connected = || vec![connection.clone()];
    let reusable = on(System::Linux, observation(None, IN_USE, connected()));
    assert_eq!(reusable, [Advice::SetReuseAddress, Advice::EndConnection]);
    let alone = on(System::Linux, observation(IN_USE, IN_USE, connected()));
    assert_eq!(alone, [Advice::EndConnectionOrWait { target: bind_target(None) }]);
}

#[test]
fn what_forwards_connections() {
    let kind = |listener: Listener| judge(observation(IN_USE, IN_USE, vec![listener])).kind;
    let container = || Container {
        runtime: "docker".into(),
        id: "4f1d".into(),
        uid: None,
        name: None,
        image: None,
        port: Some(80),
        compose: None,
    };
    let listening = |name: &str| held_by(socket("0.0.0.0", None, State::Listen), name);
    for name in ["docker-proxy", "wslrelay.exe", "Pasta", "rootlessport"] {
        assert_eq!(kind(listening(name)), VerdictKind::Forwarded, "{name}");
    }
    assert_eq!(kind(listening("dockerd")), VerdictKind::Listening, "its own port");
    let of_container = |name: &str| {
        let mut listener = listening(name);
        listener.container = Some(Box::new(container()));
        listener
    };
    assert_eq!(kind(of_container("dockerd")), VerdictKind::Forwarded);
    assert_eq!(kind(of_container("node")), VerdictKind::Listening);
}
