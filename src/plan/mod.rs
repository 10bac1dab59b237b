//! The plan of `free`: what would be ended to free a port, what must not be, what else goes with it, and what comes
//! back. Pure: `act` observes and carries out, `render` says it.

mod wrapper;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use wrapper::{root, tree, wrappers};

use crate::manager::{self, Account, Manager, Via};
use crate::os::EndSignal;
use crate::process_table::ProcessTable;
use crate::role::{Role, role};
use crate::verdict::Asked;
use crate::{
    Candidate, Condition, Connection, Evidence, Gap, Holder, Listener, Process, ProcessId, Reason, Service,
    Socket, Text,
};

/// How a port is to be freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) via: Via,
    /// The whole tree of the wrapper, not the holders alone.
    pub(crate) tree: bool,
    /// The first signal.
    pub(crate) signal: EndSignal,
}

/// Whether a process may be signalled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    Allowed,
    /// It has ended.
    Ended,
    /// Another user's.
    Denied,
    /// A thread of the kernel, or a pid that stands for the kernel.
    Kernel,
    /// It could not be taken hold of.
    Failed(String),
}

/// What starts a process again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Return {
    pub(crate) by: Restarts,
    /// How long after the end; `None` where that is unknown.
    pub(crate) delay: Option<Duration>,
    /// Whether it is known to do so, not only likely to.
    pub(crate) certain: bool,
}

/// Who starts a process again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Restarts {
    /// The manager of a unit.
    Unit(Service),
    /// systemd, when somebody connects to this socket unit.
    SocketUnit(Text),
    /// The engine, by the container's restart policy.
    Engine(crate::Container),
    /// Another process.
    Process { kind: &'static str, id: ProcessId, name: Text },
}

/// What is known of the forwarding of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Forwarding {
    /// These places are forwarded, without a socket.
    Forwarded(Vec<Listener>),
    /// Nothing listens, and a connection to this address is answered.
    Answered(SocketAddr),
    /// Nothing forwards the port, as far as this machine shows any sign of forwarding.
    RuledOut,
    /// There are signs that something on this machine forwards ports, and whether this port is one of them could not be
    /// read.
    Unknown(Gap),
}

/// What a process listens on besides the port. A process can have tens of thousands of sockets, and a range a plan for
/// each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherSockets {
    /// The first [`LONGEST_LIST`].
    pub(crate) first: Vec<Socket>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// What a plan rests on.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) asked: Asked,
    /// The listening and bound sockets that have the port.
    pub(crate) sockets: Vec<Listener>,
    /// The other sockets of each holder that listen or are bound.
    pub(crate) others: BTreeMap<ProcessId, OtherSockets>,
    /// Listeners of the same port and the other protocol.
    pub(crate) other_protocol: Vec<Listener>,
    pub(crate) clients: Vec<Connection>,
    pub(crate) table: &'a ProcessTable,
    /// What is known of processes that are no holders: ancestors, members of trees.
    pub(crate) known: &'a BTreeMap<u32, Process>,
    pub(crate) access: &'a BTreeMap<ProcessId, Access>,
    /// allears and its ancestors, the nearest first.
    pub(crate) lineage: &'a [u32],
    /// The outermost supervisor of a holder, by its pid.
    pub(crate) supervisors: &'a BTreeMap<u32, Manager>,
    /// What comes back, by the holder's pid.
    pub(crate) returns: &'a BTreeMap<u32, Vec<Return>>,
    /// The pids of holders whose unit is known not to start them again.
    pub(crate) stays_down: &'a BTreeSet<u32>,
    /// The accounts of users, by uid.
    pub(crate) accounts: &'a BTreeMap<u32, Account>,
    pub(crate) forwarding: Forwarding,
    /// Whether /proc shows the pid namespace of this process.
    pub(crate) own_pid_namespace: bool,
    pub(crate) own_uid: Option<u32>,
    /// Whether a program is in the system's own folders, from which alone `--via` runs one.
    pub(crate) is_installed: fn(&Text) -> bool,
}

/// What would be done to free a port.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) asked: Asked,
    /// The listening and bound sockets that have it.
    pub(crate) sockets: Vec<Listener>,
    pub(crate) steps: Vec<Step>,
    /// What a person should know before it is done.
    pub(crate) notes: Vec<Note>,
    /// Why it may not be done; if there is one, nothing is.
    pub(crate) refusals: Vec<Refusal>,
    /// What starts again what is ended.
    pub(crate) returns: Vec<Return>,
}

