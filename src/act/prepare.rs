//! Collects the facts for a plan of `free`. It opens a handle of every process that the plan may end before it plans, so
//! that a reused pid cannot be mistaken for one of them later.

mod ports;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::engine_users::engine_users;
use super::forwarding::forwarding;
use super::supervision::{Supervision, supervision};
use super::why::{clients, listeners_of_other_protocol};
use crate::bind_attempt::BindTarget;
use crate::enrich::containers::Runtimes;
use crate::enrich::program_labels;
use crate::management::EngineUser;
use crate::model::Selection;
use crate::model::Target;
use crate::model::compact::{CompactCollect as _, CompactSort as _};
use crate::model::process_table::ProcessTable;
use crate::model::{Error, ErrorKind, Listener, Process, ProcessId, Protocol, Socket, UnseenReason};
use crate::os::{self, KillHandle};
use crate::plan::{
    Access, Action, Forwarding, LONGEST_LIST, OtherSockets, Plan, PlanInputs, PlanRefusal, PlanRequest, plan,
    root, tree,
};
use crate::scan::port_sockets;
use ports::{Port, scan_ports};

/// The most scans if holders end during a scan.
const RETRIES: usize = 5;

/// The most handles that are kept open between planning and acting, because each takes a descriptor. The other processes
/// are opened by pid and start when it is their turn.
const MOST_HANDLES: usize = 256;

/// A plan, and open handles of its processes.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    pub(super) handles: Arc<Handles>,
    /// The container runtimes to ask, also after the plan was carried out.
    pub(super) runtimes: Runtimes,
}

#[cfg(all(test, feature = "cli"))]
impl Prepared {
    /// Returns a plan that would end the holders of a port. It has no handles.
    pub(crate) fn for_tests(snapshot: crate::model::Snapshot, port: u16) -> Prepared {
        use crate::plan::{Step, StepReason};
        let has_port = |listener: &Listener| listener.socket.endpoint.port() == Some(port);
        let sockets: Vec<Listener> = snapshot.listeners.into_iter().filter(has_port).collect();
        let steps = sockets.iter().flat_map(|listener| &listener.holders).map(|holder| Step {
            process: Process::clone(&holder.process),
            reason: StepReason::Holder(sockets.iter().map(|listener| listener.socket.clone()).collect()),
            action: Action::Signal(os::EndSignal::Terminate),
        });
        let steps = steps.take(1).collect();
        let target = BindTarget { protocol: Protocol::Tcp, address: None, interface: None, port };
        let (notes, refusals, restarts) = Default::default();
        let plan = Plan { target, sockets, steps, notes, refusals, restarts };
        Prepared { plan, handles: Arc::default(), runtimes: Runtimes::default() }
    }
}

/// Open handles of processes. `None` for a process that had already ended.
#[derive(Debug, Default)]
pub(super) struct Handles(BTreeMap<ProcessId, Option<KillHandle>>);

impl Handles {
    /// Calls `act` with the handle of a process, or with `None` if the process has ended.
    pub(super) fn with<T>(
        &self,
        id: ProcessId,
        act: impl FnOnce(Option<&KillHandle>) -> std::io::Result<T>,
    ) -> std::io::Result<T> {
        match self.0.get(&id) {
            Some(handle) => act(handle.as_ref()),
            None => act(KillHandle::open(id)?.as_ref()),
        }
    }

    /// Returns whether a process has ended. A process that cannot be opened counts as running.
    pub(super) fn has_ended(&self, id: ProcessId) -> bool {
        self.with(id, |handle| Ok(handle.is_none_or(KillHandle::has_ended))).unwrap_or(false)
    }
}

