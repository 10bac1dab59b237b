//! The sentences of verdicts.

use std::net::Ipv6Addr;

use super::sentences;
use crate::model::{Condition, Container, Endpoint, Family, Listener, Service, State, System, Text};
use crate::os::{ExcludedRange, HttpSysUrls, Server};
use crate::verdict::test_support::{DENIED, IN_USE, held_by, observation, socket};
use crate::verdict::{Observation, VerdictKind, judge};

#[test]
fn the_line_of_the_list() {
    let bound = held_by(socket("127.0.0.1", None, State::Bound), "python3");
    assert_eq!(
        judge(observation(IN_USE, IN_USE, vec![bound])).reason.to_string(),
        "127.0.0.1:80 is bound by python3 (pid 991, dev), which does not listen"
    );
}

#[test]
fn http_sys_servers_are_named() {
    let mut listener = held_by(socket("::", Some(true), State::Listen), "System");
    listener.holders[0].process.id.pid = 4;
    let mut observation = observation(IN_USE, IN_USE, vec![listener]);
    observation.os = System::Windows;
    let rendered = |observation: &Observation| {
        let verdict = judge(observation.clone());
        assert_eq!(verdict.kind, VerdictKind::Listening);
        (sentences(&verdict.facts).join("; "), sentences(&verdict.advice).join("; "))
    };
    let (_, advice) = rendered(&observation);
    assert!(advice.contains("view=requestq") && !advice.contains("allears free"), "{advice}");

    let mut sharing = observation.clone();
    sharing.target.port = 445;
    sharing.sockets[0].socket.endpoint =
        Endpoint::Ip { address: Ipv6Addr::UNSPECIFIED.into(), port: 445, interface: None };
    let (_, advice) = rendered(&sharing);
    assert!(advice.contains("files") && !advice.contains("netsh"), "{advice}");

    let server = |pid, services: &[&str]| Server {
        pid,
        name: Some("svchost.exe".into()),
        services: services.iter().copied().map(Text::from).collect(),
    };
    let urls: Vec<Text> = (0..6).map(|at| Text::from(format!("HTTP://+:80/{at}/").as_str())).collect();
    observation.served =
        vec![HttpSysUrls { urls, by: vec![server(2688, &["NcHostAgent"]), server(900, &[])] }];
    let (facts, advice) = rendered(&observation);
    assert!(
        facts.contains(
            "for svchost.exe (pid 2688), the service NcHostAgent and svchost.exe (pid 900): HTTP://+:80/0/, "
        ) && facts.contains("HTTP://+:80/3/, 2 more"),
        "{facts}"
    );
    assert!(advice.contains("sc.exe stop NcHostAgent") && advice.contains("(pid 900)"), "{advice}");
    assert!(!advice.contains("allears free") && !advice.contains("requestq"), "{advice}");

    observation.os = System::Linux;
    let (facts, advice) = rendered(&observation);
    assert!(
        !facts.contains("HTTP.sys") && advice.contains("allears free"),
        "pid 4 is any process: {facts} {advice}"
    );
}

