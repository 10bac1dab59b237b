//! The plan by what it rests on: roles, evidence, managers, trees, notes, refusals.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::bind_attempt::BindTarget;
use crate::management::Account;
use crate::model::process_table::ProcessEntry;
use crate::model::process_table::ProcessTable;
use crate::model::{
    Connection, Container, Endpoint, Gap, GapDetail, GapKind, GapReason, Protocol, State, Unseen,
};
use crate::os::EndSignal;

/// What a plan rests on, owned.
#[derive(Debug)]
struct Machine {
    sockets: Vec<Listener>,
    others: BTreeMap<ProcessId, OtherSockets>,
    other_protocol: Vec<Listener>,
    clients: Vec<Connection>,
    entries: Vec<ProcessEntry>,
    known: BTreeMap<u32, Process>,
    access: BTreeMap<ProcessId, Access>,
    lineage: Vec<u32>,
    supervisors: BTreeMap<u32, Manager>,
    restarts: BTreeMap<u32, Vec<Restart>>,
    stays_down: BTreeSet<u32>,
    accounts: BTreeMap<u32, Account>,
    forwarding: Forwarding,
    own_pid_namespace: bool,
    own_uid: Option<u32>,
}

/// allears and the shell that it was started from.
const OWN: u32 = 900;
const SHELL: u32 = 800;

fn id(pid: u32) -> ProcessId {
    ProcessId { pid, start: Some(u64::from(pid)) }
}

fn entry(pid: u32, parent: u32, group: u32, session: u32) -> ProcessEntry {
    ProcessEntry {
        id: id(pid),
        parent,
        name: "x".into(),
        group: Some(group),
        session: Some(session),
        condition: None,
        zombie: false,
    }
}

fn process(pid: u32, command: &[&str]) -> Process {
    let name = command.first().copied().unwrap_or("x");
    let name = name.rsplit('/').next().unwrap_or(name);
    let mut process = Process::new(id(pid), name.into());
    process.uid = Some(1000);
    process.command = Some(command.iter().map(|argument| Text::from(*argument)).collect());
    process
}

fn node(pid: u32) -> Process {
    process(pid, &["node", "server.js"])
}

fn socket(protocol: Protocol, port: u16) -> Socket {
    let endpoint = Endpoint::Ip { address: [127, 0, 0, 1].into(), port, interface: None };
    let state = if protocol == Protocol::Udp { State::Closed } else { State::Listen };
    Socket::new(protocol, endpoint, state)
}

fn listener(protocol: Protocol, holders: impl IntoIterator<Item = Process>) -> Listener {
    let mut listener = Listener::new(socket(protocol, 3000));
    listener.holders = holders
        .into_iter()
        .map(|process| Holder { process, descriptors: vec![3], evidence: Evidence::Descriptor })
        .collect();
    listener
}

fn service(name: &str, uid: Option<u32>) -> Service {
    Service {
        manager: "systemd".into(),
        name: name.into(),
        scope: if uid.is_some() { "user" } else { "system" }.into(),
        uid,
        activates: None,
    }
}

fn container(runtime: &str) -> Container {
    Container {
        runtime: runtime.into(),
        id: "4f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e8326".into(),
        name: Some("web".into()),
        image: None,
        port: None,
        uid: None,
        compose: None,
    }
}

fn supervisor() -> Manager {
    Manager::Supervisor {
        kind: "supervisord",
        program: Some("web".into()),
        stop: Some(vec!["supervisorctl".into(), "stop".into(), "web".into()]),
        find: None,
    }
}

/// One of every role.
fn of_each_role() -> Vec<Process> {
    let mut first = node(1);
    first.name = "node".into();
    vec![
        first,
        process(41, &["/usr/lib/systemd/systemd", "--user"]),
        process(42, &["/sbin/launchd"]),
        process(43, &["svchost.exe"]),
        process(44, &["/usr/bin/dockerd", "-H", "fd://"]),
        process(45, &["/usr/bin/docker-proxy", "-proto", "tcp"]),
        process(46, &["gvproxy"]),
        process(47, &["wineserver"]),
        process(48, &["sshd: dev@pts/0"]),
        process(49, &["/usr/sbin/xinetd", "-dontfork"]),
    ]
}