/// Prepares the plans for these targets: one for a single port, and one for each port of a range that is in use.
pub(crate) fn prepare(
    targets: &[Target],
    request: PlanRequest,
    runtimes: &Runtimes,
) -> Result<Vec<Prepared>, Error> {
    let mut ports: Vec<(Port, bool)> = Vec::new();
    for target in targets {
        let mut found = Vec::new();
        let mut unseen: BTreeSet<Option<u64>> = BTreeSet::new();
        for _ in 0..RETRIES {
            found = scan_ports(target, runtimes)?;
            let without = |port: &Port| -> Vec<Option<u64>> {
                let sockets = port.sockets.iter().filter(|listener| has_no_holder(listener));
                sockets.map(|listener| listener.socket.inode).collect()
            };
            let now: BTreeSet<Option<u64>> = found.iter().flat_map(without).collect_set();
            // A socket whose holder ended during the scan looks like one whose holder is not visible. A second scan tells
            // them apart: the first is gone by then.
            let same =
                now.is_subset(&unseen) && !found.iter().any(|port| port.sockets.iter().any(has_exited));
            if now.is_empty() || same {
                break;
            }
            unseen = now;
        }
        let single = target.single_port().is_some();
        let known: BTreeSet<BindTarget> = ports.iter().map(|(port, _)| port.target.clone()).collect_set();
        ports.extend(
            found.into_iter().filter(|port| !known.contains(&port.target)).map(|port| (port, single)),
        );
    }
    let facts = SharedFacts::read(ports.iter().map(|(port, _)| port), request)?;
    ports.into_iter().map(|(port, single)| facts.prepare(port, request, runtimes, single)).collect()
}

/// Keeps the plans of ports that a process of the selection holds. A plan that would end another process is refused.
pub(crate) fn keep_named(plans: &mut Vec<Prepared>, selection: &Selection) {
    let holds = |plan: &Plan| {
        let mut holders = plan.sockets.iter().flat_map(|listener| &listener.holders);
        holders.any(|holder| selection.names(&holder.process))
    };
    plans.retain(|prepared| holds(&prepared.plan));
    for Prepared { plan, .. } in plans {
        let others: Vec<PlanRefusal> = plan
            .steps
            .iter()
            .filter(|step| !selection.names(&step.process))
            .map(|step| PlanRefusal::OtherProgram(step.process.clone(), selection.commands.clone()))
            .collect();
        plan.refusals.extend(others);
    }
}

fn has_no_holder(listener: &Listener) -> bool {
    listener.unseen.is_some() && listener.holders.is_empty()
}

fn has_exited(listener: &Listener) -> bool {
    listener.unseen.as_deref().is_some_and(|unseen| unseen.reason == UnseenReason::Exited)
}

/// The facts that are the same for every port, read once.
struct SharedFacts {
    table: ProcessTable,
    lineage: Vec<u32>,
    own_pid_namespace: bool,
    own_uid: Option<u32>,
    known: BTreeMap<u32, Process>,
    access: BTreeMap<ProcessId, Access>,
    engine_users: BTreeMap<u32, EngineUser>,
    supervision: Supervision,
    /// The other sockets of the holders, by pid.
    others: BTreeMap<u32, Vec<Socket>>,
    handles: Arc<Handles>,
}

