//! The facts of verdicts.

use std::time::Duration;

use super::super::Orphan;
use super::*;
use crate::bind_attempt::BindTarget;
use crate::model::{Condition, Connection, Socket};
use crate::os::TcpTimer;

pub(super) fn listening(address: &str) -> Listener {
    held_by(socket(address, None, State::Listen), "node")
}

pub(super) fn on_udp(mut observation: Observation) -> Observation {
    observation.target.protocol = Protocol::Udp;
    for listener in &mut observation.sockets {
        listener.socket.protocol = Protocol::Udp;
    }
    observation
}

pub(super) fn with_inode(mut listener: Listener, inode: u64) -> Listener {
    listener.socket.inode = Some(inode);
    listener
}

#[test]
fn attempts_are_grouped_by_their_error() {
    let mut observation = observation(IN_USE, IN_USE, vec![]);
    let refused = observation.attempts[0].refused.clone();
    let attempt = |address: &str, refused: Option<BindRefusal>| Attempt {
        address: address.parse().unwrap(),
        v6only: false,
        options: BindOptions::ReuseAddress,
        refused,
    };
    let lacks =
        BindRefusal { kind: BindRefusalKind::NoFamily, name: "EAFNOSUPPORT".into(), message: String::new() };
    observation.attempts.extend([
        attempt("::1", Some(lacks)),
        attempt("127.0.0.1", None),
        attempt("127.0.0.2", refused.clone()),
    ]);
    let address = |text: &str| (text.parse().unwrap(), false);
    let results = vec![
        BindResult {
            addresses: vec![address("0.0.0.0"), address("127.0.0.2")],
            error: refused.map(|it| it.name),
        },
        BindResult { addresses: vec![address("127.0.0.1")], error: None },
    ];
    assert_eq!(judge(observation.clone()).facts[0], Fact::BindAttempts { reuse_address: true, results });
    observation.decisive = BindOptions::Plain;
    let facts = judge(observation).facts;
    assert!(matches!(facts[0], Fact::BindAttempts { reuse_address: false, .. }), "{facts:?}");
}

#[test]
fn a_conflict_says_what_the_socket_does() {
    let usage = |observation: Observation| {
        let facts = judge(observation).facts;
        facts.into_iter().find_map(|fact| match fact {
            Fact::Conflict { usage, .. } => Some(usage),
            _ => None,
        })
    };
    let of = |state| observation(IN_USE, IN_USE, vec![with_inode(socket("127.0.0.1", None, state), 7)]);
    assert_eq!(usage(of(State::Listen)), Some(PortUsage::Listens));
    assert_eq!(usage(of(State::Established)), Some(PortUsage::Connected));
    assert_eq!(usage(of(State::TimeWait)), None);
    assert_eq!(usage(on_udp(of(State::Bound))), Some(PortUsage::Receives));
    assert_eq!(usage(of(State::Bound)), Some(PortUsage::Bound(None)));
    for (queue, history) in [
        (0, BoundHistory::OnlyBound),
        (2, BoundHistory::ShutDown),
        (62, BoundHistory::ShutDown),
        (64, BoundHistory::Connected),
        (3, BoundHistory::Connected),
        (65_538, BoundHistory::Connected),
    ] {
        let observation = Observation { write_queues: [(7, queue)].into(), ..of(State::Bound) };
        assert_eq!(usage(observation.clone()), Some(PortUsage::Bound(Some(history))), "{queue}");
        let was_open = judge(observation).advice.contains(&Advice::CloseSocket);
        assert_eq!(was_open, history != BoundHistory::OnlyBound, "{queue}");
    }
}