impl Machine {
    fn new(holders: impl IntoIterator<Item = Process>) -> Machine {
        let mut machine = Machine {
            sockets: vec![listener(Protocol::Tcp, holders)],
            others: BTreeMap::new(),
            other_protocol: Vec::new(),
            clients: Vec::new(),
            entries: vec![entry(1, 0, 1, 1), entry(SHELL, 1, SHELL, SHELL), entry(OWN, SHELL, OWN, SHELL)],
            known: BTreeMap::new(),
            access: BTreeMap::new(),
            lineage: vec![OWN, SHELL, 1],
            supervisors: BTreeMap::new(),
            restarts: BTreeMap::new(),
            stays_down: BTreeSet::new(),
            accounts: BTreeMap::new(),
            forwarding: Forwarding::RuledOut,
            own_pid_namespace: true,
            own_uid: Some(0),
        };
        let holders: Vec<Process> =
            machine.sockets.iter().flat_map(|it| &it.holders).map(|it| it.process.clone()).collect();
        for process in holders {
            machine.add(process, 1, 0, 0);
        }
        machine
    }

    /// A process that may be ended: one of group and session 0 leads its own.
    fn add(&mut self, process: Process, parent: u32, group: u32, session: u32) {
        let pid = process.id.pid;
        let or_own = |of: u32| if of == 0 { pid } else { of };
        self.entries.retain(|entry| entry.id.pid != pid);
        self.entries.push(entry(pid, parent, or_own(group), or_own(session)));
        self.access.insert(process.id, Access::Allowed);
        self.known.insert(pid, process);
    }

    fn plan(&self, via: Via, tree: bool) -> Plan {
        let table: ProcessTable = self.entries.iter().cloned().collect();
        let target = BindTarget { protocol: Protocol::Tcp, address: None, interface: None, port: 3000 };
        let facts = Facts {
            target,
            sockets: self.sockets.clone(),
            others: self.others.clone(),
            other_protocol: self.other_protocol.clone(),
            clients: self.clients.clone(),
            table: &table,
            known: &self.known,
            access: &self.access,
            lineage: &self.lineage,
            supervisors: &self.supervisors,
            restarts: &self.restarts,
            stays_down: &self.stays_down,
            accounts: &self.accounts,
            forwarding: self.forwarding.clone(),
            own_pid_namespace: self.own_pid_namespace,
            own_uid: self.own_uid,
            is_installed: |_| true,
        };
        plan(facts, Request { via, tree, signal: EndSignal::Terminate })
    }

    fn signal(&self) -> Plan {
        self.plan(Via::Signal, false)
    }

    fn tree(&self) -> Plan {
        self.plan(Via::Signal, true)
    }
}

fn pids(plan: &Plan) -> Vec<u32> {
    plan.steps.iter().map(|step| step.process.id.pid).collect()
}

/// The commands of a plan, each once; empty if it has a refusal.
fn commands(plan: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    for step in plan.steps.iter().filter(|_| plan.refusals.is_empty()) {
        let Action::Stop { command, .. } = &step.action else { continue };
        let line = command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        if !found.contains(&line) {
            found.push(line);
        }
    }
    found
}

fn has_note(plan: &Plan, is: impl Fn(&Note) -> bool) -> bool {
    plan.notes.iter().any(is)
}

#[test]
fn a_server_is_ended() {
    let plan = Machine::new([node(50), node(51)]).signal();
    assert_eq!((pids(&plan), plan.refusals, plan.notes), (vec![50, 51], vec![], vec![]));
}

#[test]
fn whatever_stands_for_others_is_refused() {
    for process in of_each_role() {
        let role = role(&process).unwrap();
        for evidence in [Evidence::Descriptor, Evidence::Table, Evidence::Cgroup] {
            for access in [Access::Allowed, Access::Ended, Access::Denied] {
                for tree in [false, true] {
                    let mut machine = Machine::new([process.clone()]);
                    machine.sockets[0].holders[0].evidence = evidence;
                    machine.access.insert(process.id, access.clone());
                    let plan = machine.plan(Via::Signal, tree);
                    let refused = plan.refusals.iter().any(
                        |refusal| matches!(refusal, Refusal::StandsFor { role: named, .. } if *named == role),
                    );
                    assert!(refused, "{role:?} {evidence:?} {access:?}: {:?}", plan.refusals);
                }
            }
        }
    }
}

