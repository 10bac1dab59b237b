//! The plan of `free`: what to end to free a port, what must not be ended, what else is affected, and what restarts.
//! Pure: `act` collects the facts and carries the plan out, `render` describes it.

mod model;
mod wrapper;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use model::{
    Access, Action, Forwarding, LONGEST_LIST, OtherSockets, Plan, PlanInputs, PlanNote, PlanRefusal,
    PlanRequest, Restart, RestartCause, Step, StepReason,
};
pub(crate) use wrapper::{root, tree, wrappers};

use crate::management;
use crate::management::role::{Role, role};
use crate::management::{Manager, ManagingProgram, Via};
use crate::model::compact::CompactCollect as _;
use crate::model::{
    Candidate, Condition, EndSignal, Evidence, Holder, Listener, Process, ProcessId, Service, Socket, Text,
    UnseenReason,
};

/// Makes the plan for one port.
pub(crate) fn plan(facts: PlanInputs<'_>, request: PlanRequest) -> Plan {
    let mut plan = Plan {
        target: facts.target.clone(),
        sockets: Vec::new(),
        steps: Vec::new(),
        notes: Vec::new(),
        refusals: Vec::new(),
        restarts: Vec::new(),
    };
    if !facts.sockets.is_empty() && !facts.own_pid_namespace {
        plan.refusals.push(PlanRefusal::ForeignPidNamespace);
    }
    let mut held: BTreeMap<ProcessId, (&Holder, &Listener, Vec<Socket>)> = BTreeMap::new();
    for listener in &facts.sockets {
        plan.refusals.extend(unseen(listener));
        plan.refusals.extend(stored(listener, request));
        for holder in &listener.holders {
            // A manager that keeps the socket for a unit has its own refusal, which names the unit.
            let keeps = listener.descriptor_store.is_some() && is_manager(holder);
            if stands_beside(holder, listener) || keeps {
                continue;
            }
            if !matches!(holder.evidence, Evidence::Descriptor | Evidence::Table) {
                plan.refusals
                    .push(PlanRefusal::Uncertain(Process::clone(&holder.process), listener.socket.clone()));
            }
            let entry = held.entry(holder.process.id).or_insert((holder, listener, Vec::new()));
            entry.2.push(listener.socket.clone());
        }
    }
    // With --via service, the unit of a visible holder is stopped.
    let held_by_unit = facts
        .sockets
        .iter()
        .filter(|listener| request.via != Via::Service || listener.holders.is_empty())
        .find_map(|listener| Some((listener, held_by_unseen_unit(listener)?)));
    if let Some((listener, unit)) = held_by_unit {
        let manager = listener.holders.first().and_then(|holder| {
            management::managers(listener, holder, None, None)
                .into_iter()
                .find(|one| one.via() == Via::Service)
        });
        let manager = manager.or_else(|| management::manager_of_socket(listener));
        let command = manager.as_ref().and_then(|manager| manager.stop(facts.own_uid));
        plan.refusals.push(PlanRefusal::HeldByUnit {
            unit: unit.clone(),
            socket: listener.socket.clone(),
            command,
            via: !listener.holders.is_empty(),
        });
    }
    for (holder, listener, sockets) in held.into_values() {
        plan.add_holder(holder, listener, sockets, &facts, request);
    }
    if request.tree {
        plan.add_tree(&facts, request.signal);
    }
    plan.note(&facts, request);
    plan.sockets = facts.sockets;
    plan.refusals.dedup();
    plan
}

/// Returns the refusal for a listener that has unseen holders.
fn unseen(listener: &Listener) -> Option<PlanRefusal> {
    // That case has its own refusal, which names the unit.
    if held_by_unseen_unit(listener).is_some() {
        return None;
    }
    match &listener.unseen {
        Some(unseen) if unseen.reason == UnseenReason::Kernel => {
            Some(PlanRefusal::KernelHolds(listener.socket.clone(), unseen.kernel.clone()))
        }
        None if !listener.holders.is_empty() => None,
        _ => Some(PlanRefusal::Unseen(Box::new(listener.clone()))),
    }
}

/// Returns the refusal for a socket that a manager keeps in the descriptor store of a service. Ending the holders does
/// not free it. Stopping the service does, unless the store is preserved.
fn stored(listener: &Listener, request: PlanRequest) -> Option<PlanRefusal> {
    let store = listener.descriptor_store.as_ref()?;
    let served = listener.holders.iter().any(|holder| !is_manager(holder));
    let stopped = request.via == Via::Service && served && store.preserved != Some(true);
    (!stopped).then(|| PlanRefusal::Stored(listener.socket.clone(), store.clone()))
}

fn is_manager(holder: &Holder) -> bool {
    matches!(role(&holder.process), Some(Role::FirstProcess | Role::UserManager | Role::ServiceManager))
}