/// A process that would be ended.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) process: Process,
    pub(crate) part: Part,
    pub(crate) action: Action,
}

/// Why a process is in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// It holds these sockets of the port.
    Holder(Vec<Socket>),
    /// It started a holder and waits for it.
    Wrapper,
    /// It belongs to the wrapper's tree.
    Member,
}

/// What is done to a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// It is sent a signal.
    Signal,
    /// Its manager is told to stop it.
    Stop { via: Via, command: Vec<Text> },
}

/// What a person should know of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// These sockets of other ports go with a process.
    OtherSockets { process: Process, sockets: OtherSockets },
    /// The other protocol uses the port too, by a process that is not in the plan.
    OtherProtocol(Box<Listener>),
    /// Who is connected, and loses that.
    Clients(Vec<Connection>),
    /// Children that are sent no signal. `tree` tells whether ending the whole tree would be allowed.
    Children { process: Process, children: Vec<Candidate>, tree: bool },
    /// What started it, and starts it again or goes on without it.
    Wrapper { process: Process, wrapper: Candidate },
    /// It may be started again by this.
    Returns(Return),
    /// A manager stops it by this command. `restarts` tells whether the manager starts it again after a signal, if that
    /// is known; `runs` whether `--via` would run the command.
    Managed { manager: Manager, command: Option<Vec<Text>>, restarts: Option<bool>, runs: bool },
    /// The process does nothing until it is resumed.
    Halted(Process),
    /// A virtual machine ends with it.
    VirtualMachine(Process),
    /// Connections are passed on without a socket.
    Forwarded { listener: Box<Listener>, command: Option<Vec<Text>> },
    /// A connection to this address is answered, though nothing listens.
    Answered(SocketAddr),
    /// Whether connections are passed on could not be seen.
    ForwardingUnknown(Gap),
}

/// Why a plan may not be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// /proc shows another pid namespace: its pids are other processes here.
    ForeignPidNamespace,
    /// A process stands for others.
    StandsFor {
        process: Process,
        role: Role,
        manager: Option<Manager>,
        command: Option<Vec<Text>>,
    },
    /// allears itself, or what started it.
    Itself(Process),
    Ancestor(Process),
    /// The kernel's own.
    Kernel(Process),
    KernelHolds(Socket),
    /// This user may not end it.
    Denied(Process),
    Failed(Process, String),
    /// It is not certain that it holds the socket.
    Uncertain(Process, Socket),
    /// Not every holder could be seen.
    Unseen(Box<Listener>),
    /// A socket unit's manager holds the socket as well, and cannot be looked into.
    HeldByUnit {
        unit: Service,
        socket: Socket,
        command: Option<Vec<Text>>,
        /// Whether `--via service` would run it: that acts on holders that are seen.
        via: bool,
    },
    /// No manager of the wanted kind has it.
    NoManager {
        process: Option<Process>,
        via: Via,
    },
    /// A manager of another kind would start it again.
    OtherManager {
        process: Process,
        via: Via,
        manager: Manager,
        command: Option<Vec<Text>>,
    },
    /// Its manager does not stop it before it is thawed.
    Frozen(Process),
    /// The program of the command is in none of the system's own folders.
    NoProgram {
        command: Vec<Text>,
    },
    /// No command of its manager is known, or none that is safe.
    NoCommand {
        process: Process,
        manager: Manager,
    },
    /// No wrapper can be told from what belongs to allears.
    TreeHasAllears(Process),
}

/// The longest list of anything in a note.
pub(crate) const LONGEST_LIST: usize = 8;

