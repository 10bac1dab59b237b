//! Every kind of verdict, tried without a machine that is in that state.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::bind_attempt::Overlap;
use crate::model::{Container, Endpoint, Holder, Process, ProcessId, Service, Socket, Text};
use crate::os::{Excluded, HttpSysUrls, Server, Usability};

fn asked(address: Option<&str>) -> BindTarget {
    BindTarget {
        protocol: Protocol::Tcp,
        address: address.map(|address| address.parse().unwrap()),
        interface: None,
        port: 80,
    }
}

fn socket(address: &str, dual_stack: Option<bool>, state: State) -> Listener {
    let endpoint = Endpoint::Ip { address: address.parse().unwrap(), port: 80, interface: None };
    let mut socket = Socket::new(Protocol::Tcp, endpoint, state);
    if address == "::" {
        socket.dual_stack = dual_stack;
    }
    socket.uid = Some(0);
    Listener::new(socket)
}

fn held_by(mut listener: Listener, name: &str) -> Listener {
    listener.holders.push(Holder {
        process: Process {
            uid: Some(1000),
            user: Some("dev".into()),
            ..Process::new(ProcessId { pid: 991, start: Some(1) }, name.into())
        },
        descriptors: vec![3],
        evidence: crate::model::Evidence::Descriptor,
    });
    listener
}

fn attempts(options: BindOptions, refused: Option<(RefusalKind, &str)>) -> Vec<Attempt> {
    vec![Attempt {
        address: Ipv4Addr::UNSPECIFIED.into(),
        v6only: false,
        options,
        refused: refused.map(|(kind, name)| Refusal { kind, name: name.to_owned(), says: name.to_owned() }),
    }]
}

/// A bind as servers do ends like this, one without options like that.
fn seen(
    lenient: Option<(RefusalKind, &str)>,
    plain: Option<(RefusalKind, &str)>,
    sockets: Vec<Listener>,
) -> Observation {
    let mut all = attempts(BindOptions::ReuseAddress, lenient);
    all.extend(attempts(BindOptions::Plain, plain));
    Observation {
        asked: asked(None),
        forwarded: Vec::new(),
        served: Vec::new(),
        os: "linux",
        sockets,
        other_protocol: Vec::new(),
        attempts: all,
        decisive: BindOptions::ReuseAddress,
        limits: Limits { unprivileged_from: Some(1024), ephemeral: Some(32768..=60999), ..Limits::default() },
        local: Some(Vec::new()),
        policies: None,
        orphans: Vec::new(),
        fin_timeout: None,
        in_order: Vec::new(),
        joining: None,
        write_queues: BTreeMap::new(),
        answered: None,
        reached: Vec::new(),
        forwarding_unknown: false,
        time_wait_left: None,
        clients: Vec::new(),
        accounts: BTreeMap::new(),
        uid: Some(1000),
        gaps: Vec::new(),
    }
}

const IN_USE: Option<(RefusalKind, &str)> = Some((RefusalKind::InUse, "EADDRINUSE"));
const DENIED: Option<(RefusalKind, &str)> = Some((RefusalKind::Denied, "EACCES"));

#[test]
fn each_kind_by_its_evidence() {
    let listening = || held_by(socket("127.0.0.1", None, State::Listen), "node");
    let bound = || held_by(socket("127.0.0.1", None, State::Bound), "python3");
    let mut connection = held_by(socket("10.0.0.1", None, State::Established), "curl");
    connection.socket.peer = Some("10.0.0.2:443".parse().unwrap());
    let lingering = || socket("127.0.0.1", None, State::TimeWait);
    for (observation, kind, can_bind) in [
        (seen(None, None, vec![]), VerdictKind::Free, true),
        (seen(IN_USE, IN_USE, vec![listening()]), VerdictKind::Listening, false),
        (seen(IN_USE, IN_USE, vec![bound()]), VerdictKind::Bound, false),
        (seen(IN_USE, IN_USE, vec![connection]), VerdictKind::Connection, false),
        (seen(None, IN_USE, vec![lingering()]), VerdictKind::TimeWait, true),
        (seen(IN_USE, IN_USE, vec![lingering()]), VerdictKind::TimeWait, false),
        (seen(DENIED, DENIED, vec![]), VerdictKind::Privileged, false),
        (seen(DENIED, DENIED, vec![listening()]), VerdictKind::Privileged, false),
        (seen(IN_USE, IN_USE, vec![]), VerdictKind::Unknown, false),
        // Listeners that do not make a bind fail are not in the way.
        (seen(None, None, vec![listening()]), VerdictKind::Free, true),
    ] {
        let verdict = judge(observation.clone());
        assert_eq!((verdict.kind, verdict.can_bind), (kind, Some(can_bind)), "{observation:?}");
        assert_eq!(verdict.error.is_none(), can_bind);
        assert!(!verdict.reason.is_empty());
    }
}

