//! Every kind of verdict, tested without a machine that is in that state.

use std::net::{Ipv6Addr, SocketAddr};

use proptest::prelude::*;

use super::test_support::{DENIED, IN_USE, bind_target, held_by, observation, socket, with_unseen_holder};
use super::*;
use crate::bind_attempt::{Attempt, Overlap};
use crate::model::{Endpoint, Note, ProbeOutcome, Protocol, State, System, Text};
use crate::os::{ExcludedRange, Limits, LocalAddress, Usability};

mod advice;
mod ending;
mod facts;
mod hindrances;
mod reasons;
mod sharing;
mod windows;

#[test]
fn each_kind_has_its_evidence() {
    let listening = || held_by(socket("127.0.0.1", None, State::Listen), "node");
    let bound = || held_by(socket("127.0.0.1", None, State::Bound), "python3");
    let mut connection = held_by(socket("10.0.0.1", None, State::Established), "curl");
    connection.socket.peer = Some("10.0.0.2:443".parse().unwrap());
    let lingering = || socket("127.0.0.1", None, State::TimeWait);
    for (observation, kind, can_bind) in [
        (observation(None, None, vec![]), VerdictKind::Free, true),
        (observation(IN_USE, IN_USE, vec![listening()]), VerdictKind::Listening, false),
        (observation(IN_USE, IN_USE, vec![bound()]), VerdictKind::Bound, false),
        (observation(IN_USE, IN_USE, vec![connection]), VerdictKind::Connection, false),
        (observation(None, IN_USE, vec![lingering()]), VerdictKind::TimeWait, true),
        (observation(IN_USE, IN_USE, vec![lingering()]), VerdictKind::TimeWait, false),
        (observation(DENIED, DENIED, vec![]), VerdictKind::Privileged, false),
        (observation(DENIED, DENIED, vec![listening()]), VerdictKind::Privileged, false),
        (observation(IN_USE, IN_USE, vec![]), VerdictKind::Unknown, false),
        // Listeners that do not make a bind fail are not in the way.
        (observation(None, None, vec![listening()]), VerdictKind::Free, true),
    ] {
        let verdict = judge(observation.clone());
        assert_eq!((verdict.kind, verdict.can_bind), (kind, Some(can_bind)), "{observation:?}");
        assert_eq!(verdict.error.is_none(), can_bind);
    }
}

#[test]
fn privileged_ports_follow_the_limit_of_the_machine() {
    let mut moved = observation(DENIED, DENIED, vec![]);
    moved.limits.unprivileged_from = Some(80);
    assert_eq!(judge(moved).kind, VerdictKind::Unknown, "80 needs no privilege here");
}