#[test]
fn listeners_that_no_process_answers() {
    let stopped = |mut listener: Listener, pid: u32| {
        listener.holders[0].process.id.pid = pid;
        listener.holders[0].process.condition = Some(Condition::Stopped { shell: None });
        listener
    };
    let suspended = |sockets: Vec<Listener>| -> Vec<(u32, bool)> {
        let facts = judge(observation(IN_USE, IN_USE, sockets)).facts;
        let process = |fact| match fact {
            Fact::Suspended { process, unanswered } => Some((process.id.pid, unanswered)),
            _ => None,
        };
        facts.into_iter().filter_map(process).collect()
    };
    assert_eq!(suspended(vec![stopped(listening("127.0.0.1"), 5)]), [(5, true)]);
    assert!(suspended(vec![listening("127.0.0.1")]).is_empty());
    let unseen =
        with_unseen_holder(stopped(listening("127.0.0.1"), 5), crate::model::UnseenReason::Permission, None);
    assert_eq!(suspended(vec![unseen]), [(5, false)], "another holder may answer");
    let bound = held_by(socket("127.0.0.1", None, State::Bound), "node");
    assert_eq!(suspended(vec![stopped(bound, 5)]), [(5, false)], "nobody connects to it");
    let many = (1..=9).map(|pid| stopped(listening("127.0.0.1"), pid)).collect();
    assert_eq!(suspended(many).len(), 8);
}

#[test]
fn options_that_help_and_do_not_help() {
    let facts = |observation| judge(observation).facts;
    let lingering = || vec![socket("127.0.0.1", None, State::TimeWait)];
    let connected = || {
        let mut connection = socket("127.0.0.1", None, State::Established);
        connection.socket.peer = Some("127.0.0.1:5".parse().unwrap());
        vec![connection]
    };
    let no_help = |connection| Fact::ReuseAddressDoesNotHelp { connection };
    assert!(facts(observation(None, IN_USE, lingering())).contains(&Fact::ReuseAddressHelps));
    assert!(facts(observation(IN_USE, IN_USE, lingering())).contains(&no_help(false)));
    assert!(facts(observation(IN_USE, IN_USE, connected())).contains(&no_help(true)));
    assert!(facts(observation(None, IN_USE, connected())).contains(&Fact::ReuseAddressHelps));
    let free = facts(observation(None, None, vec![]));
    let held = facts(observation(IN_USE, IN_USE, vec![listening("127.0.0.1")]));
    for facts in [free, held] {
        let is = |fact: &Fact| matches!(fact, Fact::ReuseAddressHelps | Fact::ReuseAddressDoesNotHelp { .. });
        assert!(!facts.iter().any(is), "{facts:?}");
    }
    let plain = Observation { decisive: BindOptions::Plain, ..observation(IN_USE, IN_USE, connected()) };
    assert!(!facts(plain).contains(&no_help(true)));
    let mut plain = observation(None, None, connected());
    plain.decisive = BindOptions::Plain;
    assert!(!facts(plain).contains(&Fact::ReuseAddressHelps));
}

#[test]
fn a_port_from_the_ephemeral_range_and_a_reserved_one() {
    let mut connection = socket("10.0.0.1", None, State::Established);
    connection.socket.peer = Some("10.0.0.2:443".parse().unwrap());
    let mut used = observation(IN_USE, IN_USE, vec![connection]);
    used.limits.ephemeral = Some(80..=90);
    used.limits.reserved = vec![70..=79];
    let verdict = judge(used.clone());
    assert!(verdict.facts.contains(&Fact::Ephemeral { port: 80, range: 80..=90 }), "{:?}", verdict.facts);
    assert!(!verdict.facts.contains(&Fact::LocallyReserved));
    assert_eq!(verdict.advice.last(), Some(&Advice::ReservePorts(vec![70..=79, 80..=80])));
    let elsewhere = judge(Observation { os: System::Macos, ..used.clone() });
    assert!(!elsewhere.advice.iter().any(|one| matches!(one, Advice::ReservePorts(_))));
    used.limits.ephemeral = Some(81..=90);
    used.limits.reserved = vec![80..=80];
    let verdict = judge(used);
    assert!(!verdict.facts.iter().any(|fact| matches!(fact, Fact::Ephemeral { .. })));
    assert!(verdict.facts.contains(&Fact::LocallyReserved));
    let mut listener = observation(IN_USE, IN_USE, vec![listening("10.0.0.1")]);
    listener.limits.ephemeral = Some(80..=90);
    let facts = judge(listener).facts;
    assert!(!facts.iter().any(|fact| matches!(fact, Fact::Ephemeral { .. })), "a server has it: {facts:?}");
}

