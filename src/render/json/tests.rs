//! Tests: documents are read back, damage is named, and no text acts on a terminal.

use jiff::Timestamp;
use proptest::prelude::*;

use super::{read, write, write_lines};
use crate::model::text::acts_on_terminal;
use crate::model::{
    AcceptQueue, Candidate, Compose, Condition, Connection, Container, Endpoint, ErrorKind, Evidence,
    Freezer, FreezerScope, Gap, GapDetail, GapKind, GapReason, GitHead, Help, Holder, Listener, PathContent,
    PathTarget, Process, ProcessId, Project, Protocol, RelatedProcess, Service, Snapshot, Socket, State,
    Supervisor, Text, UnixPath, UnknownUser, Unseen, UnseenReason, UserNamespace, UserRange,
};
use crate::model::{Selection, UserName};
use crate::model::{System, Target};
use crate::scan::Query;

fn process(name: Vec<u8>, command: Option<Vec<Vec<u8>>>) -> Process {
    Process {
        id: ProcessId { pid: 4121, start: Some(7) },
        name: name.into(),
        command: command.map(|command| command.into_iter().map(Text::from).collect()),
        script: Some(vec![0xfe, b'v'].into()),
        script_change: Some(crate::model::FileChange::Removed),
        executable: Some("/usr/bin/node".into()),
        executable_change: Some(crate::model::FileChange::Replaced),
        directory: None,
        project: Some(Project {
            directory: vec![b'/', 0xff].into(),
            marker: ".git".into(),
            head: Some(GitHead::Branch(vec![0xfe, b'b'].into())),
            worktree: Some(vec![0xfd, b'w'].into()),
        }),
        uid: Some(70000),
        user: Some("dev".into()),
        unknown_user: Some(UnknownUser::UnmappedOrOverflow),
        started_at: Timestamp::from_second(1_000_000).ok(),
        parents: vec![RelatedProcess { pid: 1, name: vec![0xff].into() }],
        children: Some(vec![RelatedProcess { pid: 4122, name: vec![0xfe].into() }]),
        supervisor: Some(Supervisor {
            kind: "tmux".into(),
            pid: 1,
            name: vec![0xff].into(),
            terminal: Some(true),
        }),
        service: Some(Service {
            manager: "systemd".into(),
            name: "x.service".into(),
            scope: "user".into(),
            uid: Some(1000),
            activates: Some("y.service".into()),
        }),
        container: Some(Container {
            runtime: "docker".into(),
            id: "4f1d".into(),
            uid: Some(1000),
            name: Some("web-1".into()),
            image: Some("web:3".into()),
            port: Some(80),
            compose: Some(Compose { project: "shop".into(), service: Some("web".into()) }),
        }),
        condition: Some(Condition::Frozen(Freezer {
            version: 2,
            cgroup: vec![b'/', 0xff].into(),
            control: Some(vec![b'/', 0xfe].into()),
            scope: Some(FreezerScope::Container),
        })),
    }
}

fn sample_selections() -> Vec<Selection> {
    let target = |text: &str| text.parse::<Target>().unwrap();
    let query = Query::new().target(target("udp/8000-8010")).target(target("[fe80::1%eth0]:80"));
    let query =
        query.target(target("/run/x")).protocol(Protocol::Udp).ipv4(true).all(true).exposed(true).pid(7);
    let query = query.user(UserName::Uid(70000)).user(UserName::Name("dev".into())).command("vi\u{1b}te");
    vec![Selection::default(), query.all_namespaces(true).selection().clone()]
}

