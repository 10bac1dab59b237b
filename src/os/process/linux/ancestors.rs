//! The ancestors of processes, from one read of /proc/PID/stat each. A common ancestor of several processes is read
//! once, and a command line only if the name does not identify the process.

use std::collections::BTreeMap;

use crate::model::{
    Container, Process, RelatedProcess, Service, ServiceScope, Supervisor, SupervisorKind, Text,
};
use crate::os::linux_api::procfs;
use crate::os::linux_api::procfs::Stat;
use crate::os::parse::linux::cgroup_file;
use crate::os::parse::linux::cmdline::arguments;
use crate::os::parse::linux::container_starters;
use crate::os::parse::process_name;
use crate::os::parse::supervised_service::service_of;
use crate::os::parse::supervisor;
use crate::os::process::LONGEST_ANCESTRY;

/// The most bytes that are read of an ancestor's command line: its beginning names what it runs.
const LONGEST_COMMAND: u64 = 4096;

/// Adds the ancestors of processes and the nearest supervisor among them. Each process comes with its parent's pid.
/// `whole` asks for every ancestor; without it those beyond the supervisor are not read.
pub(in crate::os) fn add_ancestors(processes: &mut BTreeMap<u32, Process>, whole: bool) {
    let mut known: BTreeMap<u32, Option<AncestorStat>> = BTreeMap::new();
    for process in processes.values_mut() {
        let Some(parent) = process.parents.pop().map(|parent| parent.pid) else { continue };
        let start = process.id.start.unwrap_or(u64::MAX);
        let mut child = ParentLink { parent, start, terminal: None };
        let mut seen = vec![process.id.pid];
        while seen.len() <= LONGEST_ANCESTRY && !seen.contains(&child.parent) {
            let pid = child.parent;
            let Some(ancestor) = known.entry(pid).or_insert_with(|| AncestorStat::read(pid)) else { break };
            // One that began after its child is another process with the parent's pid.
            if ancestor.stat.start > child.start {
                break;
            }
            seen.push(pid);
            if whole || process.parents.is_empty() {
                process.parents.push(RelatedProcess { pid, name: ancestor.name.clone() });
            }
            if let (None, Some(kind)) = (&process.supervisor, &ancestor.kind) {
                let below = child.terminal.unwrap_or_else(|| terminal_of(process.id.pid));
                process.supervisor = Some(Supervisor {
                    kind: kind.clone(),
                    pid,
                    name: ancestor.name.clone(),
                    terminal: Some(below != 0 && below != ancestor.stat.terminal),
                });
                if process.service.is_none() {
                    process.service.clone_from(&ancestor.service);
                }
            }
            // The cgroup has only the container's id; the process that runs the container may also have its name.
            if let (Some(own), Some(container)) = (&mut process.container, &ancestor.container)
                && own.id == container.id
                && own.name.is_none()
            {
                own.name.clone_from(&container.name);
            }
            if let (None, Some(container)) = (&process.container, &ancestor.container) {
                process.container = Some(container.clone());
                // A unit inside the container is not one of this machine.
                let is_outside = |service: &Service| ancestor.is_in(&service.name);
                process.service = process.service.take().filter(is_outside);
            }
            // A supervisor may itself be the first process of a container.
            let may_be_inside = process.container.is_none() && pid != 1 && ancestor.is_init();
            if !whole && process.supervisor.is_some() && !may_be_inside {
                break;
            }
            let Stat { parent, start, terminal, .. } = ancestor.stat;
            child = ParentLink { parent, start, terminal: Some(terminal) };
        }
    }
}

/// A process whose parent is read next.
struct ParentLink {
    parent: u32,
    start: u64,
    terminal: Option<u64>,
}

struct AncestorStat {
    stat: Stat,
    name: Text,
    kind: Option<SupervisorKind>,
    /// The service that it supervises, if its command line names it.
    service: Option<Service>,
    /// The container that it runs.
    container: Option<Container>,
    /// Its own cgroups, if it runs a container.
    cgroups: Vec<u8>,
}