/// Returns the socket unit of a listener if the unit's manager, which holds the socket too, is not among the holders.
fn held_by_unseen_unit(listener: &Listener) -> Option<&Service> {
    let unit = listener.service.as_deref().filter(|service| service.is_socket_unit())?;
    (!listener.holders.iter().any(is_manager)).then_some(unit)
}

/// Returns whether a holder only keeps the socket of a program that holds it too: wineserver has every socket of every
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
        facts: &PlanInputs<'_>,
        request: PlanRequest,
    ) {
        let process = &*holder.process;
        let engine_user = management::engine_user(listener, holder, facts.engine_users);
        let supervisor = facts.supervisors.get(&process.id.pid).cloned();
        let managers = management::managers(listener, holder, engine_user, supervisor);
        let first = managers.first();
        let frozen = matches!(process.condition, Some(Condition::Frozen(_)));
        // A manager does not stop a frozen process: systemd 257 refuses to.
        let command = first.and_then(|manager| manager.stop(facts.own_uid)).filter(|_| !frozen);
        let step =
            |action| Step { process: Process::clone(process), reason: StepReason::Holder(sockets), action };
        if request.via == Via::Signal {
            self.refusals.extend(role(process).map(|role| PlanRefusal::StandsFor {
                process: Process::clone(process),
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
                    self.add_note(PlanNote::Managed { manager: manager.clone(), command, restarts, runs });
                }
            }
            self.steps.push(step(Action::Signal(request.signal)));
            return;
        }
        if frozen {
            self.refusals.push(PlanRefusal::Frozen(Process::clone(process)));
            return;
        }
        match (first, managers.iter().any(|manager| manager.via() == request.via), command) {
            (Some(manager), _, Some(command)) if manager.via() == request.via => {
                self.steps.push(step(Action::Stop { via: request.via, command }));
            }
            (Some(manager), _, None) if manager.via() == request.via => {
                self.refusals.push(PlanRefusal::NoCommand {
                    process: Process::clone(process),
                    manager: manager.clone(),
                });
            }
            (Some(manager), true, command) => self.refusals.push(PlanRefusal::OtherManager {
                process: Process::clone(process),
                via: request.via,
                manager: manager.clone(),
                command,
            }),
            _ => self
                .refusals
                .push(PlanRefusal::NoManager { process: Process::clone(process), via: request.via }),
        }
    }

    /// Adds the trees of the outermost wrappers of the holders, or of the holders themselves.
    fn add_tree(&mut self, facts: &PlanInputs<'_>, signal: EndSignal) {
        let holders: Vec<ProcessId> = self.steps.iter().map(|step| step.process.id).collect();
        let mut members: Vec<Step> = Vec::new();
        let mut known: BTreeSet<ProcessId> = holders.iter().copied().collect_set();
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
                    self.refusals.push(PlanRefusal::TreeHasAllears(process));
                    continue;
                }
                self.refusals.extend(role(&process).map(|role| PlanRefusal::StandsFor {
                    process: process.clone(),
                    role,
                    manager: None,
                    command: None,
                }));
                self.refusals.extend(facts.forbids(&process));
                let is_wrapper = wrappers.iter().any(|wrapper| wrapper.id == entry.id);
                let reason = if is_wrapper { StepReason::Wrapper } else { StepReason::Member };
                members.push(Step { process, reason, action: Action::Signal(signal) });
            }
        }
        // Wrappers are ended first, so that they do not restart what ends next.
        let (mut wrappers, others): (Vec<Step>, Vec<Step>) =
            members.into_iter().partition(|step| step.reason == StepReason::Wrapper);
        wrappers.sort_by_key(|step| step.process.id.pid);
        let holders = std::mem::take(&mut self.steps);
        self.steps = wrappers.into_iter().chain(holders).chain(others).collect();
    }

    /// Adds the notes.
    fn note(&mut self, facts: &PlanInputs<'_>, request: PlanRequest) {
        let ended: BTreeSet<ProcessId> = self.steps.iter().map(|step| step.process.id).collect_set();
        let steps = self.steps.clone();
        for step in &steps {
            let process = &step.process;
            // The workers of one server share their sockets: one note is enough.
            let is_noted = |sockets: &OtherSockets| {
                self.notes.iter().any(
                    |note| matches!(note, PlanNote::OtherSockets { sockets: noted, .. } if noted == sockets),
                )
            };
            if let Some(sockets) = facts.others.get(&process.id).filter(|sockets| !is_noted(sockets)) {
                self.notes
                    .push(PlanNote::OtherSockets { process: process.clone(), sockets: sockets.clone() });
            }
            if is_virtual_machine(process) {
                self.notes.push(PlanNote::VirtualMachine(process.clone()));
            }
            if request.via != Via::Signal {
                continue;
            }
            if process.condition.is_some() {
                self.notes.push(PlanNote::Halted(process.clone()));
            }
            if !matches!(step.reason, StepReason::Holder(_)) {
                continue;
            }
            for restart in facts.restarts.get(&process.id.pid).into_iter().flatten() {
                let stays = |id: &ProcessId| !ended.contains(id);
                let is_left = match &restart.by {
                    RestartCause::Process { id, .. } => stays(id),
                    _ => true,
                };
                if is_left && !self.restarts.contains(restart) {
                    self.restarts.push(restart.clone());
                }
            }
            let stays = |entry: &&crate::model::process_table::ProcessEntry| {
                !entry.zombie && !ended.contains(&entry.id)
            };
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
                self.notes.push(PlanNote::Children { process: process.clone(), children, tree });
            }
            let wrapper = wrappers(process.id, facts.table, facts.known)
                .into_iter()
                .rfind(|wrapper| stays(wrapper) && !facts.lineage.contains(&wrapper.id.pid));
            if let Some(wrapper) = wrapper {
                let wrapper = facts.candidate(wrapper.id, &wrapper.name);
                self.add_note(PlanNote::Wrapper { process: process.clone(), wrapper });
            }
        }
        let restarts = self.restarts.iter().cloned().map(PlanNote::Restarts).collect::<Vec<_>>();
        self.notes.extend(restarts);
        if !facts.clients.is_empty() && !ended.is_empty() {
            self.notes.push(PlanNote::Clients(facts.clients.clone()));
        }
        // A listener of a process in the plan is among its other sockets. Only other processes need this note.
        for listener in &facts.other_protocol {
            let mut listener = listener.clone();
            let known = !listener.holders.is_empty() && listener.unseen.is_none();
            listener.holders.retain(|holder| !ended.contains(&holder.process.id));
            if !known || !listener.holders.is_empty() {
                self.notes.push(PlanNote::OtherProtocol(Box::new(listener)));
                break;
            }
        }
        match &facts.forwarding {
            Forwarding::RuledOut => {}
            Forwarding::Forwarded(listeners) => {
                for listener in listeners {
                    let stop = |container| management::stop_container(container, None, facts.own_uid);
                    let command = listener.container.as_deref().and_then(stop);
                    self.notes.push(PlanNote::Forwarded { listener: Box::new(listener.clone()), command });
                }
            }
            Forwarding::Answered(address) => self.notes.push(PlanNote::Answered(*address)),
            Forwarding::Unknown(gap) => self.notes.push(PlanNote::ForwardingUnknown(gap.clone())),
        }
    }

    fn add_note(&mut self, note: PlanNote) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