#[test]
fn the_line_of_the_list() {
    let bound = held_by(socket("127.0.0.1", None, State::Bound), "python3");
    assert_eq!(
        judge(seen(IN_USE, IN_USE, vec![bound])).reason,
        "127.0.0.1:80 is bound by python3 (pid 991), which does not listen"
    );
}

#[test]
fn a_limit_of_the_machine_and_not_a_number_learnt_by_heart() {
    let mut moved = seen(DENIED, DENIED, vec![]);
    moved.limits.unprivileged_from = Some(80);
    assert_eq!(judge(moved).kind, VerdictKind::Unknown, "80 needs no privilege here");
}

#[test]
fn reserved_forwarded_and_elsewhere() {
    let mut reserved = seen(None, None, vec![]);
    reserved.limits.reserved = vec![70..=90];
    assert_eq!(judge(reserved).kind, VerdictKind::Reserved);

    let mut excluded = seen(DENIED, DENIED, vec![]);
    excluded.os = "windows";
    excluded.limits.unprivileged_from = None;
    let range = |administered| Excluded { ports: 70..=90, family: crate::model::Family::Ipv6, administered };
    excluded.limits.excluded = vec![range(true)];
    let told = judge(excluded.clone()).advice.join("; ");
    assert!(
        told.contains("ipv6 delete excludedportrange protocol=tcp startport=70 numberofports=21"),
        "{told}"
    );
    excluded.limits.excluded = vec![range(false)];
    let verdict = judge(excluded);
    assert!(verdict.advice.iter().any(|line| line.contains("winnat")), "{:?}", verdict.advice);
    assert_eq!((verdict.kind, verdict.can_bind), (VerdictKind::Reserved, Some(false)));
    assert!(verdict.reason.contains("70-90") && !verdict.advice.is_empty(), "{}", verdict.reason);

    let mut alone = seen(DENIED, DENIED, vec![held_by(socket("0.0.0.0", None, State::Listen), "System")]);
    alone.os = "windows";
    alone.limits.unprivileged_from = None;
    let verdict = judge(alone);
    assert_eq!(verdict.kind, VerdictKind::Listening);
    assert!(verdict.facts.iter().any(|fact| fact.contains("SO_EXCLUSIVEADDRUSE")), "{:?}", verdict.facts);

    for refused in [IN_USE, DENIED] {
        let mut bound = seen(refused, refused, vec![]);
        bound.os = "windows";
        bound.limits.unprivileged_from = None;
        let verdict = judge(bound);
        assert_eq!((verdict.kind, verdict.can_bind), (VerdictKind::Unknown, Some(false)));
        let told = verdict.advice.join("; ");
        assert!(told.contains("Get-NetTCPConnection -LocalPort 80 -State Bound"), "{told}");
    }

    let mut both = seen(DENIED, DENIED, vec![held_by(socket("0.0.0.0", None, State::Listen), "System")]);
    both.os = "windows";
    both.limits = Limits { excluded: vec![range(false)], ..Limits::default() };
    let verdict = judge(both);
    assert_eq!((verdict.kind, verdict.standing_in_the_way.len()), (VerdictKind::Reserved, 1));
    let facts = verdict.facts.join("; ");
    assert!(facts.contains("besides, it is taken: System") && !facts.contains("EXCLUSIVE"), "{facts}");

    let mut forwarded = seen(None, None, vec![]);
    forwarded.answered = Some("127.0.0.1:80".parse().unwrap());
    assert_eq!(judge(forwarded).kind, VerdictKind::Forwarded);
    let relayed = held_by(socket("0.0.0.0", None, State::Listen), "docker-proxy");
    assert_eq!(judge(seen(IN_USE, IN_USE, vec![relayed])).kind, VerdictKind::Forwarded);

    let mut foreign = seen(Some((RefusalKind::NotLocal, "EADDRNOTAVAIL")), None, vec![]);
    foreign.asked = asked(Some("10.1.2.3"));
    foreign.attempts[0].address = "10.1.2.3".parse().unwrap();
    foreign.local = Some(
        ["127.0.0.1", "10.1.2.9", "192.168.0.1", "::1"]
            .map(|address| Local {
                address: address.parse().unwrap(),
                interface: "e".into(),
                usability: Usability::Usable,
            })
            .to_vec(),
    );
    let verdict = judge(foreign);
    assert_eq!(verdict.kind, VerdictKind::AddressNotLocal);
    assert!(verdict.facts.iter().any(|fact| fact.contains("are 10.1.2.9 (e), 192.168.0.1")), "{verdict:?}");
}