#[test]
fn reserved_forwarded_and_foreign() {
    let mut reserved = observation(None, None, vec![]);
    reserved.limits.reserved = vec![70..=90];
    assert_eq!(judge(reserved).kind, VerdictKind::Reserved);

    let mut excluded = observation(DENIED, DENIED, vec![]);
    excluded.os = System::Windows;
    excluded.limits.unprivileged_from = None;
    let range =
        |administered| ExcludedRange { ports: 70..=90, family: crate::model::Family::Ipv6, administered };
    excluded.limits.excluded = vec![range(true)];
    let (family, protocol) = (crate::model::Family::Ipv6, Protocol::Tcp);
    assert_eq!(
        judge(excluded.clone()).advice,
        [
            Advice::ListExcludedRanges { family, protocol },
            Advice::RemoveExcludedRange { family, protocol, range: 70..=90 },
            Advice::UsePortOutside
        ]
    );
    excluded.limits.excluded = vec![range(false)];
    let verdict = judge(excluded);
    assert!(verdict.advice.contains(&Advice::RestartWinNat), "{:?}", verdict.advice);
    assert_eq!((verdict.kind, verdict.can_bind), (VerdictKind::Reserved, Some(false)));
    let hindrance = Hindrance::Excluded { range: 70..=90 };
    assert_eq!(verdict.reason, VerdictReason::Hindrance { hindrance, target: bind_target(None) });

    let mut alone =
        observation(DENIED, DENIED, vec![held_by(socket("0.0.0.0", None, State::Listen), "System")]);
    alone.os = System::Windows;
    alone.limits.unprivileged_from = None;
    let verdict = judge(alone);
    assert_eq!(verdict.kind, VerdictKind::Listening);
    assert!(verdict.facts.contains(&Fact::ExclusiveUse), "{:?}", verdict.facts);

    for refused in [IN_USE, DENIED] {
        let mut bound = observation(refused, refused, vec![]);
        bound.os = System::Windows;
        bound.limits.unprivileged_from = None;
        let verdict = judge(bound);
        assert_eq!((verdict.kind, verdict.can_bind), (VerdictKind::Unknown, Some(false)));
        assert_eq!(verdict.advice.first(), Some(&Advice::ListBoundSockets { port: 80 }));
    }

    let mut both =
        observation(DENIED, DENIED, vec![held_by(socket("0.0.0.0", None, State::Listen), "System")]);
    both.os = System::Windows;
    both.limits = Limits { excluded: vec![range(false)], ..Limits::default() };
    let verdict = judge(both);
    assert_eq!((verdict.kind, verdict.standing_in_the_way.len()), (VerdictKind::Reserved, 1));
    let also = Fact::AlsoInUse(Box::new(verdict.standing_in_the_way[0].clone()));
    assert!(
        verdict.facts.contains(&also) && !verdict.facts.contains(&Fact::ExclusiveUse),
        "{:?}",
        verdict.facts
    );

    let mut forwarded = observation(None, None, vec![]);
    forwarded.answered = Some("127.0.0.1:80".parse().unwrap());
    assert_eq!(judge(forwarded).kind, VerdictKind::Forwarded);
    let proxied = held_by(socket("0.0.0.0", None, State::Listen), "docker-proxy");
    assert_eq!(judge(observation(IN_USE, IN_USE, vec![proxied])).kind, VerdictKind::Forwarded);

    let mut foreign = observation(Some((BindRefusalKind::NotLocal, "EADDRNOTAVAIL")), None, vec![]);
    foreign.target = bind_target(Some("10.1.2.3"));
    foreign.attempts[0].address = "10.1.2.3".parse().unwrap();
    foreign.local = Some(
        ["127.0.0.1", "10.1.2.9", "192.168.0.1", "::1"]
            .map(|address| LocalAddress {
                address: address.parse().unwrap(),
                interface: "e".into(),
                usability: Usability::Usable,
            })
            .to_vec(),
    );
    let verdict = judge(foreign);
    assert_eq!(verdict.kind, VerdictKind::AddressNotLocal);
    let nearest = |address: &str| (address.parse().unwrap(), Text::from("e"));
    let fact = Fact::NearestAddresses {
        family: crate::model::Family::Ipv4,
        addresses: vec![nearest("10.1.2.9"), nearest("192.168.0.1"), nearest("127.0.0.1")],
    };
    assert!(verdict.facts.contains(&fact), "{:?}", verdict.facts);
}

#[test]
fn without_ipv6_only_ipv4_counts() {
    let mut observation = observation(None, None, vec![]);
    observation.attempts.push(Attempt {
        address: Ipv6Addr::UNSPECIFIED.into(),
        v6only: true,
        options: BindOptions::ReuseAddress,
        refused: Some(BindRefusal {
            kind: BindRefusalKind::NoFamily,
            name: "EAFNOSUPPORT".into(),
            message: String::new(),
        }),
    });
    assert_eq!(judge(observation.clone()).can_bind, Some(true));
    observation.attempts.retain(|attempt| attempt.address.is_ipv6());
    assert_eq!(judge(observation).can_bind, None, "without any family the answer is unknown");
}