/// Makes the plan.
pub(crate) fn plan(facts: Facts<'_>, request: Request) -> Plan {
    let mut plan = Plan {
        asked: facts.asked.clone(),
        sockets: Vec::new(),
        steps: Vec::new(),
        notes: Vec::new(),
        refusals: Vec::new(),
        returns: Vec::new(),
    };
    if !facts.sockets.is_empty() && !facts.own_pid_namespace {
        plan.refusals.push(Refusal::ForeignPidNamespace);
    }
    let mut held: BTreeMap<ProcessId, (&Holder, &Listener, Vec<Socket>)> = BTreeMap::new();
    for listener in &facts.sockets {
        plan.refusals.extend(unseen(listener));
        for holder in &listener.holders {
            if stands_beside(holder, listener) {
                continue;
            }
            if !matches!(holder.evidence, Evidence::Descriptor | Evidence::Table) {
                plan.refusals.push(Refusal::Uncertain(holder.process.clone(), listener.socket.clone()));
            }
            let entry = held.entry(holder.process.id).or_insert((holder, listener, Vec::new()));
            entry.2.push(listener.socket.clone());
        }
    }
    let held_by_unit =
        facts.sockets.iter().find_map(|listener| Some((listener, held_by_unseen_unit(listener)?)));
    if let Some((listener, unit)) =
        held_by_unit.filter(|(listener, _)| request.via != Via::Service || listener.holders.is_empty())
    {
        let manager = listener.holders.first().and_then(|holder| {
            manager::managers(listener, holder, None, None).into_iter().find(|one| one.via() == Via::Service)
        });
        let manager = manager.or_else(|| manager::of_socket(listener));
        let command = manager.as_ref().and_then(|manager| manager.stop(facts.own_uid));
        plan.refusals.push(Refusal::HeldByUnit {
            unit: unit.clone(),
            socket: listener.socket.clone(),
            command,
            via: !listener.holders.is_empty(),
        });
    }
    for (holder, listener, sockets) in held.into_values() {
        plan.add_holder(holder, listener, sockets, &facts, request);
    }
    if request.via != Via::Signal
        && !facts.sockets.is_empty()
        && plan.steps.is_empty()
        && plan.refusals.is_empty()
    {
        plan.refusals.push(Refusal::NoManager { process: None, via: request.via });
    }
    if request.tree {
        plan.add_tree(&facts);
    }
    plan.note(&facts, request);
    plan.sockets = facts.sockets;
    plan.refusals.dedup();
    plan
}

/// Why a listener's holders may not be ended: some of them were not seen.
fn unseen(listener: &Listener) -> Option<Refusal> {
    // That is refused by its unit's name.
    if held_by_unseen_unit(listener).is_some() {
        return None;
    }
    match &listener.unseen {
        Some(unseen) if unseen.reason == Reason::Kernel => {
            Some(Refusal::KernelHolds(listener.socket.clone()))
        }
        None if !listener.holders.is_empty() => None,
        _ => Some(Refusal::Unseen(Box::new(listener.clone()))),
    }
}

/// The socket unit that a listener belongs to, if its manager holds the socket too and was not seen to.
fn held_by_unseen_unit(listener: &Listener) -> Option<&Service> {
    let is_manager = |holder: &Holder| {
        matches!(role(&holder.process), Some(Role::FirstProcess | Role::UserManager | Role::ServiceManager))
    };
    let unit = listener.service.as_ref().filter(|service| service.is_socket_unit())?;
    (!listener.holders.iter().any(is_manager)).then_some(unit)
}

/// Whether a holder only keeps the socket of a program that holds it as well: wineserver has every socket of every
/// program in its prefix.
fn stands_beside(holder: &Holder, listener: &Listener) -> bool {
    role(&holder.process) == Some(Role::Wineserver)
        && listener.holders.iter().any(|other| role(&other.process).is_none())
}

impl Plan {
    fn add_holder(
        &mut self,
        holder: &Holder,
        listener: &Listener,
        sockets: Vec<Socket>,
        facts: &Facts<'_>,
        request: Request,
    ) {
        let process = &holder.process;
        let owner = manager::owner(listener, holder, facts.accounts);
        let supervisor = facts.supervisors.get(&process.id.pid).cloned();
        let managers = manager::managers(listener, holder, owner, supervisor);
        let first = managers.first();
        let frozen = matches!(process.condition, Some(Condition::Frozen(_)));
        // A manager does not stop what is frozen: systemd 257 refuses to.
        let command = first.and_then(|manager| manager.stop(facts.own_uid)).filter(|_| !frozen);
        let step = |action| Step { process: process.clone(), part: Part::Holder(sockets), action };
        if request.via == Via::Signal {
            self.refusals.extend(role(process).map(|role| Refusal::StandsFor {
                process: process.clone(),
                role,
                manager: first.cloned(),
                command: command.clone(),
            }));
            if role(process).is_none() {
                self.refusals.extend(facts.forbids(process));
                if let Some(manager) = first {
                    let restarts = facts.restarts(process, manager);
                    let runs =
                        command.as_ref().and_then(|command| command.first()).is_some_and(facts.is_installed);
                    self.add_note(Note::Managed { manager: manager.clone(), command, restarts, runs });
                }
            }
            self.steps.push(step(Action::Signal));
            return;
        }
        if frozen {
            self.refusals.push(Refusal::Frozen(process.clone()));
            return;
        }
        match (first, managers.iter().any(|manager| manager.via() == request.via), command) {
            (Some(manager), _, Some(command)) if manager.via() == request.via => {
                self.steps.push(step(Action::Stop { via: request.via, command }));
            }
            (Some(manager), _, None) if manager.via() == request.via => {
                self.refusals.push(Refusal::NoCommand { process: process.clone(), manager: manager.clone() });
            }
            (Some(manager), true, command) => self.refusals.push(Refusal::OtherManager {
                process: process.clone(),
                via: request.via,
                manager: manager.clone(),
                command,
            }),
            _ => self.refusals.push(Refusal::NoManager { process: Some(process.clone()), via: request.via }),
        }
    }