#[test]
fn a_refusal_names_the_command_of_the_manager() {
    let mut proxy = process(45, &["/usr/bin/docker-proxy"]);
    proxy.service = Some(service("docker.service", None));
    let mut machine = Machine::new([proxy]);
    machine.sockets[0].container = Some(container("docker"));
    let plan = machine.signal();
    let [Refusal::StandsFor { command: Some(command), manager: Some(Manager::Container { .. }), .. }] =
        plan.refusals.as_slice()
    else {
        panic!("{:?}", plan.refusals)
    };
    assert_eq!(command, &["docker", "stop", "web"].map(Text::from));
    assert_eq!(commands(&machine.plan(Via::Container, false)), ["docker stop web"]);
}

#[test]
fn wineserver_is_left_alone_if_the_program_holds_the_socket_too() {
    let wineserver = || process(47, &["wineserver"]);
    let plan = Machine::new([wineserver(), node(50)]).signal();
    assert_eq!((pids(&plan), plan.refusals), (vec![50], vec![]));

    let refused = |holders: Vec<Process>| !Machine::new(holders).signal().refusals.is_empty();
    assert!(refused(vec![wineserver()]));
    // Neither is a program that the socket is for.
    assert!(refused(vec![wineserver(), process(45, &["docker-proxy"])]));
    assert!(refused(vec![wineserver(), process(40, &["wineserver64"])]));

    // It is left alone for one socket, and holds another one alone.
    let mut machine = Machine::new([wineserver(), node(50)]);
    machine.sockets.push(listener(Protocol::Tcp, [wineserver()]));
    assert!(!machine.signal().refusals.is_empty());
}

#[test]
fn each_manager_by_its_own_command() {
    let via = |machine: &Machine, via| commands(&machine.plan(via, false));
    let mut server = node(50);
    let none = Machine::new([server.clone()]);
    for other in [Via::Container, Via::Service, Via::Supervisor] {
        let plan = none.plan(other, false);
        assert!(matches!(plan.refusals.as_slice(), [Refusal::NoManager { .. }]), "{:?}", plan.refusals);
    }

    server.service = Some(service("web.service", None));
    let unit = Machine::new([server.clone()]);
    assert_eq!(via(&unit, Via::Service), ["systemctl stop -- web.service"]);
    assert!(via(&unit, Via::Container).is_empty() && via(&unit, Via::Supervisor).is_empty());

    // systemd would start the supervisor again, and not what it runs.
    let mut both = Machine::new([server.clone()]);
    both.supervisors.insert(50, supervisor());
    assert_eq!(via(&both, Via::Supervisor), ["supervisorctl stop web"]);
    let plan = both.plan(Via::Service, false);
    assert!(matches!(plan.refusals.as_slice(), [Refusal::OtherManager { via: Via::Service, .. }]));

    // A quadlet's unit would start its container again.
    server.container = Some(container("podman"));
    let quadlet = Machine::new([server.clone()]);
    assert_eq!(via(&quadlet, Via::Service), ["systemctl stop -- web.service"]);
    let plan = quadlet.plan(Via::Container, false);
    assert!(matches!(plan.refusals.as_slice(), [Refusal::OtherManager { via: Via::Container, .. }]));

    server.service = None;
    assert_eq!(via(&Machine::new([server.clone()]), Via::Container), ["podman stop web"]);
    server.container = Some(container("lxc"));
    let plan = Machine::new([server]).plan(Via::Container, false);
    assert!(matches!(plan.refusals.as_slice(), [Refusal::NoCommand { .. }]));
}

#[test]
fn a_supervisor_of_which_no_command_is_known() {
    let mut machine = Machine::new([node(50)]);
    let manager = Manager::Supervisor { kind: "pm2", program: None, stop: None, find: None };
    machine.supervisors.insert(50, manager);
    let plan = machine.plan(Via::Supervisor, false);
    assert!(matches!(plan.refusals.as_slice(), [Refusal::NoCommand { .. }]), "{:?}", plan.refusals);
}