#[test]
fn overlapping_addresses() {
    for (asked_for, theirs, dual_stack, overlap) in [
        (Some("127.0.0.1"), "127.0.0.1", None, Some(Overlap::Same)),
        (Some("127.0.0.1"), "127.0.0.2", None, None),
        (Some("127.0.0.1"), "0.0.0.0", None, Some(Overlap::TheirWildcard)),
        (Some("0.0.0.0"), "127.0.0.1", None, Some(Overlap::AskedWildcard)),
        (Some("127.0.0.1"), "::", Some(true), Some(Overlap::DualStack)),
        (Some("127.0.0.1"), "::", Some(false), None),
        (Some("127.0.0.1"), "::", None, Some(Overlap::DualStack)),
        (Some("127.0.0.1"), "::ffff:127.0.0.1", None, Some(Overlap::Same)),
        (Some("::1"), "::", Some(false), Some(Overlap::TheirWildcard)),
        (Some("::1"), "127.0.0.1", None, None),
        (Some("::"), "127.0.0.1", None, Some(Overlap::AskedWildcard)),
        (None, "::1", None, Some(Overlap::AskedWildcard)),
        (None, "127.0.0.1", None, Some(Overlap::AskedWildcard)),
        (None, "::", Some(true), Some(Overlap::Same)),
    ] {
        let socket = socket(theirs, dual_stack, State::Listen).socket;
        assert_eq!(bind_target(asked_for).overlap(&socket), overlap, "{asked_for:?} {theirs} {dual_stack:?}");
    }
}

#[test]
fn listeners_that_localhost_reaches() {
    let on =
        |address: &str, dual: bool, name: &str| held_by(socket(address, Some(dual), State::Listen), name);
    let sockets = vec![on("127.0.0.1", false, "a"), on("127.0.0.2", false, "b"), on("::", false, "c")];
    let verdict = judge(observation(IN_USE, IN_USE, sockets));
    let name = |listener: Option<Listener>| {
        listener.map(|it| it.holders[0].process.name.to_string_lossy().into_owned())
    };
    let fact = Fact::Localhost {
        ipv4: LocalhostAnswer::One {
            listener: Box::new(verdict.localhost.ipv4.clone().unwrap()),
            preference: None,
        },
        ipv6: LocalhostAnswer::One {
            listener: Box::new(verdict.localhost.ipv6.clone().unwrap()),
            preference: None,
        },
    };
    assert!(verdict.facts.contains(&fact), "{:?}", verdict.facts);
    assert_eq!(name(verdict.localhost.ipv4), Some("a".into()));
    assert_eq!(name(verdict.localhost.ipv6), Some("c".into()));
}

fn any_attempt() -> impl Strategy<Value = Option<(BindRefusalKind, &'static str)>> {
    prop_oneof![
        Just(None),
        Just(IN_USE),
        Just(DENIED),
        Just(Some((BindRefusalKind::NotLocal, "EADDRNOTAVAIL"))),
        Just(Some((BindRefusalKind::NoFamily, "EAFNOSUPPORT"))),
        Just(Some((BindRefusalKind::Other, "EMFILE"))),
    ]
}

fn any_socket() -> impl Strategy<Value = Listener> {
    let addresses = ["0.0.0.0", "127.0.0.1", "::", "::1", "10.0.0.1", "::ffff:127.0.0.1"];
    let states =
        [State::Listen, State::Bound, State::Established, State::TimeWait, State::CloseWait, State::Unknown];
    (0..addresses.len(), 0..states.len(), any::<Option<bool>>(), any::<bool>()).prop_map(
        move |(address, state, dual_stack, held)| {
            let socket = socket(addresses[address], dual_stack, states[state]);
            if held { held_by(socket, "node") } else { socket }
        },
    )
}