#[test]
fn a_port_that_is_denied_and_in_use_too() {
    let denied = || observation(DENIED, DENIED, vec![listening("127.0.0.1")]);
    let also = Fact::AlsoInUse(Box::new(listening("127.0.0.1")));
    let verdict = judge(denied());
    assert!(verdict.facts.contains(&also), "{:?}", verdict.facts);
    assert!(!verdict.facts.contains(&Fact::ExclusiveUse), "Windows alone has it");
    let nothing = judge(observation(DENIED, DENIED, vec![]));
    assert!(!nothing.facts.iter().any(|fact| matches!(fact, Fact::AlsoInUse(_))));
    let in_use = judge(observation(IN_USE, IN_USE, vec![listening("127.0.0.1")]));
    assert!(!in_use.facts.contains(&also));
    let windows = |lenient, sockets| {
        let limits = Limits::default();
        judge(Observation { os: System::Windows, limits, ..observation(lenient, lenient, sockets) }).facts
    };
    assert!(windows(DENIED, vec![listening("127.0.0.1")]).contains(&Fact::ExclusiveUse));
    assert!(!windows(IN_USE, vec![listening("127.0.0.1")]).contains(&Fact::ExclusiveUse));
    assert!(!windows(DENIED, vec![]).contains(&Fact::ExclusiveUse));
}

#[test]
fn what_is_not_in_the_way() {
    let mut asked = observation(IN_USE, IN_USE, vec![listening("127.0.0.1")]);
    asked.target = bind_target(Some("127.0.0.1"));
    asked.sockets.extend((2..8).map(|last| listening(&format!("127.0.0.{last}"))));
    asked.sockets.push(socket("127.0.0.9", None, State::Bound));
    let mut rule = socket("192.0.2.1", None, State::Forwarded);
    rule.note = Some(Box::new(Note::Other("forwarded".into())));
    asked.forwarded = vec![rule.clone()];
    let other = on_udp(observation(None, None, vec![socket("0.0.0.0", None, State::Bound)])).sockets;
    asked.other_protocol = other.clone();
    let client =
        Connection { peer: "127.0.0.1:5".parse().unwrap(), state: State::Established, clients: Vec::new() };
    asked.clients = vec![client.clone()];
    let facts = judge(asked.clone()).facts;
    let elsewhere: Vec<_> = facts.iter().filter(|fact| matches!(fact, Fact::NotInTheWay(_))).collect();
    let wanted: Vec<Fact> =
        (2..6).map(|last| Fact::NotInTheWay(Box::new(listening(&format!("127.0.0.{last}"))))).collect();
    assert_eq!(elsewhere, wanted.iter().collect::<Vec<_>>());
    assert!(facts.contains(&Fact::ForwardedFromOutside(Box::new(rule.clone()))));
    assert!(facts.contains(&Fact::Clients(vec![client])));
    let target = asked.target.clone();
    assert!(facts.contains(&Fact::OtherProtocol { target, listener: Box::new(other[0].clone()) }));
    // A rule that is in the way is no further fact, and a port without listeners has no clients.
    let forwarded = judge(Observation { sockets: Vec::new(), ..asked.clone() });
    assert_eq!(forwarded.kind, VerdictKind::Unknown, "no rule concerns 127.0.0.1");
    assert!(!forwarded.facts.iter().any(|fact| matches!(fact, Fact::Clients(_))));
    let wildcard = observation(None, None, vec![]);
    let forwarded = judge(Observation { forwarded: vec![rule.clone()], ..wildcard });
    assert_eq!(forwarded.kind, VerdictKind::Forwarded);
    assert!(!forwarded.facts.contains(&Fact::ForwardedFromOutside(Box::new(rule))));
}

