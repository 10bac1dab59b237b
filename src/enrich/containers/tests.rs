//! Queries, trust and forwarded ports, with replies of real runtimes.

use super::*;
use crate::model::{
    Candidate, Endpoint, Evidence, GapKind, GapReason, Holder, Process, ProcessId, Protocol, Socket, State,
    Text, UnreadableReply, Unseen, UnseenReason,
};

const DOCKER: &[u8] = include_bytes!("../../../tests/runtimes/docker.http");

const PROXY: &str =
    "docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 18080 -container-ip 172.20.0.2 -container-port 80";

fn socket(protocol: Protocol, address: &str, inode: u64) -> Socket {
    let address: SocketAddr = address.parse().unwrap();
    let endpoint = Endpoint::Ip { address: address.ip(), port: address.port(), interface: None };
    let state = if protocol == Protocol::Udp { State::Bound } else { State::Listen };
    let mut socket = Socket::new(protocol, endpoint, state);
    socket.inode = Some(inode);
    socket.uid = Some(0);
    socket
}

fn held_by(socket: Socket, command: &str, uid: u32) -> Listener {
    let command: Vec<Text> = command.split(' ').map(Text::from).collect();
    let process = Process {
        uid: Some(uid),
        ..Process::new(ProcessId { pid: 991, start: Some(1) }, command[0].clone())
    };
    let process = Process { command: Some(command), ..process };
    let holder = Holder { process: process.into(), descriptors: vec![4], evidence: Evidence::Descriptor };
    Listener { holders: vec![holder], ..Listener::new(socket) }
}

fn proxied() -> Listener {
    held_by(socket(Protocol::Tcp, "0.0.0.0:18080", 7), PROXY, 0)
}

fn container(runtime: &str, id: &str) -> Container {
    Container {
        runtime: runtime.into(),
        id: id.into(),
        uid: None,
        name: None,
        image: None,
        port: None,
        compose: None,
    }
}

/// Returns a lookup in which every runtime of the system has already given this answer.
fn answered<'a>(
    runtimes: &'a Runtimes,
    answer: impl Fn() -> Result<Reply, RuntimeError>,
) -> ContainerLookup<'a> {
    let mut lookup = ContainerLookup::new(runtimes);
    let kinds = [RuntimeKind::Docker, RuntimeKind::Podman];
    let known = kinds.into_iter().flat_map(|kind| os::runtime_sockets(kind, None));
    // Not every system has well-known paths.
    for path in known.chain(["/runtime.sock".into()]) {
        let containers = answer().and_then(|reply| parse_reply(&reply, RuntimeScope::System));
        lookup.results.insert(path, RuntimeResult { scope: RuntimeScope::System, containers });
    }
    lookup
}

fn docker(here: Option<bool>) -> Result<Reply, RuntimeError> {
    Ok(Reply { bytes: DOCKER.to_vec(), here })
}

#[test]
fn a_proxys_socket_is_its_containers() {
    let runtimes = Runtimes::default();
    let mut lookup = answered(&runtimes, || docker(Some(true)));
    let mut listeners = [proxied()];
    lookup.add(&mut listeners);
    let found = listeners[0].container.as_ref().unwrap();
    assert_eq!((&found.name, found.port), (&Some("web-1".into()), Some(80)));
    assert_eq!(listeners[0].holders[0].process.container, None, "the proxy itself runs in none");
    assert_eq!((&listeners[0].note, lookup.gap()), (&None, None));
}

#[test]
fn without_an_answer_the_command_line_decides() {
    let runtimes = Runtimes::default();
    for (silence, reason) in [
        (RuntimeError::Permission, "permission"),
        (RuntimeError::Timeout, "timeout"),
        (RuntimeError::Unreadable(UnreadableReply::NotHttp), "unreadable"),
        (RuntimeError::Absent, "absent"),
    ] {
        let mut lookup = answered(&runtimes, || Err(silence.clone()));
        let mut listeners = [proxied()];
        lookup.add(&mut listeners);
        assert_eq!(listeners[0].container, None);
        let note = listeners[0].note.as_ref().unwrap().to_string();
        assert!(note.contains("172.20.0.2:80"), "{note}");
        let gap = lookup.gap().unwrap();
        assert_eq!((gap.what, gap.reason, gap.count), (GapKind::Containers, GapReason::from(reason), 1));
    }
}

