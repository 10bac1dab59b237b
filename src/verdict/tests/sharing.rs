//! Sockets that share a port.

use super::super::{JoinOptions, SharedBy};
use super::facts::{listening, on_udp, with_inode};
use super::*;
use crate::verdict::test_support::attempts;

#[test]
fn listeners_that_share_an_address() {
    let shared = |observation| -> Vec<(usize, Option<ShareOption>)> {
        let facts = judge(observation).facts;
        let group = |fact| match fact {
            Fact::SharedAddress { count, option, .. } => Some((count, option)),
            _ => None,
        };
        facts.into_iter().filter_map(group).collect()
    };
    let two = || observation(IN_USE, IN_USE, vec![listening("127.0.0.1"), listening("127.0.0.1")]);
    assert_eq!(shared(two()), [(2, Some(ShareOption::ReusePort))]);
    assert!(shared(Observation { os: System::Windows, ..two() }).is_empty());
    let others = vec![listening("127.0.0.1"), listening("127.0.0.2")];
    assert!(shared(observation(IN_USE, IN_USE, others)).is_empty());
    let both = |dual_stack| held_by(socket("::", Some(dual_stack), State::Listen), "node");
    assert!(shared(observation(IN_USE, IN_USE, vec![both(true), both(false)])).is_empty());
    assert_eq!(shared(observation(IN_USE, IN_USE, vec![both(true), both(true)])).len(), 1);
    let rule = || socket("192.0.2.1", None, State::Forwarded);
    assert!(shared(observation(IN_USE, IN_USE, vec![rule(), rule()])).is_empty());
    let udp = |reuse_address, reuse_port| {
        let bound = || socket("127.0.0.1", None, State::Bound);
        let join_options = Some(JoinOptions { reuse_address, reuse_port });
        Observation { join_options, ..on_udp(observation(IN_USE, IN_USE, vec![bound(), bound()])) }
    };
    let (port, address) = (Some(ShareOption::ReusePort), Some(ShareOption::ReuseAddress));
    assert_eq!(shared(udp(Some(true), Some(true))), [(2, port)]);
    assert_eq!(shared(udp(Some(false), Some(false))), [(2, port)]);
    assert_eq!(shared(udp(Some(true), Some(false))), [(2, address)]);
    assert_eq!(shared(udp(Some(true), None)), [(2, None)]);
    assert_eq!(shared(udp(None, None)), [(2, None)]);
}

#[test]
fn who_may_join_listeners() {
    let mut first = listening("127.0.0.1");
    first.socket.uid = Some(1000);
    let joined = |refused, change: &dyn Fn(&mut Observation)| {
        let sockets = vec![first.clone(), first.clone(), listening("127.0.0.2")];
        let mut observation = observation(IN_USE, IN_USE, sockets);
        observation.attempts.extend(attempts(BindOptions::ReusePort, refused));
        change(&mut observation);
        let facts = judge(observation).facts;
        facts.into_iter().find(|fact| matches!(fact, Fact::MayJoinListeners | Fact::OnlyUserMayJoin { .. }))
    };
    assert_eq!(joined(None, &|_| ()), Some(Fact::MayJoinListeners));
    assert_eq!(joined(IN_USE, &|_| ()), None, "the listeners do not share");
    let only = Fact::OnlyUserMayJoin { socket: Box::new(first.socket.clone()), count: 2 };
    assert_eq!(joined(IN_USE, &|observation| observation.uid = Some(1001)), Some(only));
    assert_eq!(joined(None, &|observation| observation.sockets.clear()), None);
    let unknown = |observation: &mut Observation| {
        observation.sockets.iter_mut().for_each(|listener| listener.socket.uid = None);
    };
    assert_eq!(joined(None, &unknown), None);
    let named = |observation: &mut Observation| {
        unknown(observation);
        observation.sockets.iter_mut().for_each(|listener| listener.socket.user = Some("dev".into()));
    };
    assert_eq!(joined(None, &named), Some(Fact::MayJoinListeners));
    assert_eq!(joined(None, &|observation| observation.attempts.truncate(2)), None, "it was not tested");
    let udp = |observation: &mut Observation| {
        observation.sockets.iter_mut().for_each(|listener| listener.socket.state = State::Bound);
        *observation = on_udp(observation.clone());
    };
    assert_eq!(joined(None, &udp), None);
    let denied = |observation: &mut Observation| {
        for attempt in observation.attempts.iter_mut().take(2) {
            attempt.refused = Some(BindRefusal {
                kind: BindRefusalKind::Denied,
                name: "EACCES".into(),
                message: String::new(),
            });
        }
    };
    assert_eq!(joined(None, &denied), None, "a privilege is missing first");
}