impl AncestorStat {
    fn read(pid: u32) -> Option<AncestorStat> {
        if pid == 0 {
            return None;
        }
        let stat = file(pid, "stat", LONGEST_COMMAND).and_then(|bytes| procfs::parse_stat(&bytes))?;
        let mut command = || command(pid);
        let name = name(&stat, &mut command);
        let kind = supervisor::kind(&name, &mut command);
        let service = kind.as_ref().and_then(|kind| {
            let (manager, name) = service_of(kind, &mut command)?;
            let uid = procfs::effective_uid(pid).map(|uid| (uid != 0).then_some(uid))?;
            let scope = if uid.is_none() { ServiceScope::System } else { ServiceScope::User };
            Some(Service { manager, name, scope, uid, activates: None })
        });
        let (mut container, mut cgroups) = (None, Vec::new());
        if container_starters::may_run(&stat.name) {
            container = container_starters::runs(&stat.name, &command(), procfs::effective_uid(pid));
            cgroups = file(pid, "cgroup", LONGEST_COMMAND).unwrap_or_default();
        }
        Some(AncestorStat { stat, name, kind, service, container, cgroups })
    }

    /// Returns whether a unit is among its own cgroups.
    fn is_in(&self, unit: &Text) -> bool {
        cgroup_file::has_unit(&self.cgroups, unit.as_bytes())
    }

    /// Returns whether it may be the first process of a container that runs more than one.
    fn is_init(&self) -> bool {
        use SupervisorKind::{Daemontools, Openrc, Runit, S6, Supervisord, Systemd};
        matches!(self.kind, Some(Systemd | Supervisord | Runit | S6 | Daemontools | Openrc))
    }
}

/// Returns the beginning of a process's command line.
pub(in crate::os) fn command(pid: u32) -> Vec<Text> {
    file(pid, "cmdline", LONGEST_COMMAND).map_or_else(Vec::new, |bytes| arguments(&bytes))
}

/// Returns the name of a process other than a holder. Its command line is read only if its first thread has no
/// program's name.
pub(in crate::os) fn name(stat: &Stat, command: &mut dyn FnMut() -> Vec<Text>) -> Text {
    match process_name::is_thread_name(&stat.name) {
        true => process_name::full_name(&stat.name, None, &command()),
        false => stat.name.as_slice().into(),
    }
}

/// Returns the number of a process's terminal, 0 if it has none.
fn terminal_of(pid: u32) -> u64 {
    let stat = file(pid, "stat", LONGEST_COMMAND).and_then(|bytes| procfs::parse_stat(&bytes));
    stat.map_or(0, |stat| stat.terminal)
}

fn file(pid: u32, name: &str, limit: u64) -> Option<Vec<u8>> {
    procfs::read_at(rustix::fs::CWD, format!("/proc/{pid}/{name}"), limit).ok()
}

/// Returns only the parent's pid, from which [`add_ancestors`] continues.
pub(in crate::os) fn parent_only(stat: &Stat) -> Vec<RelatedProcess> {
    vec![RelatedProcess { pid: stat.parent, name: Text::default() }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProcessId;

    /// This process, which has a parent.
    fn own() -> Process {
        let pid = std::process::id();
        let stat = procfs::parse_stat(&file(pid, "stat", LONGEST_COMMAND).unwrap()).unwrap();
        Process {
            parents: parent_only(&stat),
            ..Process::new(ProcessId { pid, start: Some(stat.start) }, stat.name.as_slice().into())
        }
    }

    fn completed(process: Process, whole: bool) -> Process {
        let mut processes = BTreeMap::from([(process.id.pid, process)]);
        add_ancestors(&mut processes, whole);
        processes.into_values().next().unwrap()
    }

    #[test]
    fn the_parent_alone_or_all() {
        let parent = rustix::process::getppid().unwrap().as_raw_nonzero().get().cast_unsigned();
        let near = completed(own(), false);
        assert_eq!(near.parents.iter().map(|parent| parent.pid).collect::<Vec<_>>(), [parent]);
        let whole = completed(own(), true);
        assert_eq!(whole.parents.first(), near.parents.first());
        assert_eq!(whole.supervisor, near.supervisor);
        assert!(whole.parents.iter().all(|parent| !parent.name.is_empty()));
    }

    #[test]
    fn a_parent_that_began_later_is_another_process() {
        let mut process = own();
        process.id.start = Some(0);
        assert_eq!(completed(process, true).parents, []);
        let mut process = own();
        process.parents = vec![RelatedProcess { pid: 0, name: Text::default() }];
        assert_eq!(completed(process, true).parents, []);
    }
}