#[test]
fn another_users_unit_is_stopped_in_that_users_manager() {
    let mut server = node(50);
    server.service = Some(service("web.service", Some(1000)));
    let mut machine = Machine::new([server]);
    let command = |machine: &Machine| commands(&machine.plan(Via::Service, false));
    assert_eq!(command(&machine), ["systemctl --user -M 1000@ stop -- web.service"]);
    machine.own_uid = Some(1000);
    assert_eq!(command(&machine), ["systemctl --user stop -- web.service"]);
}

#[test]
fn a_socket_unit_goes_with_the_service_it_started() {
    let mut systemd = process(1, &["/sbin/init"]);
    systemd.uid = Some(0);
    let mut unit = service("web.socket", None);
    unit.activates = Some("web.service".into());
    let mut machine = Machine::new([systemd.clone()]);
    machine.sockets[0].service = Some(unit.clone());
    assert_eq!(commands(&machine.plan(Via::Service, false)), ["systemctl stop -- web.socket"]);

    let mut server = node(50);
    server.service = Some(service("web.service", None));
    let mut machine = Machine::new([systemd, server]);
    machine.sockets[0].service = Some(unit);
    let plan = machine.plan(Via::Service, false);
    assert_eq!(commands(&plan), ["systemctl stop -- web.socket web.service"], "one command");
    // By signals nobody is ended.
    assert!(matches!(machine.signal().refusals.as_slice(), [Refusal::StandsFor { .. }]));

    // A user's service of that name is another one.
    machine.sockets[0].holders[1].process.service = Some(service("web.service", Some(1000)));
    let stops = ["systemctl stop -- web.socket", "systemctl --user -M 1000@ stop -- web.service"];
    assert_eq!(commands(&machine.plan(Via::Service, false)), stops);
}

#[test]
fn a_port_that_a_manager_holds_unseen_is_refused() {
    let mut unit = service("web.socket", Some(1000));
    unit.activates = Some("web.service".into());
    let mut server = node(50);
    server.service = Some(service("web.service", Some(1000)));
    let mut machine = Machine::new([server]);
    machine.sockets[0].service = Some(unit);
    let refused = machine.signal();
    let [Refusal::HeldByUnit { unit, command: Some(command), via: true, .. }] = refused.refusals.as_slice()
    else {
        panic!("{:?}", refused.refusals);
    };
    assert_eq!(unit.name.as_str(), Some("web.socket"));
    assert_eq!(
        command.iter().rev().take(2).rev().cloned().collect::<Vec<Text>>(),
        ["web.socket".into(), "web.service".into()]
    );
    // Nobody is seen: the unit is named all the same, and there is nothing that --via could act on.
    machine.sockets[0].holders.clear();
    assert!(matches!(machine.signal().refusals.as_slice(), [Refusal::HeldByUnit { via: false, .. }]));
}

#[test]
fn a_rootless_container_is_stopped_by_its_owners_engine() {
    let mut server = node(50);
    server.container = Some(container("docker"));
    let mut machine = Machine::new([server]);
    assert_eq!(commands(&machine.plan(Via::Container, false)), ["docker stop web"], "whatever its uid is");
    machine.sockets[0].holders[0].process.container.as_mut().unwrap().uid = Some(1000);
    machine.accounts.insert(1000, Account { uid: 1000, name: "dev".into() });
    let expected = "docker --host=unix:///run/user/1000/docker.sock stop web";
    assert_eq!(commands(&machine.plan(Via::Container, false)), [expected]);
}

/// `npm run dev` in a person's shell, which started `sh -c`, which started the server, which has a child; and the shell
/// has another job.
fn in_a_wrapper() -> Machine {
    let mut machine = Machine::new([node(63)]);
    machine.add(process(60, &["-zsh"]), 1, 60, 60);
    machine.add(process(61, &["npm run dev"]), 60, 61, 60);
    machine.add(process(62, &["sh", "-c", "node server.js"]), 61, 61, 60);
    machine.add(node(63), 62, 61, 60);
    machine.add(process(64, &["esbuild"]), 63, 61, 60);
    // A watcher whose parent has ended.
    machine.add(process(65, &["tsc", "-w"]), 1, 61, 60);
    machine.add(process(70, &["vim"]), 60, 70, 60);
    machine
}