proptest! {
    /// The attempt decides, whatever else was observed. Every verdict has an error, a reason and sockets that match it.
    #[test]
    fn the_attempt_decides(
        lenient in any_attempt(),
        plain in any_attempt(),
        sockets in proptest::collection::vec(any_socket(), 0..6),
        answered in any::<bool>(),
    ) {
        let mut observation = observation(lenient, plain, sockets);
        observation.answered = answered.then(|| "127.0.0.1:80".parse().unwrap());
        let verdict = judge(observation);
        let kind = lenient.map(|(kind, _)| kind);
        let attempted = !matches!(kind, Some(BindRefusalKind::Other | BindRefusalKind::NoFamily | BindRefusalKind::NotLocal));
        prop_assert_eq!(verdict.can_bind, attempted.then_some(lenient.is_none()).or(verdict.can_bind));
        prop_assert_eq!(verdict.error, lenient.map(|(_, name)| name.into()));
        prop_assert!(!verdict.reason.to_string().is_empty() && !verdict.facts.is_empty());
        if matches!(verdict.kind, VerdictKind::Free | VerdictKind::Reserved) {
            prop_assert_eq!(verdict.can_bind, Some(true));
            prop_assert!(verdict.standing_in_the_way.is_empty());
        }
        let shown_by_sockets =
            [VerdictKind::Listening, VerdictKind::Bound, VerdictKind::Connection, VerdictKind::TimeWait];
        if shown_by_sockets.contains(&verdict.kind) {
            prop_assert!(!verdict.standing_in_the_way.is_empty());
        }
    }
}

#[test]
fn a_port_that_is_or_may_be_forwarded_is_not_free() {
    let free = || observation(None, None, Vec::new());
    let verdict = judge(Observation { forwarding_unknown: true, ..free() });
    assert_eq!((verdict.kind, verdict.can_bind), (VerdictKind::Unknown, Some(true)));
    assert_eq!(verdict.reason, VerdictReason::ForwardingUnknown);
    assert_eq!(verdict.advice, [Advice::ReadForwardingRules { target: bind_target(None) }]);
    let of_root = judge(Observation { forwarding_unknown: true, uid: Some(0), ..free() });
    assert!(of_root.advice.is_empty(), "root has read all rules: {:?}", of_root.advice);

    let mut rule = socket("192.0.2.1", None, State::Forwarded);
    rule.note =
        Some(Box::new(Note::Other("connections from other machines are forwarded to port 3000".into())));
    let verdict = judge(Observation { forwarded: vec![rule.clone()], forwarding_unknown: true, ..free() });
    assert_eq!(verdict.kind, VerdictKind::Forwarded, "a known rule comes first");
    assert_eq!(verdict.reason, VerdictReason::Forwarded(Box::new(rule.clone())));

    // A lingering connection does not hide a rule.
    let lingers = observation(None, IN_USE, vec![socket("192.0.2.1", None, State::TimeWait)]);
    let verdict = judge(Observation { forwarded: vec![rule], ..lingers });
    assert_eq!(verdict.kind, VerdictKind::Forwarded);

    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let reached = vec![
        (address("192.0.2.1:80"), ProbeOutcome::Accepts),
        (address("127.0.0.1:80"), ProbeOutcome::Refuses),
    ];
    let verdict = judge(Observation { answered: Some(address("192.0.2.1:80")), reached, ..free() });
    let fact =
        Fact::Answered { answered: vec![address("192.0.2.1:80")], others: vec![address("127.0.0.1:80")] };
    assert!(verdict.facts.contains(&fact), "{:?}", verdict.facts);
}

#[cfg(feature = "serde")]
#[test]
fn a_verdict_is_read_as_it_was_written() {
    let listener = held_by(socket("127.0.0.1", None, State::Listen), "node");
    for judged in
        [judge(observation(IN_USE, IN_USE, vec![listener])), judge(observation(DENIED, DENIED, vec![]))]
    {
        let written = serde_json::to_string(&judged).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&written).unwrap(), judged);
    }
}