#[test]
fn answers_elsewhere_count_only_if_the_port_is_forwarded() {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let reached = vec![
        (address("192.0.2.1:80"), ProbeOutcome::Accepts),
        (address("127.0.0.1:80"), ProbeOutcome::Refuses),
    ];
    let is = |observation| judge(observation).facts.iter().any(|fact| matches!(fact, Fact::Answered { .. }));
    let forwarded = Observation {
        answered: Some(address("192.0.2.1:80")),
        reached: reached.clone(),
        ..observation(None, None, vec![])
    };
    assert!(is(forwarded.clone()));
    assert!(!is(Observation { answered: None, ..forwarded.clone() }), "{:?}", reached);
    assert!(!is(Observation { reached: reached[1..].to_vec(), ..forwarded }));
}

#[test]
fn the_nearest_addresses_have_the_longest_common_prefix() {
    let local_of = |address: &str| LocalAddress {
        address: address.parse().unwrap(),
        interface: "e".into(),
        usability: Usability::Usable,
    };
    let nearest = |asked: &str, local: Vec<LocalAddress>| {
        let refused = Some((BindRefusalKind::NotLocal, "EADDRNOTAVAIL"));
        let mut foreign = observation(refused, refused, vec![]);
        foreign.target = bind_target(Some(asked));
        foreign.attempts.truncate(1);
        foreign.attempts[0].address = asked.parse().unwrap();
        foreign.local = Some(local);
        let facts = judge(foreign).facts;
        facts.into_iter().find_map(|fact| match fact {
            Fact::NearestAddresses { family, addresses } => Some((
                family,
                addresses.into_iter().map(|(address, _)| address.to_string()).collect::<Vec<_>>(),
            )),
            _ => None,
        })
    };
    let addresses = ["127.0.0.1", "fd00::1", "fd00:1::9", "::1", "2001:db8::1", "fd00:1:0:8000::1"];
    let local: Vec<LocalAddress> = addresses.map(local_of).to_vec();
    let (family, found) = nearest("fd00:1::1", local.clone()).unwrap();
    assert_eq!(family, crate::model::Family::Ipv6);
    assert_eq!(found, ["fd00:1::9", "fd00:1:0:8000::1", "fd00::1"]);
    let (family, found) = nearest("127.0.0.9", local).unwrap();
    assert_eq!((family, found), (crate::model::Family::Ipv4, vec!["127.0.0.1".to_owned()]));
    let addresses = ["10.0.0.1", "172.16.0.1", "192.168.0.1", "192.168.9.1"];
    let (_, found) = nearest("192.168.0.7", addresses.map(local_of).to_vec()).unwrap();
    assert_eq!(found, ["192.168.0.1", "192.168.9.1", "172.16.0.1"]);
}

fn connection(local: &str, peer: &str, state: State) -> Listener {
    let mut listener = socket(local, None, state);
    listener.socket.peer = Some(peer.parse().unwrap());
    listener
}

fn orphan(peer: &str, state: State, timer: Option<(TcpTimer, u64)>) -> Orphan {
    Orphan {
        local: "10.0.0.1:80".parse().unwrap(),
        peer: peer.parse().unwrap(),
        state,
        timer: timer.map(|(timer, seconds)| (timer, Duration::from_secs(seconds))),
        other_end: None,
    }
}

/// A verdict for connections that are in the way and that no process holds.
fn of_orphans(orphans: Vec<Orphan>) -> Verdict {
    let sockets =
        orphans.iter().map(|orphan| connection("10.0.0.1", &orphan.peer.to_string(), orphan.state)).collect();
    let fin_timeout = Some(Duration::from_secs(60));
    judge(Observation { orphans, fin_timeout, ..observation(IN_USE, IN_USE, sockets) })
}