#[test]
fn a_tree_is_the_wrapper_with_all_it_started() {
    let plan = in_a_wrapper().tree();
    assert_eq!(pids(&plan), [61, 62, 63, 64, 65], "wrappers first, the shell and its other jobs not at all");
    let parts: Vec<&Part> = plan.steps.iter().map(|step| &step.part).collect();
    assert!(matches!(parts[..], [Part::Wrapper, Part::Wrapper, Part::Holder(_), Part::Member, Part::Member]));
    assert_eq!(plan.refusals, []);
    assert!(!has_note(&plan, |note| matches!(note, Note::Wrapper { .. } | Note::Children { .. })));
}

#[test]
fn without_tree_the_wrapper_and_the_children_are_named() {
    let plan = in_a_wrapper().signal();
    assert_eq!(pids(&plan), [63]);
    assert!(has_note(&plan, |note| matches!(note, Note::Wrapper { wrapper, .. } if wrapper.pid == 61)));
    let of_child = |note: &Note| {
        matches!(note, Note::Children { children, .. }
            if children.iter().map(|child| child.pid).eq([64]))
    };
    assert!(has_note(&plan, of_child));
}

#[test]
fn workers_of_one_server_have_one_tree() {
    let mut machine = Machine::new([node(63), node(64)]);
    machine.add(process(61, &["npm run dev"]), 1, 61, 61);
    machine.add(node(63), 61, 61, 61);
    machine.add(node(64), 63, 61, 61);
    assert_eq!(pids(&machine.tree()), [61, 63, 64]);
}

#[test]
fn a_tree_that_allears_is_in_is_refused() {
    for inside in [OWN, SHELL] {
        let mut machine = in_a_wrapper();
        machine.lineage = vec![OWN, SHELL, 1];
        machine.entries.push(entry(inside, 62, 61, 60));
        let plan = machine.tree();
        let refused = |refusal: &Refusal| matches!(refusal, Refusal::TreeHasAllears(process) if process.id.pid == inside);
        assert!(plan.refusals.iter().any(refused), "{:?}", plan.refusals);
        assert!(!pids(&plan).contains(&inside));
    }
}

#[test]
fn a_script_that_started_allears_too_stays() {
    let mut machine = in_a_wrapper();
    machine.entries.push(entry(OWN, 61, 61, 60));
    machine.lineage = vec![OWN, 61, 60, 1];
    for (tree, expected) in [(false, vec![63]), (true, vec![62, 63, 64])] {
        let plan = machine.plan(Via::Signal, tree);
        assert_eq!((pids(&plan), plan.refusals), (expected, vec![]));
    }
}

#[test]
fn a_tree_with_a_process_that_stands_for_others_is_refused() {
    for (at, mut member) in (80..).zip(of_each_role()) {
        if member.id.pid == 1 {
            continue;
        }
        member.id = id(at);
        let mut machine = in_a_wrapper();
        machine.add(member.clone(), 62, 61, 60);
        let refused = |refusal: &Refusal| matches!(refusal, Refusal::StandsFor { process, .. } if process.id == member.id);
        let plan = machine.tree();
        assert!(plan.refusals.iter().any(refused), "{:?}: {:?}", member.name, plan.refusals);
    }
}

#[test]
fn a_member_that_may_not_be_ended_refuses_the_tree() {
    let mut machine = in_a_wrapper();
    machine.access.insert(id(64), Access::Denied);
    assert!(matches!(machine.tree().refusals.as_slice(), [Refusal::Denied(_)]));
    machine.access.remove(&id(64));
    assert!(matches!(machine.tree().refusals.as_slice(), [Refusal::Failed(..)]), "nobody took hold of it");
}

#[test]
fn what_else_goes_is_named() {
    let mut machine = Machine::new([node(50)]);
    let sockets = OtherSockets { first: vec![socket(Protocol::Udp, 53)], more: 3 };
    machine.others.insert(id(50), sockets.clone());
    let goes = Note::OtherSockets { process: node(50), sockets };
    assert!(machine.signal().notes.contains(&goes));
}

