//! Finds what would restart a holder, after which delay, and what can stop it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::restart_sources::RestartSources;
use crate::management::restart::{
    Certainty, HeldFor, RestarterKind, RestartingProcess, Stop, Trigger, holds_for_others, restarters,
    stop_for_port,
};
use crate::management::{Manager, ManagingProgram};
use crate::model::compact::CompactCollect as _;
use crate::model::process_table::ProcessTable;
use crate::model::{Listener, Process, ProcessId, Service, ServiceManager, ServiceScope, Text};
use crate::os::{self, AfterSignal, EndSignal, RestartPolicy};
use crate::plan::{Restart, RestartCause};

/// How long Docker and Podman wait before the first restart of a container.
const ENGINE_DELAY: Duration = Duration::from_millis(100);

/// The supervision of holders.
#[derive(Debug, Default)]
pub(super) struct Supervision {
    /// The outermost supervisor of each holder that has one, by pid.
    pub(super) supervisors: BTreeMap<u32, Manager>,
    /// What restarts a holder, by the holder's pid.
    pub(super) restarts: BTreeMap<u32, Vec<Restart>>,
    /// The pids of holders whose unit is known not to restart them.
    pub(super) stays_down: BTreeSet<u32>,
}

/// Finds the supervision of these holders. Some restarts depend on the signal.
pub(super) fn supervision(
    holders: &[(&Process, &Listener)],
    table: &ProcessTable,
    signal: EndSignal,
) -> Supervision {
    let mut found = Supervision::default();
    let pids: BTreeSet<u32> = holders.iter().map(|(process, _)| process.id.pid).collect_set();
    let mut policies = Policies::default();
    for (process, listener) in holders {
        let pid = process.id.pid;
        let mut restarts = Vec::new();
        match process.container.as_ref().or(listener.container.as_deref()) {
            // Supervisors inside of a container cannot be commanded from outside; its engine can.
            Some(container) => restarts.push(Restart {
                by: RestartCause::Engine(container.clone()),
                delay: Some(ENGINE_DELAY),
                certain: false,
            }),
            None => {
                let restarters = restarters(process, table, &mut RestartSources);
                let held =
                    holds_for_others(process).map(|held| super_server_manager(process, &held, listener));
                let shares = |other| share_socket(process.id, other, holders);
                let outermost =
                    held.or_else(|| restarters.iter().rev().find_map(|one| manager(one, &shares)));
                found.supervisors.extend(outermost.map(|manager| (pid, manager)));
                restarts.extend(restarters.iter().filter_map(by_restarter));
            }
        }
        let unit = Unit { service: process.service.as_ref(), in_container: process.container.is_some() };
        let (by_unit, stays_down) = by_unit(&unit, &pids, signal, &mut policies);
        restarts.extend(by_unit);
        if stays_down {
            found.stays_down.insert(pid);
        }
        if !restarts.is_empty() {
            found.restarts.insert(pid, restarts);
        }
    }
    found
}

/// The unit of a process.
struct Unit<'a> {
    service: Option<&'a Service>,
    /// Whether the unit runs the process in a container.
    in_container: bool,
}

/// The restart policies of units, by scope, user and name. Each is read once, because many processes can share a unit.
type Policies = BTreeMap<(ServiceScope, Option<u32>, Text), Option<RestartPolicy>>;

/// Returns the restarts by the unit of a process, and whether the unit is known not to restart it. A unit reacts only to
/// the end of its main process.
fn by_unit(
    unit: &Unit<'_>,
    holders: &BTreeSet<u32>,
    signal: EndSignal,
    policies: &mut Policies,
) -> (Vec<Restart>, bool) {
    let service = unit.service.filter(|service| service.manager == ServiceManager::Systemd);
    let Some(service) = service else { return (Vec::new(), false) };
    let key = (service.scope.clone(), service.uid, service.name.clone());
    let policy = policies.entry(key).or_insert_with(|| os::restart_policy(service));
    let Some(policy) = policy else { return (Vec::new(), false) };
    let mut restarts = Vec::new();
    // The main process of a unit that runs a container is its monitor or client, which ends with the container.
    let ends = unit.in_container || policy.main_pid.is_none_or(|main| holders.contains(&main));
    let after = policy.after_signal(signal.number());
    if ends && after != AfterSignal::StaysDown {
        restarts.push(Restart {
            by: RestartCause::Unit(service.clone()),
            delay: policy.longest_wait(),
            certain: after == AfterSignal::Restarts && policy.main_pid.is_some(),
        });
    }
    restarts.extend(policy.sockets.iter().map(|unit| Restart {
        by: RestartCause::SocketUnit(unit.clone()),
        delay: None,
        certain: true,
    }));
    (restarts, after == AfterSignal::StaysDown && policy.sockets.is_empty())
}

fn by_restarter(restarter: &RestartingProcess) -> Option<Restart> {
    // A file watcher restarts nothing when a server ends.
    (restarter.trigger != Trigger::FileChange).then(|| Restart {
        by: RestartCause::Process { kind: restarter.kind, id: restarter.id, name: restarter.name.clone() },
        delay: restarter.delay,
        certain: restarter.certainty == Certainty::Certain && restarter.trigger == Trigger::End,
    })
}

/// Returns whether two processes hold the same socket of those to free.
fn share_socket(one: ProcessId, other: ProcessId, holders: &[(&Process, &Listener)]) -> bool {
    holders.iter().any(|(process, listener)| {
        process.id == one && listener.holders.iter().any(|holder| holder.process.id == other)
    })
}

/// Returns the manager for a supervisor that can stop a single program, or list its programs. `shares` returns whether a
/// process holds the program's socket too.
fn manager(restarter: &RestartingProcess, shares: &dyn Fn(ProcessId) -> bool) -> Option<Manager> {
    let (stop, find) = match &restarter.stop {
        // circusd keeps its own sockets open when its watchers are stopped.
        _ if restarter.kind == RestarterKind::Circus && shares(restarter.id) => (None, None),
        Stop::Command(words) => (Some(words.clone()), None),
        Stop::FindName(words) => (None, Some(words.clone())),
        Stop::Unknown => (None, None),
        Stop::EndRestarter => return None,
    };
    let program = restarter.program.clone();
    restarter.kind.is_supervisor().then_some(Manager::Supervisor {
        kind: ManagingProgram::Restarter(restarter.kind),
        program,
        stop,
        find,
    })
}

/// Returns the manager for a super-server, with the program that it holds the port for if that is known.
fn super_server_manager(process: &Process, held: &HeldFor, listener: &Listener) -> Manager {
    let port = listener.socket.endpoint.port().unwrap_or_default();
    let (program, stop) = stop_for_port(process, held, port, &mut RestartSources);
    let (stop, find) = match stop {
        Stop::Command(words) => (Some(words), None),
        Stop::FindName(words) => (None, Some(words)),
        Stop::EndRestarter | Stop::Unknown => (None, None),
    };
    Manager::Supervisor { kind: held.kind.into(), program, stop, find }
}