fn snapshot(name: Vec<u8>, command: Option<Vec<Vec<u8>>>) -> Snapshot {
    let endpoint =
        Endpoint::Ip { address: "fe80::1".parse().unwrap(), port: 80, interface: Some("eth0".into()) };
    let mut listener = Listener::new(Socket::new(Protocol::Tcp, endpoint, State::Listen));
    listener.socket.inode = Some(9);
    listener.socket.unknown_user = Some(UnknownUser::NotReported);
    listener.socket.queue = Some(AcceptQueue { waiting: 1, limit: None });
    let process = process(name.clone(), command);
    listener.holders.push(Holder {
        process: process.into(),
        descriptors: vec![3, 19],
        evidence: Evidence::Descriptor,
    });
    let candidates = vec![Candidate { pid: 8, name: name.clone().into(), evidence: Evidence::Cgroup }];
    listener.unseen = Some(
        Unseen {
            reason: UnseenReason::HiddenProc,
            help: Some(Help::Text("h".into())),
            candidates: candidates.clone(),
            kernel: Vec::new(),
        }
        .into(),
    );
    let peer = "192.0.2.1:999".parse().unwrap();
    listener.connections = Some(vec![Connection { peer, state: State::TimeWait, clients: candidates }]);
    let mut unix =
        Socket::new(Protocol::Unix, Endpoint::Unix { path: Some(name.clone().into()) }, State::Listen);
    unix.other_paths = vec!["/run/x.sock".into()];
    unix.path_leads_to = Some(PathTarget::OtherFile);
    Snapshot {
        host: "h".into(),
        os: System::Linux,
        taken_at: Timestamp::from_second(2_000_000).unwrap(),
        privileged: false,
        user_namespace: Some(UserNamespace {
            id: 4_026_532_500,
            users: vec![UserRange { first: 0, outside: 4001, count: 1 }],
        }),
        complete: true,
        selections: Some(sample_selections()),
        listeners: vec![listener, Listener::new(unix)],
        paths: vec![UnixPath { path: name.into(), holds: PathContent::AbandonedSocket }],
        gaps: vec![Gap::new(
            GapKind::Descriptors,
            GapReason::Permission,
            3,
            GapDetail::Text("three".into()),
            Help::Text("sudo".into()),
        )],
        sources: Default::default(),
    }
}

fn written(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(snapshot, &mut bytes).unwrap();
    bytes
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        name in proptest::collection::vec(any::<u8>(), 0..20),
        command in proptest::option::of(proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..4)),
    ) {
        let snapshot = snapshot(name, command);
        prop_assert_eq!(read(&written(&snapshot)).unwrap(), snapshot);
    }

    #[test]
    fn nothing_in_it_acts_on_a_terminal(name in "\\PC*|[\u{0}-\u{a0}]*|[\u{2000}-\u{206f}]*|[\u{e0000}-\u{e00ff}]*") {
        let bytes = written(&snapshot(name.into_bytes(), None));
        let text = String::from_utf8(bytes).unwrap();
        prop_assert!(!text.replace('\n', "").contains(acts_on_terminal));
    }

    #[test]
    fn damaged_documents_are_errors(at in 0usize..2000, byte in any::<u8>()) {
        let mut bytes = written(&snapshot(b"node".to_vec(), None));
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = read(&bytes);
        bytes.truncate(at);
        prop_assert!(read(&bytes).is_err());
    }
}

#[test]
fn the_place_of_a_fault_is_named() {
    let good = String::from_utf8(written(&snapshot(b"node".to_vec(), None))).unwrap();
    for (from, to, place) in [
        ("\"port\": 80", "\"port\": \"x\"", "listeners[0].port"),
        ("\"protocol\": \"tcp\"", "\"protocol\": \"tpc\"", "listeners[0].protocol"),
        ("\"udp\"", "\"pdu\"", "asked[1].targets.protocol"),
        ("8000", "9000", "asked[1].targets"),
        ("allears/1", "allears/2", "schema"),
        ("allears/1", "other", "schema"),
        ("\"evidence\": \"descriptor\"", "\"evidence\": \"hearsay\"", "holders.evidence"),
    ] {
        let error = read(good.replacen(from, to, 1).as_bytes()).unwrap_err();
        let described = crate::os::describe_chain(&error);
        assert!(described.contains(place), "{described}");
        assert_eq!(error.kind(), ErrorKind::Document);
    }
    assert!(read(b"{}").unwrap_err().to_string().contains("schema"));
    assert!(read(b"").is_err());
}

#[test]
fn lines_are_not_a_document() {
    let mut lines = Vec::new();
    write_lines(&snapshot(b"node".to_vec(), None), &mut lines).unwrap();
    assert_eq!(lines.split(|byte| *byte == b'\n').count(), 4, "two listeners, a gap, and the end");
    assert_eq!(read(&lines).unwrap_err().help(), Some(&Help::OneDocument));
}