#[test]
fn the_other_protocol_is_left_alone_only_if_nobody_in_the_plan_has_it() {
    let is_left = |note: &Note| matches!(note, Note::OtherProtocol(_));
    let mut machine = Machine::new([node(50)]);
    machine.other_protocol = vec![listener(Protocol::Udp, [node(50)])];
    assert!(!has_note(&machine.signal(), is_left), "it is ended");
    machine.other_protocol = vec![listener(Protocol::Udp, [node(51)])];
    assert!(has_note(&machine.signal(), is_left));
    machine.other_protocol = vec![listener(Protocol::Udp, [node(50), node(51)])];
    let names_51 = |note: &Note| {
        matches!(note, Note::OtherProtocol(listener)
            if listener.holders.iter().map(|holder| holder.process.id.pid).eq([51]))
    };
    assert!(has_note(&machine.signal(), names_51), "whoever is left alone is named");
    machine.other_protocol = vec![listener(Protocol::Udp, [])];
    assert!(has_note(&machine.signal(), is_left), "by whom is unknown");
}

#[test]
fn clients_are_named_if_somebody_is_ended() {
    let mut machine = Machine::new([node(50)]);
    machine.clients = vec![Connection {
        peer: "127.0.0.1:40000".parse().unwrap(),
        state: State::Established,
        clients: Vec::new(),
    }];
    let is_of_clients = |note: &Note| matches!(note, Note::Clients(_));
    assert!(has_note(&machine.signal(), is_of_clients));
    machine.sockets.clear();
    assert!(!has_note(&machine.signal(), is_of_clients));
}

#[test]
fn what_restarts_it_is_told_unless_it_is_ended_as_well() {
    let mut machine = in_a_wrapper();
    let by = RestartedBy::Process { kind: "a loop in a shell", id: id(62), name: "sh".into() };
    let restart = Restart { by, delay: None, certain: true };
    let unit = Restart {
        by: RestartedBy::Unit(service("web.service", None)),
        delay: Some(Duration::from_secs(5)),
        certain: true,
    };
    machine.restarts.insert(63, vec![restart.clone(), unit.clone(), restart.clone()]);
    assert_eq!(machine.signal().restarts, [restart, unit.clone()]);
    assert_eq!(machine.tree().restarts, std::slice::from_ref(&unit), "the loop ends with the tree");
    assert!(machine.tree().notes.contains(&Note::Restarts(unit)));
}

#[test]
fn a_foreign_pid_namespace_refuses() {
    let mut machine = Machine::new([node(50)]);
    machine.own_pid_namespace = false;
    for via in [Via::Signal, Via::Service, Via::Container, Via::Supervisor] {
        assert!(machine.plan(via, false).refusals.contains(&Refusal::ForeignPidNamespace));
    }
    // Nobody is meant by a pid if nobody holds it.
    machine.sockets.clear();
    assert_eq!(machine.signal().refusals, []);
}

#[test]
fn holders_that_were_not_seen_refuse() {
    let mut machine = Machine::new([node(50)]);
    for reason in [Reason::Permission, Reason::Exited, Reason::Kernel] {
        machine.sockets[0].unseen =
            Some(Unseen { reason, help: None, candidates: Vec::new(), kernel: Vec::new() });
        let plan = machine.signal();
        assert!(matches!(plan.refusals.as_slice(), [Refusal::Unseen(_) | Refusal::KernelHolds(..)]));
    }
    // Nobody says why nobody was seen.
    let machine = Machine::new([]);
    assert!(matches!(machine.signal().refusals.as_slice(), [Refusal::Unseen(_)]));
}

#[test]
fn forwarding_is_told() {
    let mut machine = Machine::new([]);
    machine.sockets.clear();
    let mut passed_on = listener(Protocol::Tcp, []);
    passed_on.container = Some(container("docker"));
    machine.forwarding = Forwarding::Forwarded(vec![passed_on]);
    let command = ["docker", "stop", "web"].map(Text::from).to_vec();
    let has_command =
        |note: &Note| matches!(note, Note::Forwarded { command: Some(named), .. } if *named == command);
    assert!(has_note(&machine.signal(), has_command));
    let gap = Gap {
        what: GapKind::Forwarding,
        reason: GapReason::Permission,
        count: 1,
        detail: GapDetail::Text("x".into()),
        help: None,
    };
    machine.forwarding = Forwarding::Unknown(gap.clone());
    assert!(machine.signal().notes.contains(&Note::ForwardingUnknown(gap)));
}

