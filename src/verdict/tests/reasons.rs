//! The reasons of verdicts.

use super::super::Orphan;
use super::*;
use crate::model::Process;

fn listening(address: &str) -> Listener {
    held_by(socket(address, None, State::Listen), "node")
}

fn reason(sockets: Vec<Listener>) -> VerdictReason {
    judge(observation(IN_USE, IN_USE, sockets)).reason
}

#[test]
fn listeners_of_one_address_share_it() {
    let held = |listener: &Listener, more| VerdictReason::Held { listener: Box::new(listener.clone()), more };
    let (one, other) = (listening("127.0.0.1"), listening("127.0.0.2"));
    assert_eq!(reason(vec![one.clone()]), held(&one, 0));
    let two = vec![one.clone(), one.clone()];
    assert_eq!(reason(two.clone()), VerdictReason::Shared(two));
    assert_eq!(reason(vec![one.clone(), other.clone()]), held(&one, 1), "of two addresses");
    let bound = held_by(socket("127.0.0.1", None, State::Bound), "node");
    assert_eq!(reason(vec![one.clone(), bound]), held(&one, 1), "only one listens");
    let three = vec![one.clone(), one.clone(), other];
    assert_eq!(reason(three), held(&one, 2));
}

#[test]
fn what_a_proxy_forwards_for() {
    let mut proxied = listening("0.0.0.0");
    let command = "docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 80 \
                   -container-ip 172.17.0.2 -container-port 8080";
    let process = &mut proxied.holders[0].process;
    let mut owned = Process::clone(process);
    owned.name = "docker-proxy".into();
    owned.command = Some(command.split_whitespace().map(Text::from).collect());
    *process = owned.into();
    assert_eq!(
        reason(vec![proxied.clone()]),
        VerdictReason::Proxied {
            listener: Box::new(proxied),
            purpose: Some(ProxyPurpose::ContainerPort),
            inside: Some("172.17.0.2:8080".parse().unwrap()),
        }
    );
}

/// The other end explains a connection that no process holds, and no other one.
#[test]
fn the_other_end_of_a_connection() {
    let connection = |peer: &str| {
        let mut listener = socket("10.0.0.1", None, State::FinWait2);
        listener.socket.peer = Some(peer.parse().unwrap());
        listener
    };
    let end = held_by(socket("10.0.0.1", None, State::Established), "curl");
    let orphan = Orphan {
        local: "10.0.0.1:80".parse().unwrap(),
        peer: "10.0.0.2:443".parse().unwrap(),
        state: State::FinWait2,
        timer: None,
        other_end: Some(end.clone()),
    };
    let other_end = |sockets: Vec<Listener>| {
        let orphans = vec![orphan.clone()];
        match judge(Observation { orphans, ..observation(IN_USE, IN_USE, sockets) }).reason {
            VerdictReason::Connection { other_end, .. } => other_end.map(|end| *end),
            reason => panic!("{reason:?}"),
        }
    };
    let orphaned = || connection("10.0.0.2:443");
    assert_eq!(other_end(vec![orphaned()]), Some(end));
    assert_eq!(other_end(vec![held_by(connection("10.0.0.2:444"), "node"), orphaned()]), None);
    let hidden = with_unseen_holder(connection("10.0.0.2:444"), crate::model::UnseenReason::Permission, None);
    assert_eq!(other_end(vec![hidden, orphaned()]), None);
}

#[test]
fn errors_that_nothing_explains() {
    let of = |os: System, kind, name: &'static str| {
        let refused = Some((kind, name));
        let limits = Limits::default();
        judge(Observation { os, limits, ..observation(refused, refused, vec![]) }).reason
    };
    assert_eq!(of(System::Linux, BindRefusalKind::InUse, "EADDRINUSE"), VerdictReason::Unseen);
    assert_eq!(of(System::Windows, BindRefusalKind::Denied, "WSAEACCES"), VerdictReason::Denied);
    assert_eq!(
        of(System::Linux, BindRefusalKind::Other, "EMFILE"),
        VerdictReason::NotAttempted { error: Some(("EMFILE".into(), "EMFILE".to_owned())) }
    );
}