impl SharedFacts {
    fn read<'a>(ports: impl Iterator<Item = &'a Port>, request: PlanRequest) -> Result<SharedFacts, Error> {
        let mut holders: Vec<(&Process, &Listener)> = ports
            .flat_map(|port| &port.sockets)
            .flat_map(|listener| listener.holders.iter().map(move |holder| (&*holder.process, listener)))
            .collect();
        holders.compact_sort_by_key(|(process, _)| process.id);
        holders.dedup_by_key(|(process, _)| process.id);
        let table = os::process_table().map_err(|error| {
            Error::new(ErrorKind::Processes, "cannot list the processes of this machine").because(error)
        })?;
        let processes: Vec<&Process> = holders.iter().map(|(process, _)| *process).collect();
        let mut lineage = os::lineage();
        // The process table has the whole chain, however long it is.
        let above = lineage.first().map(|own| table.ancestors(*own)).unwrap_or_default();
        lineage.extend(above.iter().map(|entry| entry.id.pid));
        let known = relatives(&processes, &table, &lineage);
        let (handles, access) = open_handles(&processes, &known, &table, &lineage, request);
        let supervision = supervision(&holders, &table, request.signal);
        let containers = holders
            .iter()
            .flat_map(|(process, listener)| process.container.iter().chain(listener.container.as_deref()));
        Ok(SharedFacts {
            lineage,
            // If this is unknown, a pid may stand for another process.
            own_pid_namespace: os::pid_namespace_is_own() == Some(true),
            own_uid: os::own_uid(),
            engine_users: engine_users(containers),
            others: other_sockets(&processes)?,
            table,
            known,
            access,
            supervision,
            handles: Arc::new(handles),
        })
    }

    fn prepare(
        &self,
        port: Port,
        request: PlanRequest,
        runtimes: &Runtimes,
        single: bool,
    ) -> Result<Prepared, Error> {
        let clients = match port.connected && single && port.target.protocol == Protocol::Tcp {
            true => clients(&port.target)?,
            false => Vec::new(),
        };
        let other_protocol = match single && !port.sockets.is_empty() {
            true => listeners_of_other_protocol(&port.target)?,
            false => Vec::new(),
        };
        let forwarding = match single {
            true => forwarding(&port.target, runtimes)?,
            // A port of a range is in the plan because a socket has it.
            false => Forwarding::RuledOut,
        };
        let facts = PlanInputs {
            target: port.target,
            others: self.other_sockets_of(&port.sockets),
            sockets: port.sockets,
            other_protocol,
            clients,
            forwarding,
            table: &self.table,
            known: &self.known,
            access: &self.access,
            lineage: &self.lineage,
            supervisors: &self.supervision.supervisors,
            restarts: &self.supervision.restarts,
            stays_down: &self.supervision.stays_down,
            engine_users: &self.engine_users,
            own_pid_namespace: self.own_pid_namespace,
            own_uid: self.own_uid,
            is_installed: |program| os::system_program(&program.to_string_lossy()).is_some(),
        };
        let mut plan = plan(facts, request);
        for step in &plan.steps {
            // A missing program is found now instead of halfway through the plan.
            if let Action::Stop { command, .. } = &step.action
                && let Some(program) = command.first()
                && os::system_program(&program.to_string_lossy()).is_none()
            {
                plan.refusals.push(PlanRefusal::NoProgram { command: command.clone() });
                break;
            }
        }
        Ok(Prepared { plan, handles: Arc::clone(&self.handles), runtimes: runtimes.clone() })
    }

    /// Returns the sockets of a port's holders that belong to other ports.
    fn other_sockets_of(&self, sockets: &[Listener]) -> BTreeMap<ProcessId, OtherSockets> {
        // The number of listening sockets of the port that each process has.
        let mut of_port: BTreeMap<ProcessId, usize> = BTreeMap::new();
        for listener in sockets {
            for holder in &listener.holders {
                *of_port.entry(holder.process.id).or_default() += usize::from(listener.socket.is_listener());
            }
        }
        let is_of_port = |socket: &Socket| {
            sockets.iter().any(|listener| match (listener.socket.inode, socket.inode) {
                (Some(one), Some(other)) => one == other,
                _ => listener.socket.order(socket).is_eq(),
            })
        };
        let mut others = BTreeMap::new();
        for (id, of_port) in of_port {
            let Some(held) = self.others.get(&id.pid) else { continue };
            let rest = held.iter().filter(|socket| !is_of_port(socket));
            let first: Vec<Socket> = rest.take(LONGEST_LIST).cloned().collect();
            if !first.is_empty() {
                let more = held.len().saturating_sub(of_port + first.len());
                others.insert(id, OtherSockets { first, more });
            }
        }
        others
    }
}