    /// Adds the trees of the outermost wrappers of the holders, or of the holders themselves.
    fn add_tree(&mut self, facts: &Facts<'_>) {
        let holders: Vec<ProcessId> = self.steps.iter().map(|step| step.process.id).collect();
        let mut members: Vec<Step> = Vec::new();
        let mut known: BTreeSet<ProcessId> = holders.iter().copied().collect();
        let mut roots: BTreeSet<ProcessId> = BTreeSet::new();
        for id in &holders {
            let wrappers = wrappers(*id, facts.table, facts.known);
            let root = root(*id, facts.table, facts.known, facts.lineage);
            // Workers of one server have one tree.
            if !roots.insert(root) {
                continue;
            }
            for entry in tree(root, facts.table) {
                if !known.insert(entry.id) {
                    continue;
                }
                let described = facts.known.get(&entry.id.pid).filter(|process| process.id == entry.id);
                let process =
                    described.cloned().unwrap_or_else(|| Process::new(entry.id, entry.name.clone()));
                if facts.lineage.contains(&entry.id.pid) {
                    self.refusals.push(Refusal::TreeHasAllears(process));
                    continue;
                }
                self.refusals.extend(role(&process).map(|role| Refusal::StandsFor {
                    process: process.clone(),
                    role,
                    manager: None,
                    command: None,
                }));
                self.refusals.extend(facts.forbids(&process));
                let is_wrapper = wrappers.iter().any(|wrapper| wrapper.id == entry.id);
                let part = if is_wrapper { Part::Wrapper } else { Part::Member };
                members.push(Step { process, part, action: Action::Signal });
            }
        }
        // A wrapper that is told first does not start again what ends next.
        let (mut wrappers, others): (Vec<Step>, Vec<Step>) =
            members.into_iter().partition(|step| step.part == Part::Wrapper);
        wrappers.sort_by_key(|step| step.process.id.pid);
        let holders = std::mem::take(&mut self.steps);
        self.steps = wrappers.into_iter().chain(holders).chain(others).collect();
    }