impl PlanInputs<'_> {
    /// Returns why a process may not be signalled, apart from its role.
    fn forbids(&self, process: &Process) -> Option<PlanRefusal> {
        if self.lineage.first() == Some(&process.id.pid) {
            return Some(PlanRefusal::Itself(process.clone()));
        }
        if self.lineage.contains(&process.id.pid) {
            return Some(PlanRefusal::RelatedProcess(process.clone()));
        }
        match self.access.get(&process.id) {
            Some(Access::Allowed | Access::Ended) => None,
            Some(Access::Denied) => Some(PlanRefusal::Denied(process.clone())),
            Some(Access::Kernel) => Some(PlanRefusal::Kernel(process.clone())),
            Some(Access::Failed(error)) => Some(PlanRefusal::Failed(process.clone(), Some(error.clone()))),
            None => Some(PlanRefusal::Failed(process.clone(), None)),
        }
    }

    /// Returns whether its manager restarts a process after a signal. `None` if that is unknown.
    fn restarts(&self, process: &Process, manager: &Manager) -> Option<bool> {
        let pid = process.id.pid;
        let is_of = |restart: &Restart| match (manager, &restart.by) {
            (Manager::Container { .. }, RestartCause::Engine(_))
            | (Manager::Service { .. }, RestartCause::Unit(_)) => true,
            (Manager::Supervisor { kind: own, .. }, RestartCause::Process { kind, .. }) => {
                *own == ManagingProgram::Restarter(*kind)
            }
            _ => false,
        };
        let restart = self.restarts.get(&pid).into_iter().flatten().find(|restart| is_of(restart));
        match (restart, manager) {
            (Some(restart), _) => restart.certain.then_some(true),
            (None, Manager::Service { .. }) if self.stays_down.contains(&pid) => Some(false),
            _ => None,
        }
    }

    /// Returns a process to name in a note, with its full name if that is known.
    fn candidate(&self, id: ProcessId, name: &Text) -> Candidate {
        let known = self.known.get(&id.pid).filter(|process| process.id == id);
        let name = known.map_or_else(|| name.clone(), |process| process.name.clone());
        Candidate { pid: id.pid, name, evidence: Evidence::Table }
    }
}

/// Returns whether a process is the emulator of a virtual machine.
fn is_virtual_machine(process: &Process) -> bool {
    let file = process.executable.as_ref().map_or_else(|| process.name.as_bytes(), Text::file_name);
    file.starts_with(b"qemu-system-") || file == b"qemu-kvm" || file == b"firecracker"
}

#[cfg(test)]
mod tests;
