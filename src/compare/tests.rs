//! Differences, equal snapshots, and comparisons that cannot decide.

use super::*;
use crate::model::{
    Container, Evidence, Gap, GapDetail, GapKind, GapReason, Holder, Process, ProcessId, Service, Socket,
    System, Unseen, UnseenReason,
};
use crate::scan::Query;

pub(super) fn listener(port: u16, inode: u64, pids: &[u32]) -> Listener {
    let endpoint = Endpoint::Ip { address: "127.0.0.1".parse().unwrap(), port, interface: None };
    let mut listener = Listener::new(Socket::new(Protocol::Tcp, endpoint, State::Listen));
    listener.socket.inode = Some(inode);
    let holder = |pid: &u32| Holder {
        process: Process { ..Process::new(ProcessId { pid: *pid, start: Some(1) }, "server".into()) }.into(),
        descriptors: vec![3],
        evidence: Evidence::Descriptor,
    };
    listener.holders = pids.iter().map(holder).collect();
    listener
}

fn half_seen(port: u16, inode: u64, pids: &[u32]) -> Listener {
    let unseen = Some(Unseen {
        reason: UnseenReason::Permission,
        help: None,
        candidates: Vec::new(),
        kernel: Vec::new(),
    });
    Listener { unseen: unseen.map(Box::new), ..listener(port, inode, pids) }
}

#[test]
fn users_of_two_user_namespaces_are_not_compared() {
    let make = |uid| {
        let mut one = listener(80, 1, &[1]);
        one.socket.uid = Some(uid);
        snapshot(vec![one])
    };
    let differs = |before: &Snapshot, after: &Snapshot| {
        compare(before, after).changes.into_iter().flat_map(|change| change.differs).collect::<Vec<_>>()
    };
    let (before, mut after) = (make(4001), make(0));
    assert_eq!(differs(&before, &after), [Difference::User]);
    after.user_namespace = Some(crate::model::UserNamespace { id: 7, users: Vec::new() });
    assert_eq!(differs(&before, &after), []);
    assert!(!compare(&before, &after).same_users);
}

fn snapshot(listeners: Vec<Listener>) -> Snapshot {
    Snapshot {
        paths: Vec::new(),
        host: "h".into(),
        os: System::Linux,
        taken_at: jiff::Timestamp::UNIX_EPOCH,
        privileged: true,
        user_namespace: None,
        complete: true,
        selections: None,
        listeners,
        gaps: Vec::new(),
        sources: Default::default(),
    }
}

/// Returns lines such as `opened 80` and `changed 80 holders`, with a `?` for an uncertain change.
fn lines(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let describe = |change: &Change| {
        let port = change.listener().and_then(|listener| listener.socket.endpoint.port());
        let sure = if change.certain { "" } else { "?" };
        let differs: String = change.differs.iter().map(|one| format!(" {}", one.as_str())).collect();
        format!("{}{sure} {}{differs}", change.kind.as_str(), port.unwrap_or_default())
    };
    changes(before, after).iter().map(describe).collect()
}

fn changes_between(before: Vec<Listener>, after: Vec<Listener>) -> Vec<String> {
    lines(&snapshot(before), &snapshot(after))
}

#[test]
fn listeners_that_opened_closed_or_have_other_holders() {
    let old = || vec![listener(80, 1, &[5]), listener(81, 2, &[6]), listener(82, 3, &[7])];
    assert_eq!(changes_between(old(), old()), [""; 0]);
    let new = vec![listener(79, 9, &[4]), listener(80, 1, &[5]), listener(82, 3, &[8])];
    assert_eq!(changes_between(old(), new), ["opened 79", "closed 81", "changed 82 holders"]);
    // Another socket of the same holder is a change too: the server restarted, or bound again.
    assert_eq!(
        changes_between(vec![listener(80, 1, &[5])], vec![listener(80, 2, &[5])]),
        ["changed 80 socket"]
    );
}

#[test]
fn each_difference_has_its_name() {
    let changed = |change: &dyn Fn(&mut Listener)| {
        let mut other = listener(80, 1, &[5]);
        change(&mut other);
        changes_between(vec![listener(80, 1, &[5])], vec![other])
    };
    assert_eq!(changed(&|other| other.socket.state = State::Bound), ["changed 80 state"]);
    assert_eq!(changed(&|other| other.holders.clear()), ["changed 80 holders"]);
    assert_eq!(changed(&|other| other.holders[0].process.id.start = Some(2)), ["changed 80 holders"]);
    assert_eq!(changed(&|other| other.holders[0].process.name = "other".into()), ["changed 80 holders"]);
    // A value that only one side has is not a difference.
    assert_eq!(changed(&|other| other.socket.uid = Some(7)), [""; 0]);
    assert_eq!(changed(&|other| other.socket.dual_stack = None), [""; 0]);
    let service = |name: &str| {
        let (manager, scope) = ("systemd".into(), "system".into());
        let mut listener = listener(80, 1, &[5]);
        listener.service =
            Some(Box::new(Service { manager, name: name.into(), scope, uid: None, activates: None }));
        listener.socket.uid = Some(if name == "a" { 1 } else { 2 });
        listener.socket.dual_stack = Some(name == "a");
        let (id, name) = (name.into(), Some(name.into()));
        let container = Container {
            runtime: "docker".into(),
            id,
            uid: None,
            name,
            image: None,
            port: None,
            compose: None,
        };
        listener.container = Some(container.into());
        listener
    };
    assert_eq!(
        changes_between(vec![service("a")], vec![service("b")]),
        ["changed 80 user dual_stack service container"]
    );
}