#[test]
fn who_may_join_a_udp_port() {
    let user = |uid| {
        let mut bound = socket("127.0.0.1", None, State::Bound);
        bound.socket.protocol = Protocol::Udp;
        bound.socket.uid = uid;
        bound
    };
    let facts = |lenient, sockets: &[Listener], options: Option<JoinOptions>| -> Vec<Fact> {
        let observed = on_udp(observation(lenient, lenient, sockets.to_vec()));
        let facts = judge(Observation { join_options: options, ..observed }).facts;
        facts.into_iter().filter(|fact| matches!(fact, Fact::UdpMayJoin { .. })).collect()
    };
    let options = |reuse_address, reuse_port| Some(JoinOptions { reuse_address, reuse_port });
    let joins = |option, allowed, user_of: Option<&Listener>| Fact::UdpMayJoin {
        option,
        allowed,
        user_of: user_of.map(|listener| Box::new(listener.socket.clone())),
    };
    let one = user(Some(1000));
    let both = [user(Some(1000)), user(Some(1001))];
    assert_eq!(
        facts(IN_USE, &[one.clone(), one.clone()], options(Some(false), Some(true))),
        [
            joins(ShareOption::ReuseAddress, Some(false), None),
            joins(ShareOption::ReusePort, Some(true), Some(&one))
        ]
    );
    let port = |user_of| [joins(ShareOption::ReusePort, Some(false), user_of)];
    assert_eq!(facts(IN_USE, &both, options(None, Some(false))), port(None), "of two users");
    assert_eq!(facts(IN_USE, &[user(None), one.clone()], options(None, Some(false))), port(Some(&one)));
    let mut named = user(None);
    named.socket.user = Some("dev".into());
    assert_eq!(facts(IN_USE, std::slice::from_ref(&named), options(None, Some(false))), port(Some(&named)));
    assert_eq!(facts(IN_USE, &[user(None)], options(None, Some(false))), port(None));
    assert_eq!(facts(IN_USE, std::slice::from_ref(&one), None), []);
    assert_eq!(facts(None, std::slice::from_ref(&one), options(Some(true), Some(true))), [], "it is free");
    let shared = on_udp(observation(None, IN_USE, vec![one.clone()]));
    let shared = judge(Observation { join_options: options(Some(true), Some(true)), ..shared });
    assert_eq!((shared.kind, shared.can_bind), (VerdictKind::Listening, Some(true)));
    assert!(!shared.facts.iter().any(|fact| matches!(fact, Fact::UdpMayJoin { .. })));
    assert_eq!(facts(DENIED, &[one], options(Some(true), Some(true))), [], "a privilege is missing");
}

#[test]
fn listeners_that_share_localhost() {
    let mut sockets = vec![with_inode(listening("0.0.0.0"), 7), with_inode(listening("0.0.0.0"), 8)];
    let localhost = |sockets: &[Listener], in_order: &[u64]| {
        let observed = observation(IN_USE, IN_USE, sockets.to_vec());
        judge(Observation { in_order: in_order.to_vec(), ..observed })
    };
    let verdict = localhost(&sockets, &[7, 8]);
    let shared = verdict.localhost.ipv4_shared.clone().unwrap();
    assert_eq!((shared.by, shared.listeners.len()), (SharedBy::Spread, 2));
    assert_eq!((&verdict.localhost.ipv4, &verdict.localhost.ipv6), (&None, &None));
    let answer = LocalhostAnswer::Shared { by: SharedBy::Spread, listeners: sockets.clone() };
    let fact = Fact::Localhost { ipv4: answer, ipv6: LocalhostAnswer::Nobody };
    assert!(verdict.facts.contains(&fact), "{:?}", verdict.facts);
    // One of them is bound to an interface: the kernel prefers the first in its list.
    let on = |listener: &mut Listener, name: &str| {
        let address = listener.socket.endpoint.address().unwrap();
        listener.socket.endpoint = Endpoint::Ip { address, port: 80, interface: Some(name.into()) };
    };
    on(&mut sockets[1], "lo");
    let chosen = |in_order: &[u64]| localhost(&sockets, in_order).localhost.ipv4.map(|one| one.socket.inode);
    assert_eq!(chosen(&[7, 8]), Some(Some(7)));
    assert_eq!(chosen(&[8, 7]), Some(Some(8)));
    // Datagrams go to the socket that was bound last. The kernel lists it first.
    let bound = |address: &str, inode| {
        let mut bound = with_inode(socket(address, Some(true), State::Bound), inode);
        bound.socket.protocol = Protocol::Udp;
        bound
    };
    for address in ["0.0.0.0", "::"] {
        let observed = on_udp(observation(IN_USE, IN_USE, vec![bound(address, 7), bound(address, 8)]));
        let join_options = Some(JoinOptions { reuse_address: Some(true), reuse_port: Some(false) });
        let facts = judge(Observation { join_options, in_order: vec![8, 7], ..observed }).facts;
        let answer = |preference| LocalhostAnswer::One {
            listener: Box::new(bound(address, 8)),
            preference: Some(preference),
        };
        let ipv6 = match address {
            "::" => answer(Preference::ListedFirst),
            _ => LocalhostAnswer::Nobody,
        };
        let fact = Fact::Localhost { ipv4: answer(Preference::BoundLast), ipv6 };
        assert!(facts.contains(&fact), "{facts:?}");
    }
    let unclear = localhost(&sockets, &[7]).localhost;
    assert_eq!((unclear.ipv4, unclear.ipv4_shared.unwrap().by), (None, SharedBy::Unknown));
    let alone = localhost(&sockets[..1], &[7]);
    assert!(!alone.facts.iter().any(|fact| matches!(fact, Fact::Localhost { .. })));
}