#[test]
fn a_container_is_completed_by_its_id() {
    let runtimes = Runtimes::default();
    let running = container_list::parse(DOCKER).unwrap();
    let id = |at: usize| running[at].container.id.to_string_lossy().into_owned();
    let mut listeners: Vec<Listener> = [id(0), id(1), "4f".to_owned()]
        .iter()
        .map(|id| {
            let mut listener = held_by(socket(Protocol::Tcp, "0.0.0.0:90", 7), "httpd", 0);
            listener.holders[0].process.container = Some(container("docker", id));
            listener
        })
        .collect();
    let mut lookup = answered(&runtimes, || docker(None));
    lookup.add(&mut listeners);
    let containers = |at: usize| {
        let container = listeners[at].holders[0].process.container.as_ref().unwrap();
        (container.name.as_ref().map(|name| name.to_string_lossy().into_owned()), container.port)
    };
    assert_eq!(containers(0), (Some("host".to_owned()), Some(90)), "the machine's network is its own");
    assert_eq!(containers(1), (Some("web-1".to_owned()), None), "a socket that came from outside");
    assert_eq!(containers(2), (None, None));
    assert_eq!(lookup.gap().map(|gap| (gap.reason, gap.count)), Some((GapReason::Unknown, 1)));
}

#[test]
fn no_runtime_is_queried_without_a_container() {
    let runtimes = Runtimes { named: vec!["/nonexistent/docker.sock".into()], own: Vec::new() };
    let mut lookup = ContainerLookup::new(&runtimes);
    let mut kept = container("lxc", "web");
    kept.name = Some("web".into());
    let mut listeners = [held_by(socket(Protocol::Tcp, "0.0.0.0:90", 7), "node server.js", 1000), proxied()];
    listeners[1].holders.clear();
    listeners[1].container = Some(Box::new(kept.clone()));
    lookup.add(&mut listeners);
    assert!(lookup.results.is_empty() && lookup.gap().is_none());
    assert_eq!(listeners[1].container, Some(Box::new(kept)));
}

#[test]
fn a_users_runtime_is_not_trusted_for_roots_sockets() {
    let runtimes = Runtimes::default();
    let mut lookup = answered(&runtimes, || Err(RuntimeError::Absent));
    let containers = parse_reply(&docker(Some(true)).unwrap(), RuntimeScope::User(1000));
    lookup.results.insert(
        "/run/user/1000/docker.sock".into(),
        RuntimeResult { scope: RuntimeScope::User(1000), containers },
    );
    let mut listeners = [proxied()];
    lookup.add(&mut listeners);
    assert_eq!(listeners[0].container, None);
    assert!(lookup.forwarded(&[RuntimeKind::Docker], &[], &[]).is_empty());
}

/// A user can give a cgroup any name, also that of a container of the system's engine.
#[test]
fn the_systems_runtime_names_no_container_in_a_users_cgroups() {
    let runtimes = Runtimes::default();
    let id = container_list::parse(DOCKER).unwrap()[0].container.id.to_string_lossy().into_owned();
    let named = |uid: Option<u32>| {
        let mut listener = held_by(socket(Protocol::Tcp, "0.0.0.0:90", 7), "httpd", 1000);
        listener.holders[0].process.container = Some(Container { uid, ..container("docker", &id) });
        let mut listeners = [listener];
        answered(&runtimes, || docker(None)).add(&mut listeners);
        let found = listeners[0].holders[0].process.container.clone().unwrap();
        (found.name.is_some(), found.uid)
    };
    assert_eq!(named(None), (true, None));
    assert_eq!(named(Some(1000)), (false, Some(1000)));
}