/// A process that a plan must never end, or any other.
fn any_process(pid: u32) -> impl Strategy<Value = Process> {
    let mut every: Vec<Process> = of_each_role();
    every.extend([
        node(50),
        process(50, &["sh", "-c", "x"]),
        process(50, &["npm run dev"]),
        process(50, &["-bash"]),
        process(50, &["gunicorn: master [app]"]),
    ]);
    select(every).prop_map(move |mut process| {
        process.id = id(pid);
        process
    })
}

prop_compose! {
    /// Processes 1 to 9, each below an earlier one, of any kind, of which some hold sockets and some are the lineage.
    fn any_machine()(
        processes in (1_u32..10).map(any_process).collect::<Vec<_>>(),
        parents in proptest::collection::vec(0_u32..9, 9),
        groups in proptest::collection::vec(1_u32..4, 9),
        holders in proptest::collection::vec(proptest::collection::vec(0_usize..9, 0..3), 1..3),
        evidence in select(vec![Evidence::Descriptor, Evidence::Table, Evidence::Cgroup]),
        own in 1_u32..10,
        access in proptest::collection::vec(select(vec![
            Access::Allowed, Access::Allowed, Access::Ended, Access::Denied, Access::Kernel,
            Access::Failed("x".to_owned()),
        ]), 9),
        own_pid_namespace in proptest::bool::weighted(0.9),
    ) -> Machine {
        let mut machine = Machine::new([]);
        machine.entries.clear();
        for (at, process) in processes.iter().enumerate() {
            let pid = process.id.pid;
            let parent = parents[at].min(pid - 1);
            machine.entries.push(entry(pid, parent, groups[at], 1));
            machine.known.insert(pid, process.clone());
            machine.access.insert(process.id, access[at].clone());
        }
        machine.sockets = holders
            .iter()
            .map(|of| {
                let mut listener = listener(Protocol::Tcp, of.iter().map(|at| processes[*at].clone()));
                listener.holders.iter_mut().for_each(|holder| holder.evidence = evidence);
                listener
            })
            .collect();
        let table: ProcessTable = machine.entries.iter().cloned().collect();
        machine.lineage =
            std::iter::once(own).chain(table.ancestors(own).iter().map(|entry| entry.id.pid)).collect();
        machine.own_pid_namespace = own_pid_namespace;
        machine
    }
}

proptest! {
    #[test]
    fn nobody_who_must_live_is_in_a_plan_without_a_refusal(machine in any_machine(), tree: bool) {
        let plan = machine.plan(Via::Signal, tree);
        for step in &plan.steps {
            let process = &step.process;
            let must_live = process.id.pid == 1
                || role(process).is_some()
                || machine.lineage.contains(&process.id.pid)
                || !matches!(machine.access.get(&process.id), Some(Access::Allowed | Access::Ended))
                || !machine.own_pid_namespace;
            prop_assert!(!must_live || !plan.refusals.is_empty(), "{process:?}");
        }
        let mut all = pids(&plan);
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all.len(), plan.steps.len(), "each process once");
        // What is held and not refused is held by nobody but processes of the plan, and wineserver beside them.
        for holder in machine.sockets.iter().flat_map(|listener| &listener.holders) {
            let beside = role(&holder.process) == Some(Role::Wineserver);
            prop_assert!(!plan.refusals.is_empty() || beside || all.contains(&holder.process.id.pid));
        }
        let wrappers = plan.steps.iter().rposition(|step| step.part == Part::Wrapper);
        let holder = plan.steps.iter().position(|step| matches!(step.part, Part::Holder(_)));
        prop_assert!(wrappers.is_none() || holder.is_none() || wrappers < holder, "wrappers first");
    }

    #[test]
    fn a_manager_is_told_one_thing(machine in any_machine()) {
        for via in [Via::Container, Via::Service, Via::Supervisor] {
            let plan = machine.plan(via, false);
            prop_assert!(plan.steps.iter().all(|step| step.action != Action::Signal), "no signal is sent");
        }
    }
}