    /// Adds what a person should know before it is done.
    fn note(&mut self, facts: &Facts<'_>, request: Request) {
        let ended: BTreeSet<ProcessId> = self.steps.iter().map(|step| step.process.id).collect();
        let steps = self.steps.clone();
        for step in &steps {
            let process = &step.process;
            // The workers of one server share what they listen on.
            let is_said = |sockets: &OtherSockets| {
                self.notes
                    .iter()
                    .any(|note| matches!(note, Note::OtherSockets { sockets: said, .. } if said == sockets))
            };
            if let Some(sockets) = facts.others.get(&process.id).filter(|sockets| !is_said(sockets)) {
                self.notes.push(Note::OtherSockets { process: process.clone(), sockets: sockets.clone() });
            }
            if is_virtual_machine(process) {
                self.notes.push(Note::VirtualMachine(process.clone()));
            }
            if request.via != Via::Signal {
                continue;
            }
            if process.condition.is_some() {
                self.notes.push(Note::Halted(process.clone()));
            }
            if !matches!(step.part, Part::Holder(_)) {
                continue;
            }
            for back in facts.returns.get(&process.id.pid).into_iter().flatten() {
                let stays = |id: &ProcessId| !ended.contains(id);
                let is_left = match &back.by {
                    Restarts::Process { id, .. } => stays(id),
                    _ => true,
                };
                if is_left && !self.returns.contains(back) {
                    self.returns.push(back.clone());
                }
            }
            let stays =
                |entry: &&crate::process_table::ProcessEntry| !entry.zombie && !ended.contains(&entry.id);
            let children: Vec<Candidate> = facts
                .table
                .descendants(process.id.pid)
                .into_iter()
                .filter(stays)
                .map(|entry| facts.candidate(entry.id, &entry.name))
                .collect();
            if !children.is_empty() {
                let stands = |child: &Candidate| {
                    facts.known.get(&child.pid).is_some_and(|process| role(process).is_some())
                };
                let tree = !children.iter().any(stands);
                self.notes.push(Note::Children { process: process.clone(), children, tree });
            }
            let wrapper = wrappers(process.id, facts.table, facts.known)
                .into_iter()
                .rfind(|wrapper| stays(wrapper) && !facts.lineage.contains(&wrapper.id.pid));
            if let Some(wrapper) = wrapper {
                let wrapper = facts.candidate(wrapper.id, &wrapper.name);
                self.add_note(Note::Wrapper { process: process.clone(), wrapper });
            }
        }
        let returns = self.returns.iter().cloned().map(Note::Returns).collect::<Vec<_>>();
        self.notes.extend(returns);
        if !facts.clients.is_empty() && !ended.is_empty() {
            self.notes.push(Note::Clients(facts.clients.clone()));
        }
        // What goes with a process of the plan is among its other sockets. The rest is left alone.
        for listener in &facts.other_protocol {
            let mut listener = listener.clone();
            let known = !listener.holders.is_empty() && listener.unseen.is_none();
            listener.holders.retain(|holder| !ended.contains(&holder.process.id));
            if !known || !listener.holders.is_empty() {
                self.notes.push(Note::OtherProtocol(Box::new(listener)));
                break;
            }
        }
        match &facts.forwarding {
            Forwarding::RuledOut => {}
            Forwarding::Forwarded(listeners) => {
                for listener in listeners {
                    let stop = |container| manager::stop_container(container, None, facts.own_uid);
                    let command = listener.container.as_ref().and_then(stop);
                    self.notes.push(Note::Forwarded { listener: Box::new(listener.clone()), command });
                }
            }
            Forwarding::Answered(address) => self.notes.push(Note::Answered(*address)),
            Forwarding::Unknown(gap) => self.notes.push(Note::ForwardingUnknown(gap.clone())),
        }
    }

    fn add_note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

impl Facts<'_> {
    /// Why a process may not be signalled, whatever it stands for.
    fn forbids(&self, process: &Process) -> Option<Refusal> {
        if self.lineage.first() == Some(&process.id.pid) {
            return Some(Refusal::Itself(process.clone()));
        }
        if self.lineage.contains(&process.id.pid) {
            return Some(Refusal::Ancestor(process.clone()));
        }
        match self.access.get(&process.id) {
            Some(Access::Allowed | Access::Ended) => None,
            Some(Access::Denied) => Some(Refusal::Denied(process.clone())),
            Some(Access::Kernel) => Some(Refusal::Kernel(process.clone())),
            Some(Access::Failed(error)) => Some(Refusal::Failed(process.clone(), error.clone())),
            None => Some(Refusal::Failed(process.clone(), "it was not looked at".to_owned())),
        }
    }

    /// Whether its manager starts a process again after a signal; `None` if that is unknown.
    fn restarts(&self, process: &Process, manager: &Manager) -> Option<bool> {
        let pid = process.id.pid;
        let is_of = |back: &Return| match (manager, &back.by) {
            (Manager::Container { .. }, Restarts::Engine(_))
            | (Manager::Service { .. }, Restarts::Unit(_)) => true,
            (Manager::Supervisor { kind: own, .. }, Restarts::Process { kind, .. }) => own == kind,
            _ => false,
        };
        let back = self.returns.get(&pid).into_iter().flatten().find(|back| is_of(back));
        match (back, manager) {
            (Some(back), _) => back.certain.then_some(true),
            (None, Manager::Service { .. }) if self.stays_down.contains(&pid) => Some(false),
            _ => None,
        }
    }

    /// A process that is named and not ended: by its full name where that is known.
    fn candidate(&self, id: ProcessId, name: &Text) -> Candidate {
        let known = self.known.get(&id.pid).filter(|process| process.id == id);
        let name = known.map_or_else(|| name.clone(), |process| process.name.clone());
        Candidate { pid: id.pid, name, evidence: Evidence::Table }
    }
}

/// Whether a process is the emulator of a virtual machine.
fn is_virtual_machine(process: &Process) -> bool {
    let file = process.executable.as_ref().map_or_else(|| process.name.as_bytes(), Text::file_name);
    file.starts_with(b"qemu-system-") || file == b"qemu-kvm" || file == b"firecracker"
}

#[cfg(test)]
mod tests;
