//! Plans for machines of a few processes.

mod managers;
mod notes;
mod properties;
mod refusals;
mod trees;

use std::time::Duration;

use super::*;
use crate::bind_attempt::BindTarget;
use crate::management::restart::RestarterKind;
use crate::management::test_support::{container, system_unit, user_unit};
use crate::management::{EngineUser, ManagingProgram};
use crate::model::process_table::ProcessEntry;
use crate::model::process_table::ProcessTable;
use crate::model::{Connection, Endpoint, Gap, GapDetail, GapKind, GapReason, Protocol, State, Unseen};
use crate::os::EndSignal;

/// The facts for a plan, owned.
#[derive(Debug)]
struct PlanFacts {
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
    engine_users: BTreeMap<u32, EngineUser>,
    forwarding: Forwarding,
    own_pid_namespace: bool,
    own_uid: Option<u32>,
}

/// The pids of allears and of the shell that started it.
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
        .map(|process| Holder {
            process: process.into(),
            descriptors: vec![3],
            evidence: Evidence::Descriptor,
        })
        .collect();
    listener
}

fn supervisor() -> Manager {
    Manager::Supervisor {
        kind: ManagingProgram::Restarter(RestarterKind::Supervisord),
        program: Some("web".into()),
        stop: Some(vec!["supervisorctl".into(), "stop".into(), "web".into()]),
        find: None,
    }
}

/// Returns a process of each role.
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

impl PlanFacts {
    fn new(holders: impl IntoIterator<Item = Process>) -> PlanFacts {
        let mut facts = PlanFacts {
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
            engine_users: BTreeMap::new(),
            forwarding: Forwarding::RuledOut,
            own_pid_namespace: true,
            own_uid: Some(0),
        };
        let holders: Vec<Process> =
            facts.sockets.iter().flat_map(|it| &it.holders).map(|it| Process::clone(&it.process)).collect();
        for process in holders {
            facts.add(process, 1, 0, 0);
        }
        facts
    }

    /// Adds a process that may be ended. With group or session 0 it leads its own.
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
        let facts = PlanInputs {
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
            engine_users: &self.engine_users,
            forwarding: self.forwarding.clone(),
            own_pid_namespace: self.own_pid_namespace,
            own_uid: self.own_uid,
            is_installed: |_| true,
        };
        plan(facts, PlanRequest { via, tree, signal: EndSignal::Terminate })
    }

    fn signal(&self) -> Plan {
        self.plan(Via::Signal, false)
    }

    fn tree(&self) -> Plan {
        self.plan(Via::Signal, true)
    }
}

/// An interactive shell runs `npm run dev`, which runs `sh -c`, which runs the server, which has a child. The shell has
/// another job too.
fn in_a_wrapper() -> PlanFacts {
    let mut facts = PlanFacts::new([node(63)]);
    facts.add(process(60, &["-zsh"]), 1, 60, 60);
    facts.add(process(61, &["npm run dev"]), 60, 61, 60);
    facts.add(process(62, &["sh", "-c", "node server.js"]), 61, 61, 60);
    facts.add(node(63), 62, 61, 60);
    facts.add(process(64, &["esbuild"]), 63, 61, 60);
    // A file watcher whose parent has ended.
    facts.add(process(65, &["tsc", "-w"]), 1, 61, 60);
    facts.add(process(70, &["vim"]), 60, 70, 60);
    facts
}

fn pids(plan: &Plan) -> Vec<u32> {
    plan.steps.iter().map(|step| step.process.id.pid).collect()
}

/// Returns the commands of a plan, each once. Empty if the plan has a refusal.
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

fn has_note(plan: &Plan, is: impl Fn(&PlanNote) -> bool) -> bool {
    plan.notes.iter().any(is)
}
#[test]
fn a_server_is_ended() {
    let plan = PlanFacts::new([node(50), node(51)]).signal();
    assert_eq!((pids(&plan), plan.refusals, plan.notes), (vec![50, 51], vec![], vec![]));
}