#[test]
fn a_candidate_that_is_not_the_proxy_is_kept() {
    let runtimes = Runtimes::default();
    let mut lookup = answered(&runtimes, || docker(None));
    let own = Candidate { pid: std::process::id(), name: "docker-proxy".into(), evidence: Evidence::User };
    let candidates = vec![own.clone(), Candidate { pid: 1, name: "init".into(), ..own }];
    let unseen = Unseen {
        reason: UnseenReason::Permission,
        help: None,
        candidates: candidates.clone(),
        kernel: Vec::new(),
    };
    let mut listener = proxied();
    listener.holders.clear();
    listener.unseen = Some(unseen.into());
    let mut listeners = [listener];
    lookup.add(&mut listeners);
    assert_eq!(listeners[0].unseen.as_ref().unwrap().candidates, candidates);
    assert_eq!((&listeners[0].container, lookup.gap()), (&None, None));
}

/// Returns the addresses of forwarded ports.
fn forwarded(here: Option<bool>, sockets: &[Socket], listeners: &[Listener]) -> Vec<String> {
    let runtimes = Runtimes::default();
    let mut lookup = answered(&runtimes, || docker(here));
    let mut listeners = listeners.to_vec();
    lookup.add(&mut listeners);
    let found = lookup.forwarded(&[RuntimeKind::Docker], sockets, &listeners);
    let shown = |listener: &Listener| {
        assert!(listener.socket.is_listener() && listener.holders.is_empty() && listener.unseen.is_none());
        assert_eq!((listener.socket.state, listener.socket.inode), (State::Forwarded, None));
        let port = listener.container.as_deref().and_then(|container| container.port).unwrap();
        format!("{}/{} -> {port}", listener.socket.endpoint, listener.socket.protocol.as_str())
    };
    let mut shown: Vec<String> = found.iter().map(shown).collect();
    shown.sort();
    shown
}

#[test]
fn published_ports_without_a_socket_are_forwarded() {
    let (tcp, udp) = ("0.0.0.0:18080/tcp -> 80", "127.0.0.1:18081/udp -> 81");
    // The container has no IPv6 address, so the port at :: is not forwarded.
    assert_eq!(forwarded(Some(true), &[], &[]), [tcp, udp]);
    assert!(forwarded(None, &[], &[]).is_empty(), "it may be published elsewhere");
    assert!(forwarded(Some(false), &[], &[]).is_empty());
    let proxy = proxied();
    assert_eq!(
        forwarded(Some(true), std::slice::from_ref(&proxy.socket), std::slice::from_ref(&proxy)),
        [udp]
    );
    // A socket with unknown holders may be the proxy's.
    let other = socket(Protocol::Udp, "0.0.0.0:18081", 8);
    assert_eq!(forwarded(Some(true), std::slice::from_ref(&other), &[]), [tcp]);
    // The rules take precedence over a socket of another program.
    let server = held_by(other, "named", 0);
    assert_eq!(
        forwarded(Some(true), std::slice::from_ref(&server.socket), std::slice::from_ref(&server)),
        [tcp, udp]
    );
    // A socket with another port, protocol, address or namespace is not the port's socket.
    let mut inside = socket(Protocol::Tcp, "0.0.0.0:18080", 12);
    inside.namespace = Some("blue".into());
    let others = [
        socket(Protocol::Tcp, "0.0.0.0:18079", 9),
        socket(Protocol::Udp, "0.0.0.0:18080", 10),
        socket(Protocol::Tcp, "127.0.0.1:18080", 11),
        inside,
    ];
    assert_eq!(forwarded(Some(true), &others, &[]), [tcp, udp]);
}

#[test]
fn ports_that_cannot_be_listed_are_a_gap() {
    let runtimes = Runtimes::default();
    let mut lookup = answered(&runtimes, || Err(RuntimeError::Timeout));
    assert!(lookup.forwarded(&[RuntimeKind::Docker], &[], &[]).is_empty());
    let gap = lookup.gap().unwrap();
    assert_eq!((gap.what, gap.reason, gap.count), (GapKind::Containers, GapReason::Timeout, 1));
}