/// Returns the sockets that each of these processes listens on or has bound, in order.
fn other_sockets(processes: &[&Process]) -> Result<BTreeMap<u32, Vec<Socket>>, Error> {
    let pids: Vec<u32> = processes.iter().map(|process| process.id.pid).collect();
    let mut of: BTreeMap<u32, Vec<Socket>> = BTreeMap::new();
    if pids.is_empty() {
        return Ok(of);
    }
    let mut rows = Vec::new();
    for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::UdpLite, Protocol::Unix] {
        // A table that cannot be read is skipped: it only adds notes on what else ends, and the plan is correct without
        // them.
        if let Ok(table) = port_sockets::sockets(protocol, None, false) {
            rows.extend(table.rows.into_iter().filter(|row| row.socket.is_listener()));
        }
    }
    for (pid, at) in os::held_among(&rows, &pids)? {
        if let Some(row) = rows.get(at) {
            of.entry(pid).or_default().push(row.socket.clone());
        }
    }
    for sockets in of.values_mut() {
        sockets.compact_sort_by(Socket::order);
    }
    Ok(of)
}

/// Returns facts about the ancestors and descendants of holders, and about the trees of their wrappers.
fn relatives(holders: &[&Process], table: &ProcessTable, lineage: &[u32]) -> BTreeMap<u32, Process> {
    let relatives = holders.iter().flat_map(|process| {
        let pid = process.id.pid;
        table.ancestors(pid).into_iter().chain(table.descendants(pid))
    });
    let ids: BTreeSet<ProcessId> = relatives.map(|entry| entry.id).collect_set();
    let mut known = program_labels::describe(&ids.iter().copied().collect::<Vec<_>>());
    // Workers of one server have one tree.
    let roots: BTreeSet<ProcessId> =
        holders.iter().map(|process| root(process.id, table, &known, lineage)).collect_set();
    let members = roots.iter().flat_map(|root| tree(*root, table)).map(|entry| entry.id);
    let more: BTreeSet<ProcessId> = members.filter(|id| !ids.contains(id)).collect_set();
    known.extend(program_labels::describe(&more.into_iter().collect::<Vec<_>>()));
    known
}

/// Opens a handle of every process that a plan may end, and returns which of them may be ended.
fn open_handles(
    holders: &[&Process],
    known: &BTreeMap<u32, Process>,
    table: &ProcessTable,
    lineage: &[u32],
    request: PlanRequest,
) -> (Handles, BTreeMap<ProcessId, Access>) {
    let mut ids: BTreeSet<ProcessId> = holders.iter().map(|process| process.id).collect_set();
    if request.tree {
        let roots: BTreeSet<ProcessId> =
            holders.iter().map(|process| root(process.id, table, known, lineage)).collect_set();
        ids.extend(roots.iter().flat_map(|root| tree(*root, table)).map(|entry| entry.id));
    }
    let mut handles = BTreeMap::new();
    let mut access = BTreeMap::new();
    for id in ids {
        let handle = match os::KERNEL.contains(&id.pid) {
            true => Ok(None),
            false => KillHandle::open(id),
        };
        access.insert(id, access_to(id, &handle));
        if handles.len() < MOST_HANDLES
            && let Ok(handle) = handle
        {
            handles.insert(id, handle);
        }
    }
    (Handles(handles), access)
}

fn access_to(id: ProcessId, handle: &std::io::Result<Option<KillHandle>>) -> Access {
    let failed = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => Access::Denied,
        _ => Access::Failed(error.to_string()),
    };
    match handle {
        _ if os::KERNEL.contains(&id.pid) => Access::Kernel,
        Ok(None) => Access::Ended,
        Ok(Some(handle)) if handle.is_kernel() => Access::Kernel,
        Ok(Some(handle)) => handle.may_end().map_or_else(|error| failed(&error), |()| Access::Allowed),
        Err(error) => failed(error),
    }
}