#[test]
fn whom_the_kernel_of_windows_serves() {
    let mut listener = held_by(socket("::", Some(true), State::Listen), "System");
    listener.holders[0].process.id.pid = 4;
    let mut observation = seen(IN_USE, IN_USE, vec![listener]);
    observation.os = "windows";
    let told = |observation: &Observation| {
        let verdict = judge(observation.clone());
        assert_eq!(verdict.kind, VerdictKind::Listening);
        (verdict.facts.join("; "), verdict.advice.join("; "))
    };
    let (_, advice) = told(&observation);
    assert!(advice.contains("view=requestq") && !advice.contains("allears free"), "{advice}");

    let mut sharing = observation.clone();
    sharing.asked.port = 445;
    sharing.sockets[0].socket.endpoint =
        Endpoint::Ip { address: Ipv6Addr::UNSPECIFIED.into(), port: 445, interface: None };
    let (_, advice) = told(&sharing);
    assert!(advice.contains("files") && !advice.contains("netsh"), "{advice}");

    let server = |pid, services: &[&str]| Server {
        pid,
        name: Some("svchost.exe".into()),
        services: services.iter().copied().map(Text::from).collect(),
    };
    let urls: Vec<Text> = (0..6).map(|at| Text::from(format!("HTTP://+:80/{at}/").as_str())).collect();
    observation.served =
        vec![HttpSysUrls { urls, by: vec![server(2688, &["NcHostAgent"]), server(900, &[])] }];
    let (facts, advice) = told(&observation);
    assert!(
        facts.contains(
            "for svchost.exe (pid 2688), the service NcHostAgent and svchost.exe (pid 900): HTTP://+:80/0/, "
        ) && facts.contains("HTTP://+:80/3/, 2 more"),
        "{facts}"
    );
    assert!(advice.contains("sc.exe stop NcHostAgent") && advice.contains("(pid 900)"), "{advice}");
    assert!(!advice.contains("allears free") && !advice.contains("requestq"), "{advice}");

    observation.os = "linux";
    let (facts, advice) = told(&observation);
    assert!(
        !facts.contains("HTTP.sys") && advice.contains("allears free"),
        "pid 4 is any process: {facts} {advice}"
    );
}

#[test]
fn services_of_windows_are_stopped_and_not_ended() {
    let mut listener = held_by(socket("0.0.0.0", None, State::Listen), "svchost.exe");
    let told = |listener: &Listener| {
        let mut observation = seen(IN_USE, IN_USE, vec![listener.clone()]);
        observation.os = "windows";
        judge(observation).advice.join("; ")
    };
    let advice = told(&listener);
    assert!(advice.contains("sc.exe stop") && !advice.contains("allears free"), "{advice}");
    listener.holders[0].process.service = Some(Service {
        manager: "windows".into(),
        name: "Dnscache".into(),
        scope: "system".into(),
        uid: None,
        activates: None,
    });
    let advice = told(&listener);
    assert!(advice.starts_with("sc.exe stop Dnscache") && !advice.contains("allears free"), "{advice}");
}

