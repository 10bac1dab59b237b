//! Who would start a holder again, after how long, and who can be told to stop it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::restart_sources::RestartSources;
use crate::management::Manager;
use crate::management::restart::{
    Certainty, HeldFor, Restarter, RestarterKind, Stop, Trigger, holds_for_others, restarters, stop_for_port,
};
use crate::model::process_table::ProcessTable;
use crate::model::{Listener, Process, ProcessId, Service, ServiceManager, ServiceScope, Text};
use crate::os::{self, AfterSignal, EndSignal, RestartPolicy};
use crate::plan::{Restart, RestartedBy};

/// Docker and Podman wait this long before they start a container again for the first time, if they do.
const ENGINE_DELAY: Duration = Duration::from_millis(100);

/// What is known of how holders are looked after.
#[derive(Debug, Default)]
pub(super) struct Supervision {
    /// The outermost supervisor of each holder that has one, by pid.
    pub(super) supervisors: BTreeMap<u32, Manager>,
    /// What starts again, by the pid of the holder.
    pub(super) restarts: BTreeMap<u32, Vec<Restart>>,
    /// The pids of holders whose unit is known not to start them again.
    pub(super) stays_down: BTreeSet<u32>,
}

/// Finds out who looks after these holders, for the signal that is sent.
pub(super) fn supervision(
    holders: &[(&Process, &Listener)],
    table: &ProcessTable,
    signal: EndSignal,
) -> Supervision {
    let mut found = Supervision::default();
    let pids: BTreeSet<u32> = holders.iter().map(|(process, _)| process.id.pid).collect();
    let mut policies = Policies::default();
    for (process, listener) in holders {
        let pid = process.id.pid;
        let mut restarts = Vec::new();
        match process.container.as_ref().or(listener.container.as_ref()) {
            // Supervisors inside of a container are no business of this side of it; its engine is.
            Some(container) => restarts.push(Restart {
                by: RestartedBy::Engine(container.clone()),
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

/// The unit that looks after a process.
struct Unit<'a> {
    service: Option<&'a Service>,
    /// Whether it does so by a container.
    in_container: bool,
}

/// What units do after their process ends, by scope, user and name: a server with a thousand processes has one unit.
type Policies = BTreeMap<(ServiceScope, Option<u32>, Text), Option<RestartPolicy>>;

/// What the unit of a process does after it ends, and whether it is known to do nothing. The unit reacts to its main
/// process alone.
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
            by: RestartedBy::Unit(service.clone()),
            delay: policy.longest_wait(),
            certain: after == AfterSignal::Restarts && policy.main_pid.is_some(),
        });
    }
    restarts.extend(policy.sockets.iter().map(|unit| Restart {
        by: RestartedBy::SocketUnit(unit.clone()),
        delay: None,
        certain: true,
    }));
    (restarts, after == AfterSignal::StaysDown && policy.sockets.is_empty())
}

fn by_restarter(restarter: &Restarter) -> Option<Restart> {
    // One that waits for a changed file starts nothing because a server ended.
    (restarter.trigger != Trigger::FileChange).then(|| Restart {
        by: RestartedBy::Process {
            kind: name(restarter.kind),
            id: restarter.id,
            name: restarter.name.clone(),
        },
        delay: restarter.delay,
        certain: restarter.certainty == Certainty::Certain && restarter.trigger == Trigger::End,
    })
}

/// Whether two processes hold the same socket of those that are to be freed.
fn share_socket(one: ProcessId, other: ProcessId, holders: &[(&Process, &Listener)]) -> bool {
    holders.iter().any(|(process, listener)| {
        process.id == one && listener.holders.iter().any(|holder| holder.process.id == other)
    })
}

/// A restarter that can be told to stop one program, or of which that one could be asked for. `shares` tells whether it
/// holds the program's socket itself.
fn manager(restarter: &Restarter, shares: &dyn Fn(ProcessId) -> bool) -> Option<Manager> {
    let (stop, find) = match &restarter.stop {
        // circusd keeps a socket of its own open when its watchers are stopped.
        _ if restarter.kind == RestarterKind::Circus && shares(restarter.id) => (None, None),
        Stop::Command(words) => (Some(words.clone()), None),
        Stop::FindName(words) => (None, Some(words.clone())),
        Stop::Unknown => (None, None),
        Stop::EndRestarter => return None,
    };
    let program = restarter.program.clone();
    is_supervisor(restarter.kind).then(|| Manager::Supervisor {
        kind: name(restarter.kind),
        program,
        stop,
        find,
    })
}

fn is_supervisor(kind: RestarterKind) -> bool {
    use RestarterKind::{Circus, Daemontools, Openrc, Pm2, Runit, S6, Supervisord};
    matches!(kind, Runit | S6 | Daemontools | Openrc | Supervisord | Circus | Pm2)
}

/// The program that a super-server holds a port for, if that is known.
fn super_server_manager(process: &Process, held: &HeldFor, listener: &Listener) -> Manager {
    let port = listener.socket.endpoint.port().unwrap_or_default();
    let (program, stop) = stop_for_port(process, held, port, &mut RestartSources);
    let (stop, find) = match stop {
        Stop::Command(words) => (Some(words), None),
        Stop::FindName(words) => (None, Some(words)),
        Stop::EndRestarter | Stop::Unknown => (None, None),
    };
    Manager::Supervisor { kind: held.kind.as_str(), program, stop, find }
}

/// What a kind of restarter is called.
fn name(kind: RestarterKind) -> &'static str {
    match kind {
        RestarterKind::Runit => "runit",
        RestarterKind::S6 => "s6",
        RestarterKind::Daemontools => "daemontools",
        RestarterKind::Openrc => "OpenRC",
        RestarterKind::Supervisord => "supervisord",
        RestarterKind::Circus => "circus",
        RestarterKind::Pm2 => "pm2",
        RestarterKind::ShellLoop => "a loop in a shell",
        RestarterKind::FileWatcher => "a file watcher",
        RestarterKind::ServerMaster => "its main process",
        RestarterKind::ProcessManager => "a process manager",
    }
}