#[test]
fn fluctuating_values_are_not_a_difference() {
    let mut busy = listener(80, 1, &[5]);
    busy.socket.queue = Some(crate::model::AcceptQueue { waiting: 3, limit: Some(5) });
    busy.holders.iter_mut().for_each(|holder| holder.descriptors.push(4));
    assert_eq!(changes_between(vec![listener(80, 1, &[5])], vec![busy]), [""; 0]);
}

#[test]
fn listeners_of_one_address_are_paired() {
    let both = vec![listener(80, 1, &[5]), listener(80, 2, &[6])];
    assert_eq!(changes_between(both.clone(), vec![listener(80, 2, &[6])]), ["closed 80"]);
    let turned = vec![listener(80, 2, &[6]), listener(80, 1, &[5])];
    assert_eq!(changes_between(both, turned), [""; 0]);
    // A document may have a listener twice.
    let twice = || vec![listener(80, 1, &[5]), listener(80, 1, &[5])];
    assert_eq!(changes_between(twice(), twice()), [""; 0]);
    assert_eq!(changes_between(twice(), vec![listener(80, 1, &[5])]), ["closed 80"]);
    // Without inodes they are paired by their holders, all or some of them.
    let make = |pids: &[u32]| {
        let mut listener = listener(80, 0, pids);
        listener.socket.inode = None;
        listener
    };
    assert_eq!(changes_between(vec![make(&[5]), make(&[6])], vec![make(&[6])]), ["closed 80"]);
    assert_eq!(
        changes_between(vec![make(&[5]), make(&[6])], vec![make(&[6, 7])]),
        ["changed 80 holders", "closed 80"]
    );
}

#[test]
fn unix_sockets_without_a_name_do_not_replace_each_other() {
    let unnamed = |inode: u64| {
        let endpoint = Endpoint::Unix { path: None };
        let mut listener = Listener::new(Socket::new(Protocol::Unix, endpoint, State::Listen));
        listener.socket.inode = Some(inode);
        listener
    };
    let selections = Some(vec![Query::new().protocol(Protocol::Unix).selection().clone()]);
    let make = |inode| Snapshot { selections: selections.clone(), ..snapshot(vec![unnamed(inode)]) };
    assert_eq!(lines(&make(1), &make(2)), ["closed 0", "opened 0"]);
}

#[test]
fn a_holder_that_only_one_side_could_see_is_not_a_change() {
    let visible = || vec![listener(80, 1, &[5])];
    let blind = || vec![half_seen(80, 1, &[])];
    assert_eq!(changes_between(visible(), blind()), [""; 0]);
    assert_eq!(changes_between(blind(), visible()), [""; 0]);
    assert_eq!(compare(&snapshot(visible()), &snapshot(blind())).unseen, 1);
    // A visible holder that is missing from a complete side is a change.
    assert_eq!(
        changes_between(vec![listener(80, 1, &[5])], vec![half_seen(80, 1, &[6])]),
        ["changed 80 holders"]
    );
    assert_eq!(changes_between(vec![listener(80, 1, &[5, 6])], vec![half_seen(80, 1, &[6])]), [""; 0]);
    assert_eq!(changes_between(vec![half_seen(80, 1, &[5])], vec![half_seen(80, 1, &[6])]), [""; 0]);
    // Another socket at the address is visible to both sides.
    assert_eq!(changes_between(blind(), vec![listener(80, 2, &[5])]), ["changed 80 socket"]);
}

#[test]
fn names_are_compared_only_with_equal_permissions() {
    let mut cut = listener(80, 1, &[5]);
    cut.holders[0].process.name = "serv".into();
    let ordinary = Snapshot { privileged: false, ..snapshot(vec![cut.clone()]) };
    assert_eq!(lines(&ordinary, &snapshot(vec![listener(80, 1, &[5])])), [""; 0]);
    assert_eq!(changes_between(vec![cut], vec![listener(80, 1, &[5])]), ["changed 80 holders"]);
}