/// How long the kernel keeps a connection follows from its state and its timer (tcp_close() and tcp_time_wait() in
/// net/ipv4/tcp.c).
#[test]
fn connections_that_no_process_holds() {
    let peer = "10.0.0.2:443";
    let left = |orphans: Vec<Orphan>| {
        of_orphans(orphans).facts.into_iter().find_map(|fact| match fact {
            Fact::OrphanedConnection(found) => {
                Some((found.unsent, found.left.map(|left| left.as_secs()), found.limit.is_some()))
            }
            _ => None,
        })
    };
    let one = |state, timer| left(vec![orphan(peer, state, timer)]);
    assert_eq!(one(State::FinWait2, Some((TcpTimer::End, 40))), Some((false, Some(40), true)));
    assert_eq!(one(State::FinWait2, Some((TcpTimer::KeepAlive, 40))), Some((false, Some(100), true)));
    assert_eq!(one(State::FinWait2, Some((TcpTimer::Probe, 40))), Some((false, None, true)));
    assert_eq!(one(State::FinWait1, Some((TcpTimer::Probe, 40))), Some((true, Some(40), false)));
    assert_eq!(one(State::FinWait1, Some((TcpTimer::Retransmission, 4))), Some((false, Some(4), false)));
    assert_eq!(one(State::LastAck, Some((TcpTimer::Probe, 4))), Some((false, Some(4), false)));
    assert_eq!(one(State::LastAck, Some((TcpTimer::KeepAlive, 4))), Some((false, None, false)));
    // The longest time of those in the state of the first.
    let several = vec![
        orphan(peer, State::LastAck, Some((TcpTimer::Retransmission, 4))),
        orphan("10.0.0.2:444", State::LastAck, Some((TcpTimer::Retransmission, 9))),
        orphan("10.0.0.2:445", State::FinWait2, Some((TcpTimer::Retransmission, 70))),
    ];
    assert_eq!(left(several), Some((false, Some(9), false)));
    // The retransmission of another connection does not end a probe.
    let probed = vec![
        orphan(peer, State::FinWait1, Some((TcpTimer::Probe, 4))),
        orphan("10.0.0.2:444", State::FinWait1, Some((TcpTimer::Retransmission, 9))),
    ];
    assert_eq!(left(probed), Some((true, Some(4), false)));
    for (state, follows) in
        [(State::FinWait1, true), (State::FinWait2, true), (State::Closing, true), (State::LastAck, false)]
    {
        let facts = of_orphans(vec![orphan(peer, state, None)]).facts;
        let up_to = Duration::from_secs(60);
        assert_eq!(facts.contains(&Fact::TimeWaitMayFollow { up_to }), follows, "{state:?}");
    }
}

#[test]
fn other_ends_of_connections() {
    let client = held_by(connection("10.0.0.1", "10.0.0.1:80", State::Established), "curl");
    let other_end = Some(client.clone());
    let orphans = vec![
        Orphan { other_end: other_end.clone(), ..orphan("10.0.0.1:5", State::FinWait2, None) },
        Orphan { other_end, ..orphan("10.0.0.1:6", State::FinWait2, None) },
        orphan("127.0.0.1:7", State::FinWait2, None),
        orphan("10.0.0.2:8", State::FinWait2, None),
    ];
    let sockets: Vec<Listener> =
        orphans.iter().map(|orphan| connection("10.0.0.1", &orphan.peer.to_string(), orphan.state)).collect();
    let local = LocalAddress {
        address: "10.0.0.1".parse().unwrap(),
        interface: "e".into(),
        usability: Usability::Usable,
    };
    let observed = Observation { orphans, local: Some(vec![local]), ..observation(IN_USE, IN_USE, sockets) };
    let verdict = judge(observed.clone());
    let ends = verdict.facts.iter().find_map(|fact| match fact {
        Fact::OtherEnds { connections, ends } => Some((connections, ends)),
        _ => None,
    });
    let (connections, ends) = ends.unwrap();
    assert_eq!(*connections, 4);
    let local: Vec<bool> = ends.iter().map(|end| end.local).collect();
    assert_eq!(local, [true, true, true, false]);
    // One process at two ends is closed once.
    let target = bind_target(None);
    let wait = Advice::WaitForKernel { target: target.clone(), alternative: true };
    assert_eq!(verdict.advice, [Advice::CloseOtherEnds(vec![client]), wait]);
    assert_eq!(verdict.other_ends.len(), 2);
    // A connection of another address or port, or to another peer, is not this orphan.
    for (local, peer) in
        [("10.0.0.9:80", "10.0.0.1:5"), ("10.0.0.1:81", "10.0.0.1:5"), ("10.0.0.1:80", "10.0.0.1:9")]
    {
        let mut another = orphan(peer, State::FinWait2, None);
        another.local = local.parse().unwrap();
        let verdict = judge(Observation { orphans: vec![another], ..observed.clone() });
        assert!(
            !verdict.facts.iter().any(|fact| matches!(fact, Fact::OrphanedConnection(_))),
            "{local} {peer}"
        );
        assert_eq!(verdict.advice, [Advice::EndConnectionOrWait { target: target.clone() }]);
    }
}