#[test]
fn a_machine_without_ipv6_asks_for_ipv4_alone() {
    let mut observation = seen(None, None, vec![]);
    observation.attempts.push(Attempt {
        address: Ipv6Addr::UNSPECIFIED.into(),
        v6only: true,
        options: BindOptions::ReuseAddress,
        refused: Some(Refusal {
            kind: RefusalKind::NoFamily,
            name: "EAFNOSUPPORT".into(),
            says: String::new(),
        }),
    });
    assert_eq!(judge(observation.clone()).can_bind, Some(true));
    observation.attempts.retain(|attempt| attempt.address.is_ipv6());
    assert_eq!(judge(observation).can_bind, None, "with no family at all nothing can be told");
}

#[test]
fn which_addresses_want_the_same() {
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
        assert_eq!(asked(asked_for).overlap(&socket), overlap, "{asked_for:?} {theirs} {dual_stack:?}");
    }
}

#[test]
fn whom_localhost_reaches() {
    let on =
        |address: &str, dual: bool, name: &str| held_by(socket(address, Some(dual), State::Listen), name);
    let sockets = vec![on("127.0.0.1", false, "a"), on("127.0.0.2", false, "b"), on("::", false, "c")];
    let verdict = judge(seen(IN_USE, IN_USE, sockets));
    let name = |listener: Option<Listener>| {
        listener.map(|it| it.holders[0].process.name.to_string_lossy().into_owned())
    };
    assert!(
        verdict.facts.iter().any(|fact| fact.starts_with("localhost reaches a (pid 991)")),
        "{:?}",
        verdict.facts
    );
    assert_eq!(name(verdict.localhost.ipv4), Some("a".into()));
    assert_eq!(name(verdict.localhost.ipv6), Some("c".into()));
}

#[test]
fn services_and_containers_are_stopped_by_their_managers() {
    let mut listener = held_by(socket("0.0.0.0", None, State::Listen), "nginx");
    listener.holders[0].process.service = Some(Service {
        manager: "systemd".into(),
        name: "nginx.service".into(),
        scope: "system".into(),
        uid: None,
        activates: None,
    });
    let verdict = judge(seen(IN_USE, IN_USE, vec![listener]));
    assert!(
        verdict.advice.iter().any(|line| line.starts_with("systemctl stop -- nginx.service")),
        "{verdict:?}"
    );
    let mut proxy = held_by(socket("0.0.0.0", None, State::Listen), "docker-proxy");
    proxy.holders[0].process.service = Some(Service {
        manager: "systemd".into(),
        name: "docker.service".into(),
        scope: "system".into(),
        uid: None,
        activates: None,
    });
    proxy.container = Some(Container {
        runtime: "docker".into(),
        id: "4f1d".into(),
        uid: None,
        name: Some("web; echo x".into()),
        image: None,
        port: Some(80),
        compose: None,
    });
    let advice = judge(seen(IN_USE, IN_USE, vec![proxy])).advice;
    assert_eq!(advice[0], "docker stop 4f1d stops the container", "{advice:?}");
    let has = |part: &str| advice.iter().any(|line| line.contains(part));
    assert!(!has("docker.service") && !has("ends it") && has("holds it for others"), "{advice:?}");
}

#[test]
fn a_command_is_quoted_for_its_shell() {
    let advice = |manager: &str, name: &str| {
        let mut listener = held_by(socket("0.0.0.0", None, State::Listen), "server");
        let service = Service {
            manager: manager.into(),
            name: name.into(),
            scope: "system".into(),
            uid: None,
            activates: None,
        };
        listener.holders[0].process.service = Some(service);
        judge(seen(IN_USE, IN_USE, vec![listener])).advice
    };
    let quoted = advice("systemd", r"a\x2db.service");
    assert!(quoted[0].starts_with(r"systemctl stop -- 'a\x2db.service' stops"), "{quoted:?}");
    for name in ["a;b.service", "*.service", "[a].service", "a b.service", "$x.service", "session-3.scope"] {
        let none = advice("systemd", name);
        assert!(none.iter().all(|line| !line.contains("systemctl")), "{none:?}");
    }
    let windows = advice("windows", "Print Spooler");
    assert!(windows[0].starts_with("sc.exe stop \"Print Spooler\" stops"), "{windows:?}");
    for name in ["a&calc", "%x%", "a\"b", "a'b"] {
        let windows = advice("windows", name);
        assert!(windows.iter().all(|line| !line.contains("sc.exe stop")), "{windows:?}");
    }
}

