//! The ancestors of processes by the crate sysinfo, on systems without a cheaper way: one generation at a time, each
//! process once; on Windows all generations at once.

#[cfg(windows)]
use std::collections::BTreeMap;
#[cfg(not(windows))]
use std::collections::BTreeSet;

use sysinfo::{Pid, System};
#[cfg(not(windows))]
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, UpdateKind};

use crate::model::{Parent, Process, Supervisor, Text};
use crate::os::parse::supervisor;
use crate::os::process::LONGEST_ANCESTRY;

/// Processes, and the names of their ancestors if the system lists them.
pub(in crate::os) struct Family {
    wanted: Vec<Pid>,
    /// Names as the system lists them, by pid.
    #[cfg(windows)]
    names: BTreeMap<u32, Text>,
}

impl Family {
    /// On Windows every refresh reads the list of all processes, so all ancestors are looked up before.
    #[cfg(windows)]
    pub(in crate::os) fn of(pids: &[Pid]) -> Family {
        let own: Vec<u32> = pids.iter().map(|pid| pid.as_u32()).collect();
        let names = crate::os::process::sys::families(&own);
        Family { wanted: names.keys().copied().map(Pid::from_u32).collect(), names }
    }

    #[cfg(not(windows))]
    pub(in crate::os) fn of(pids: &[Pid]) -> Family {
        Family { wanted: pids.to_vec() }
    }

    /// Returns the pids that sysinfo is to read.
    pub(in crate::os) fn wanted(&self) -> &[Pid] {
        &self.wanted
    }

    /// Does nothing: all ancestors were read at once.
    #[cfg(windows)]
    pub(in crate::os) fn complete(&self, _system: &mut System) {}

    /// Reads the ancestors of the processes that were read.
    #[cfg(not(windows))]
    pub(in crate::os) fn complete(&self, system: &mut System) {
        let mut known: BTreeSet<Pid> = self.wanted.iter().copied().collect();
        let mut level: Vec<Pid> = self.wanted.clone();
        for _ in 0..LONGEST_ANCESTRY {
            let next: BTreeSet<Pid> = level
                .iter()
                .filter_map(|pid| system.process(*pid)?.parent())
                .filter(|parent| known.insert(*parent))
                .collect();
            if next.is_empty() {
                return;
            }
            level = next.into_iter().collect();
            let kind = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).without_tasks();
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&level), false, kind);
        }
    }

    #[cfg(windows)]
    fn name(&self, process: &sysinfo::Process) -> Text {
        let listed = self.names.get(&process.pid().as_u32());
        listed.cloned().unwrap_or_else(|| Text::from(process.name()))
    }

    #[cfg(not(windows))]
    fn name(&self, process: &sysinfo::Process) -> Text {
        Text::from(process.name())
    }

    /// Adds the ancestors of a process and the nearest supervisor among them. A "parent" that started after its child is
    /// another process with its pid.
    pub(in crate::os) fn add(
        &self,
        mut facts: Process,
        system: &System,
        process: &sysinfo::Process,
    ) -> Process {
        #[cfg(windows)]
        {
            facts.name = self.name(process);
        }
        let mut child = process;
        while let Some(parent) = child.parent().and_then(|pid| system.process(pid)) {
            let pid = parent.pid().as_u32();
            if parent.start_time() > child.start_time() || facts.parents.iter().any(|known| known.pid == pid)
            {
                break;
            }
            let name = self.name(parent);
            if facts.supervisor.is_none() {
                let mut command =
                    || parent.cmd().iter().map(|argument| Text::from(argument.as_os_str())).collect();
                facts.supervisor = supervisor::kind(&name, &mut command).map(|kind| Supervisor {
                    kind,
                    pid,
                    name: name.clone(),
                    terminal: None,
                });
            }
            facts.parents.push(Parent { pid, name });
            if facts.parents.len() == LONGEST_ANCESTRY {
                break;
            }
            child = parent;
        }
        facts
    }
}