#[test]
fn a_connection_that_was_bound_to_a_wildcard() {
    // Its address does not overlap, but nothing else explains the refusal.
    let mut asked =
        observation(IN_USE, IN_USE, vec![connection("10.0.0.1", "10.0.0.2:443", State::Established)]);
    asked.target = bind_target(Some("127.0.0.1"));
    assert_eq!(judge(asked.clone()).kind, VerdictKind::Connection);
    let change = |change: &dyn Fn(&mut Socket)| {
        let mut asked = asked.clone();
        change(&mut asked.sockets[0].socket);
        judge(asked).kind
    };
    assert_eq!(change(&|socket| socket.peer = None), VerdictKind::Unknown);
    assert_eq!(change(&|socket| socket.protocol = Protocol::Udp), VerdictKind::Unknown);
    let other_port = Endpoint::Ip { address: "10.0.0.1".parse().unwrap(), port: 81, interface: None };
    assert_eq!(change(&|socket| socket.endpoint = other_port.clone()), VerdictKind::Unknown);
    asked.sockets.push(listening("127.0.0.1"));
    let verdict = judge(asked);
    assert_eq!((verdict.kind, verdict.standing_in_the_way.len()), (VerdictKind::Listening, 1));
}

#[test]
fn udp_sockets_that_receive_nothing_have_the_port_too() {
    let closed = on_udp(observation(IN_USE, IN_USE, vec![socket("127.0.0.1", None, State::Closed)]));
    assert_eq!(judge(closed).kind, VerdictKind::Bound);
    let closed = observation(IN_USE, IN_USE, vec![socket("127.0.0.1", None, State::Closed)]);
    assert_eq!(judge(closed).kind, VerdictKind::Connection);
}

#[test]
fn a_target_is_the_port_that_was_asked_for() {
    let udp = BindTarget { protocol: Protocol::Udp, ..bind_target(None) };
    let verdict = judge(Observation { target: udp.clone(), ..observation(None, None, vec![]) });
    assert_eq!(verdict.target, udp);
}

#[test]
fn rules_and_answers_explain_what_no_socket_does() {
    let kind = |observation| judge(observation).kind;
    let rule = socket("192.0.2.1", None, State::Forwarded);
    let forwarded = |observation| Observation { forwarded: vec![rule.clone()], ..observation };
    let answered =
        |observation| Observation { answered: Some("127.0.0.1:80".parse().unwrap()), ..observation };
    let refused = || observation(IN_USE, IN_USE, vec![]);
    assert_eq!(kind(refused()), VerdictKind::Unknown);
    assert_eq!(kind(forwarded(refused())), VerdictKind::Forwarded);
    assert_eq!(kind(answered(refused())), VerdictKind::Forwarded);
    // A listener that shares the port with whoever sets SO_REUSEADDR has it, whatever else answers.
    let shared = || observation(None, IN_USE, vec![listening("127.0.0.1")]);
    assert_eq!(kind(forwarded(shared())), VerdictKind::Listening);
    assert_eq!(kind(answered(shared())), VerdictKind::Listening);
    let mut untested = observation(None, None, vec![]);
    untested.attempts.clear();
    let verdict = judge(untested);
    assert_eq!((verdict.kind, verdict.can_bind), (VerdictKind::Unknown, None));
    assert_eq!(verdict.reason, VerdictReason::NotAttempted { error: None });
}