#[test]
fn the_service_alone_does_not_free_the_port_of_a_socket_unit() {
    let unit = Service {
        manager: "systemd".into(),
        name: "cups.socket".into(),
        scope: "system".into(),
        uid: None,
        activates: Some("cups.service".into()),
    };
    let advice = |listener: &Listener| judge(seen(IN_USE, IN_USE, vec![listener.clone()])).advice;
    let mut listener = held_by(socket("0.0.0.0", None, State::Listen), "systemd");
    listener.service = Some(unit.clone());
    let alone = advice(&listener);
    assert!(alone[0].starts_with("systemctl stop -- cups.socket frees the port"), "{alone:?}");
    assert_eq!(alone.len(), 1, "nothing is ended that would be systemd: {alone:?}");
    listener.holders[0].process.service = Some(Service { name: "cups.service".into(), ..unit.clone() });
    let both = advice(&listener);
    assert!(both[0].starts_with("systemctl stop -- cups.socket cups.service frees the port"), "{both:?}");
    let each_of = |uid| Service {
        activates: Some("cups@.service".into()),
        scope: "user".into(),
        uid: Some(uid),
        ..unit.clone()
    };
    listener.service = Some(each_of(1000));
    let each = advice(&listener);
    assert!(each[0].starts_with("systemctl --user stop -- cups.socket frees the port"), "{each:?}");
    listener.service = Some(each_of(1001));
    let anothers = advice(&listener);
    let machine = crate::shell::quote(&"1001@".into()).unwrap();
    assert!(
        anothers[0].starts_with(&format!("systemctl --user -M {machine} stop -- cups.socket frees the port")),
        "{anothers:?}"
    );
}

#[test]
fn the_command_that_stops_a_service() {
    let command = |manager: &str, name: &str, scope: &str, uid: Option<u32>, own_uid: Option<u32>| {
        let service =
            Service { manager: manager.into(), name: name.into(), scope: scope.into(), uid, activates: None };
        stop_service(&service, own_uid).map(|words| words.join(" "))
    };
    let (root, dev) = (Some(0), Some(1000));
    for (name, scope, uid, own_uid, stops) in [
        ("nginx.service", "system", None, dev, Some("systemctl stop -- nginx.service")),
        ("web.service", "user", dev, dev, Some("systemctl --user stop -- web.service")),
        ("web.service", "user", dev, root, Some("systemctl --user -M 1000@ stop -- web.service")),
        ("web.service", "user", root, root, Some("systemctl --user stop -- web.service")),
        ("web.service", "user", root, dev, Some("systemctl --user -M 0@ stop -- web.service")),
        ("web.service", "user", dev, None, Some("systemctl --user -M 1000@ stop -- web.service")),
        ("web.service", "user", None, root, None),
        ("web.service", "other", None, root, None),
        ("--no-block.service", "system", None, root, Some("systemctl stop -- --no-block.service")),
        ("web*.service", "system", None, root, None),
        ("app-code-1.scope", "user", dev, dev, None),
        ("system.slice", "system", None, root, None),
        ("web@.service", "system", None, root, None),
        ("", "system", None, root, None),
    ] {
        assert_eq!(
            command("systemd", name, scope, uid, own_uid).as_deref(),
            stops,
            "{name} {uid:?} {own_uid:?}"
        );
    }
    assert_eq!(command("windows", "Dnscache", "system", None, None).as_deref(), Some("sc.exe stop Dnscache"));
    assert_eq!(command("runit", "web", "system", None, root), None);
}