#[test]
fn two_machines_are_compared_by_addresses_and_names() {
    let other = |listeners| Snapshot { host: "other".into(), ..snapshot(listeners) };
    let here = || snapshot(vec![listener(80, 1, &[5, 6])]);
    assert_eq!(lines(&here(), &other(vec![listener(80, 9, &[77])])), [""; 0]);
    assert!(!compare(&here(), &other(Vec::new())).same_machine);
    let mut renamed = listener(80, 1, &[5]);
    renamed.holders[0].process.name = "nginx".into();
    assert_eq!(lines(&here(), &other(vec![renamed])), ["changed 80 holders"]);
    let mut foreign = listener(80, 1, &[5]);
    foreign.holders[0].process.user = Some("www".into());
    assert_eq!(lines(&here(), &other(vec![foreign])), [""; 0], "only one side knows the user");
    assert_eq!(lines(&here(), &other(vec![listener(81, 1, &[5])])), ["closed 80", "opened 81"]);
}

#[test]
fn only_the_common_scope_is_compared() {
    let of_query = |query: Query, listeners| {
        let selections = Some(vec![query.selection().clone()]);
        Snapshot { selections, ..snapshot(listeners) }
    };
    let both = || vec![listener(80, 1, &[5]), listener(81, 2, &[6])];
    let one = of_query(Query::new().port(80).unwrap(), vec![listener(80, 1, &[5])]);
    let all = of_query(Query::new(), both());
    assert_eq!(lines(&one, &all), [""; 0]);
    assert_eq!(lines(&all, &one), [""; 0]);
    assert!(!compare(&one, &all).same_query && compare(&all, &all).same_query);
    let gone = of_query(Query::new(), vec![listener(81, 2, &[6])]);
    assert_eq!(lines(&one, &gone), ["closed 80"]);
    // Sockets in every state, Unix sockets, and those of other namespaces.
    let mut others = both();
    let mut connection = listener(82, 3, &[7]);
    connection.socket.state = State::Established;
    let mut elsewhere = listener(83, 4, &[7]);
    elsewhere.socket.namespace = Some("blue".into());
    let path = Endpoint::Unix { path: Some("/run/x".into()) };
    others.extend([connection, elsewhere, Listener::new(Socket::new(Protocol::Unix, path, State::Listen))]);
    let query = Query::new().all(true).all_namespaces(true).protocol(Protocol::Unix).protocol(Protocol::Tcp);
    let wide = of_query(query, others);
    assert_eq!(lines(&wide, &all), [""; 0]);
    assert_eq!(lines(&all, &wide), [""; 0]);
    // A snapshot without a scope has every listener.
    assert_eq!(lines(&snapshot(both()), &gone), ["closed 80"]);
    // A process filter that one side cannot decide makes that side incomplete.
    let of_five = of_query(Query::new().pid(5), vec![listener(80, 1, &[5])]);
    let blind = of_query(Query::new(), vec![half_seen(80, 1, &[])]);
    assert_eq!(lines(&of_five, &blind), ["closed? 80"]);
    assert!(!compare(&of_five, &blind).complete);
}

#[test]
fn an_absent_row_of_an_incomplete_side_proves_nothing() {
    let incomplete = |listeners| Snapshot { complete: false, ..snapshot(listeners) };
    let two = || vec![listener(80, 1, &[5]), listener(81, 2, &[6])];
    assert_eq!(
        lines(&snapshot(two()), &incomplete(vec![listener(80, 1, &[9])])),
        ["changed 80 holders", "closed? 81"]
    );
    assert_eq!(lines(&incomplete(Vec::new()), &snapshot(vec![listener(80, 1, &[5])])), ["opened? 80"]);
    assert_eq!(lines(&snapshot(Vec::new()), &incomplete(vec![listener(80, 1, &[5])])), ["opened 80"]);
    assert!(!compare(&incomplete(Vec::new()), &snapshot(Vec::new())).complete);
}

#[test]
fn a_missing_forwarded_port_counts_only_with_privilege() {
    let forwarded = || {
        let mut listener = listener(80, 0, &[]);
        (listener.socket.inode, listener.socket.state) = (None, State::Forwarded);
        listener
    };
    let with = || snapshot(vec![forwarded()]);
    assert_eq!(lines(&with(), &snapshot(Vec::new())), ["closed 80"]);
    let ordinary = Snapshot { privileged: false, ..snapshot(Vec::new()) };
    assert_eq!(lines(&with(), &ordinary), ["closed? 80"]);
    let mut silent = snapshot(Vec::new());
    silent.gaps.push(Gap::new(
        GapKind::Containers,
        GapReason::Timeout,
        1,
        GapDetail::Text("docker".into()),
        None,
    ));
    assert_eq!(lines(&silent, &with()), ["opened? 80"]);
}