#[test]
fn services_of_windows_are_stopped_and_not_ended() {
    let mut listener = held_by(socket("0.0.0.0", None, State::Listen), "svchost.exe");
    let rendered = |listener: &Listener| {
        let mut observation = observation(IN_USE, IN_USE, vec![listener.clone()]);
        observation.os = System::Windows;
        sentences(&judge(observation).advice).join("; ")
    };
    let advice = rendered(&listener);
    assert!(advice.contains("sc.exe stop") && !advice.contains("allears free"), "{advice}");
    listener.holders[0].process.service = Some(Service {
        manager: "windows".into(),
        name: "Dnscache".into(),
        scope: "system".into(),
        uid: None,
        activates: None,
    });
    let advice = rendered(&listener);
    assert!(advice.starts_with("sc.exe stop Dnscache") && !advice.contains("allears free"), "{advice}");
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
    let verdict = judge(observation(IN_USE, IN_USE, vec![listener]));
    assert!(
        sentences(&verdict.advice)[0].starts_with("systemctl stop -- nginx.service stops the service"),
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
    proxy.container = Some(
        Container {
            runtime: "docker".into(),
            id: "4f1d".into(),
            uid: None,
            name: Some("web; echo x".into()),
            image: None,
            port: Some(80),
            compose: None,
        }
        .into(),
    );
    let advice = sentences(&judge(observation(IN_USE, IN_USE, vec![proxy])).advice);
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
        sentences(&judge(observation(IN_USE, IN_USE, vec![listener])).advice)
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
    let advice =
        |listener: &Listener| sentences(&judge(observation(IN_USE, IN_USE, vec![listener.clone()])).advice);
    let mut listener = held_by(socket("0.0.0.0", None, State::Listen), "systemd");
    listener.service = Some(Box::new(unit.clone()));
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
    listener.service = Some(Box::new(each_of(1000)));
    let each = advice(&listener);
    assert!(each[0].starts_with("systemctl --user stop -- cups.socket frees the port"), "{each:?}");
    listener.service = Some(Box::new(each_of(1001)));
    let anothers = advice(&listener);
    let machine = crate::shell::quote(&"1001@".into()).unwrap();
    assert!(
        anothers[0].starts_with(&format!("systemctl --user -M {machine} stop -- cups.socket frees the port")),
        "{anothers:?}"
    );
}

#[test]
fn a_holder_that_does_not_run_is_reported() {
    let mut listener = held_by(socket("127.0.0.1", None, State::Listen), "server");
    listener.holders[0].process.condition = Some(Condition::Stopped { shell: None });
    let verdict = judge(observation(IN_USE, IN_USE, vec![listener.clone()]));
    let fact = "server (pid 991, dev) is stopped by a signal; the kernel completes connections, and nobody answers them";
    assert!(sentences(&verdict.facts).iter().any(|known| known == fact), "{:?}", verdict.facts);
    let advice = "pid 991 is stopped: kill -CONT 991 resumes it; before that, SIGTERM has no effect";
    assert!(sentences(&verdict.advice).iter().any(|known| known == advice), "{:?}", verdict.advice);
    // If another holder runs, it may answer.
    let listener = held_by(listener, "other");
    let verdict = judge(observation(IN_USE, IN_USE, vec![listener]));
    assert!(
        sentences(&verdict.facts).iter().any(|known| known.contains("is stopped by a signal")),
        "{:?}",
        verdict.facts
    );
    assert!(
        !sentences(&verdict.facts).iter().any(|known| known.contains("nobody answers")),
        "{:?}",
        verdict.facts
    );
}

#[test]
fn names_from_outside_are_escaped() {
    let mut listener = held_by(socket("127.0.0.1", None, State::Listen), "evil\u{1b}[31m");
    listener.holders[0].process.user = Some("d\ne\u{202e}v".into());
    let verdict = judge(observation(IN_USE, IN_USE, vec![listener]));
    let reason = verdict.reason.to_string();
    assert_eq!(reason, r"127.0.0.1:80 is held by evil\x1b[31m (pid 991, d\ne\u{202e}v)");
    let all = [sentences(&verdict.facts), sentences(&verdict.advice)].concat();
    assert!(all.iter().all(|sentence| !sentence.contains(['\u{1b}', '\n', '\u{202e}'])), "{all:?}");
}

#[test]
fn a_sentence_appears_once() {
    let listener = held_by(socket("127.0.0.1", None, State::Listen), "node");
    let verdict = judge(observation(IN_USE, IN_USE, vec![listener.clone(), listener]));
    let conflicts =
        sentences(&verdict.facts).into_iter().filter(|fact| fact.contains("the requested wildcard"));
    assert_eq!(conflicts.collect::<Vec<_>>().len(), 1, "{:?}", verdict.facts);
}

#[test]
fn what_cannot_be_bound_says_why() {
    let mut excluded = observation(DENIED, DENIED, vec![]);
    excluded.os = System::Windows;
    excluded.limits.unprivileged_from = None;
    excluded.limits.excluded =
        vec![ExcludedRange { ports: 70..=90, family: Family::Ipv6, administered: true }];
    let verdict = judge(excluded);
    assert!(verdict.reason.to_string().contains("70-90"), "{}", verdict.reason);
    let advice = sentences(&verdict.advice).join("; ");
    assert!(
        advice
            .contains("ipv6 delete excludedportrange protocol=tcp startport=70 numberofports=21 removes it"),
        "{advice}"
    );
    let unprivileged = Observation { forwarding_unknown: true, ..observation(None, None, Vec::new()) };
    let verdict = judge(unprivileged);
    assert!(verdict.reason.to_string().contains("forwards ports elsewhere"), "{}", verdict.reason);
    assert!(sentences(&verdict.advice)[0].contains("allears why 80"), "{:?}", verdict.advice);
}