fn any_attempt() -> impl Strategy<Value = Option<(RefusalKind, &'static str)>> {
    prop_oneof![
        Just(None),
        Just(IN_USE),
        Just(DENIED),
        Just(Some((RefusalKind::NotLocal, "EADDRNOTAVAIL"))),
        Just(Some((RefusalKind::NoFamily, "EAFNOSUPPORT"))),
        Just(Some((RefusalKind::Other, "EMFILE"))),
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
    /// Whatever else was seen, the attempt decides, and every verdict has its error, its reason and its sockets.
    #[test]
    fn the_attempt_decides(
        lenient in any_attempt(),
        plain in any_attempt(),
        sockets in proptest::collection::vec(any_socket(), 0..6),
        answered in any::<bool>(),
    ) {
        let mut observation = seen(lenient, plain, sockets);
        observation.answered = answered.then(|| "127.0.0.1:80".parse().unwrap());
        let verdict = judge(observation);
        let kind = lenient.map(|(kind, _)| kind);
        let tried = !matches!(kind, Some(RefusalKind::Other | RefusalKind::NoFamily | RefusalKind::NotLocal));
        prop_assert_eq!(verdict.can_bind, tried.then_some(lenient.is_none()).or(verdict.can_bind));
        prop_assert_eq!(verdict.error.as_deref(), lenient.map(|(_, name)| name));
        prop_assert!(!verdict.reason.is_empty() && !verdict.facts.is_empty());
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
fn what_is_forwarded_or_may_be_is_not_free() {
    let free = || seen(None, None, Vec::new());
    let verdict = judge(Observation { forwarding_unknown: true, ..free() });
    assert_eq!((verdict.kind, verdict.can_bind), (VerdictKind::Unknown, Some(true)));
    assert!(verdict.reason.contains("forwards ports elsewhere"), "{}", verdict.reason);
    assert!(verdict.advice.iter().any(|line| line.contains("allears why 80")), "{:?}", verdict.advice);
    let of_root = judge(Observation { forwarding_unknown: true, uid: Some(0), ..free() });
    assert!(of_root.advice.is_empty(), "root is told all there is: {:?}", of_root.advice);

    let mut rule = socket("192.0.2.1", None, State::Forwarded);
    rule.note = Some("connections from other machines are forwarded to port 3000".into());
    let verdict = judge(Observation { forwarded: vec![rule.clone()], forwarding_unknown: true, ..free() });
    assert_eq!(verdict.kind, VerdictKind::Forwarded, "what is known comes first");
    assert!(verdict.reason.starts_with("192.0.2.1:80: connections from other"), "{}", verdict.reason);

    // A connection that lingers is no reason to keep silent on it.
    let lingers = seen(None, IN_USE, vec![socket("192.0.2.1", None, State::TimeWait)]);
    let verdict = judge(Observation { forwarded: vec![rule], ..lingers });
    assert_eq!(verdict.kind, VerdictKind::Forwarded);

    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let reached =
        vec![(address("192.0.2.1:80"), Outcome::Accepts), (address("127.0.0.1:80"), Outcome::Refuses)];
    let verdict = judge(Observation { answered: Some(address("192.0.2.1:80")), reached, ..free() });
    let fact = "a connection to 192.0.2.1:80 is answered, one to 127.0.0.1:80 is not";
    assert!(verdict.facts.iter().any(|known| known == fact), "{:?}", verdict.facts);
}

#[test]
fn a_holder_that_does_not_run_is_told() {
    let mut listener = held_by(socket("127.0.0.1", None, State::Listen), "server");
    listener.holders[0].process.condition = Some(crate::model::Condition::Stopped { shell: None });
    let verdict = judge(seen(IN_USE, IN_USE, vec![listener.clone()]));
    let fact =
        "server (pid 991) is stopped by a signal; the kernel completes connections, and nobody answers them";
    assert!(verdict.facts.iter().any(|known| known == fact), "{:?}", verdict.facts);
    let advice = "pid 991 is stopped: kill -CONT 991 resumes it; before that, SIGTERM has no effect";
    assert!(verdict.advice.iter().any(|known| known == advice), "{:?}", verdict.advice);
    // Where another holder runs, somebody may answer.
    let listener = held_by(listener, "other");
    let verdict = judge(seen(IN_USE, IN_USE, vec![listener]));
    assert!(
        verdict.facts.iter().any(|known| known.contains("is stopped by a signal")),
        "{:?}",
        verdict.facts
    );
    assert!(!verdict.facts.iter().any(|known| known.contains("nobody answers")), "{:?}", verdict.facts);
}
