//! What keeps a process from running: a signal or a debugger stopped it, or its cgroup is frozen.
//!
//! Sources: proc_pid_stat(5) for the states, proc_pid_status(5) for the tracer, the kernel's
//! Documentation/admin-guide/cgroup-v2.rst (`cgroup.freeze`, `cgroup.events`) and cgroup-v1/freezer-subsystem.rst. All
//! of these files are readable without privilege.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, RawDir};

use super::program_file::ProgramFiles;
use crate::model::{Condition, Freezer, FreezerScope, Process, RelatedProcess, Text};
use crate::os::linux_api::cgroup_owner::belongs_to;
use crate::os::linux_api::procfs;
use crate::os::linux_api::procfs::Stat;
use crate::os::parse::linux::cgroup_mounts::Mount;
use crate::os::parse::linux::proc_status::Stops;
use crate::os::parse::linux::{cgroup_file, cgroup_mounts};

/// The most bytes that are read of a control file or of /proc/PID/status.
const LONGEST_FILE: u64 = 64 * 1024;
/// A tracer such as strace stops its process for an instant at each system call. One that is still at the same stop
/// after this time does not run.
const LASTING: Duration = Duration::from_millis(2);

/// Finds the conditions of processes. It reads the mounts and each cgroup's state once.
#[derive(Debug, Default)]
pub(in crate::os) struct Conditions {
    mounts: OnceCell<[Vec<Mount>; 2]>,
    known: BTreeMap<(Version, Vec<u8>), Option<Freezer>>,
    /// The program files of the same processes, which share as much.
    pub(in crate::os) files: ProgramFiles,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    One,
    Two,
}

impl Conditions {
    /// Returns what keeps a process from running. `stat` and `cgroup` come from the same directory of /proc, and the
    /// process knows its service and container.
    pub(in crate::os) fn find(
        &mut self,
        directory: &impl AsFd,
        stat: &Stat,
        cgroup: &[u8],
        process: &Process,
    ) -> Option<Condition> {
        // A process that is both frozen and stopped must be thawed first.
        self.frozen(directory, stat, cgroup, process)
            .map(Condition::Frozen)
            .or_else(|| stopped(directory, stat))
    }

    fn frozen(
        &mut self,
        directory: &impl AsFd,
        stat: &Stat,
        cgroup: &[u8],
        process: &Process,
    ) -> Option<Freezer> {
        // A process that occupies a processor is not frozen.
        if stat.state == 'R' {
            return None;
        }
        let mut freezer = self.freezer_of(cgroup)?;
        // Threads may be in cgroups of their own.
        let mut thread_is_frozen = |thread: &Path| {
            let cgroup = procfs::read_at(directory, thread.join("cgroup").as_path(), LONGEST_FILE);
            cgroup.map_or(true, |cgroup| self.freezer_of(&cgroup).is_some())
        };
        if stat.threads > 1 && !threads(directory)?.iter().all(|thread| thread_is_frozen(thread)) {
            return None;
        }
        let outer = parent_of(freezer.cgroup.as_bytes());
        // It has a service only if it is in this pid namespace.
        let mut own = || process.service.is_some();
        let ((service, container), (outer_service, outer_container)) =
            (belongs_to(freezer.cgroup.as_bytes(), &mut own), belongs_to(outer, &mut own));
        let known_container = process.container.as_ref().map(|container| &container.id);
        let is_container = |container: Option<crate::model::Container>| {
            container.is_some_and(|container| Some(&container.id) == known_container)
        };
        freezer.scope = if is_container(container) && !is_container(outer_container) {
            Some(FreezerScope::Container)
        } else if service.is_some() && service == process.service && service != outer_service {
            Some(FreezerScope::Service)
        } else {
            None
        };
        Some(freezer)
    }

    /// Returns the freezer that holds the cgroups of a /proc/PID/cgroup file, version 1 first: it is the stronger one.
    fn freezer_of(&mut self, cgroup: &[u8]) -> Option<Freezer> {
        let one = cgroup_file::path_of_controller(cgroup, b"freezer").map(|path| (Version::One, path));
        let two = cgroup_file::unified(cgroup).map(|path| (Version::Two, path));
        [one, two].into_iter().flatten().find_map(|(version, path)| self.freezer(version, path))
    }

    fn freezer(&mut self, version: Version, path: &[u8]) -> Option<Freezer> {
        // The root of a tree cannot be frozen.
        if path == b"/" {
            return None;
        }
        if let Some(known) = self.known.get(&(version, path.to_vec())) {
            return known.clone();
        }
        let [one, two] = self.mounts.get_or_init(read_mounts);
        let mounts = if version == Version::One { one } else { two };
        let found = mounts.iter().find_map(|mount| freezer_below(version, mount, path)).flatten();
        self.known.insert((version, path.to_vec()), found.clone());
        found
    }
}

/// Reads the mounted trees of the freezer of version 1, and those of version 2.
fn read_mounts() -> [Vec<Mount>; 2] {
    let mountinfo = procfs::read_at(CWD, "/proc/self/mountinfo", u64::MAX).unwrap_or_default();
    [cgroup_mounts::freezer_mounts(&mountinfo), cgroup_mounts::cgroup2_mounts(&mountinfo)]
}

/// Returns the freezer of a cgroup as a mount shows it; the outer `None` if the mount does not show the cgroup.
fn freezer_below(version: Version, mount: &Mount, path: &[u8]) -> Option<Option<Freezer>> {
    let below = mount.below(path)?;
    let file = |below: &[u8], name: &str| -> PathBuf {
        Path::new(OsStr::from_bytes(&mount.point)).join(OsStr::from_bytes(below)).join(name)
    };
    let read = |below: &[u8], name: &str| procfs::read_at(CWD, file(below, name).as_path(), LONGEST_FILE);
    let is_frozen = match version {
        Version::One => cgroup_file::has_state_frozen(&read(below, "freezer.state").ok()?),
        Version::Two => cgroup_file::is_frozen(&read(below, "cgroup.events").ok()?),
    };
    if !is_frozen {
        return Some(None);
    }
    // The outermost cgroup that was frozen itself: the state of all below it follows.
    let (own, control) = match version {
        Version::One => ("freezer.self_freezing", "freezer.state"),
        Version::Two => ("cgroup.freeze", "cgroup.freeze"),
    };
    let mut ends: Vec<usize> =
        below.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at).collect();
    ends.push(below.len());
    let frozen_itself = ends
        .into_iter()
        .filter_map(|end| below.get(..end).map(|part| (part, below.len() - end)))
        .find(|(part, _)| read(part, own).is_ok_and(|value| value.trim_ascii() == b"1"));
    let (cgroup, control) = match frozen_itself {
        Some((part, cut)) => {
            let cgroup = path.get(..path.len().saturating_sub(cut)).unwrap_or(path);
            (cgroup, Some(Text::from(file(part, control).as_path())))
        }
        None => (path, None),
    };
    let version = if version == Version::One { 1 } else { 2 };
    Some(Some(Freezer { version, cgroup: cgroup.into(), control, scope: None }))
}

fn parent_of(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    path.get(..end).unwrap_or_default()
}

/// Returns whether a signal or a tracer stopped the whole process, not single threads of it.
fn stopped(directory: &impl AsFd, stat: &Stat) -> Option<Condition> {
    match stat.state {
        // A stop by a signal is always one of all threads.
        'T' => Some(Condition::Stopped { shell: shell_of(stat) }),
        't' => traced(directory, stat),
        // The first thread has ended; the others may still run.
        'Z' if stat.threads > 1 => match States::read(directory)? {
            States::Stopped => Some(Condition::Stopped { shell: shell_of(stat) }),
            States::Traced => traced(directory, stat),
            States::Runs => None,
        },
        _ => None,
    }
}

/// Returns the shell whose job a process is: the parent of its process group's leader, in the same session on the same
/// terminal, and in another group. That is what job control needs (credentials(7)).
fn shell_of(stat: &Stat) -> Option<RelatedProcess> {
    if stat.terminal == 0 || stat.group == 0 {
        return None;
    }
    let leader = stat_of(stat.group)?;
    let shell = stat_of(leader.parent)?;
    let is_job = |one: &Stat| (one.session, one.terminal) == (stat.session, stat.terminal);
    (is_job(&leader) && is_job(&shell) && shell.group != stat.group)
        .then(|| RelatedProcess { pid: leader.parent, name: shell.name.as_slice().into() })
}

fn stat_of(pid: u32) -> Option<Stat> {
    procfs::parse_stat(&procfs::read_at(CWD, format!("/proc/{pid}/stat").as_str(), LONGEST_FILE).ok()?)
}

/// Returns the condition if the process stays at its stop.
fn traced(directory: &impl AsFd, stat: &Stat) -> Option<Condition> {
    let is_stopped =
        || stat.threads == 1 || States::read(directory).is_some_and(|state| state != States::Runs);
    let before = stops(directory)?;
    if !is_stopped() {
        return None;
    }
    std::thread::sleep(LASTING);
    let again = procfs::stat(directory)?;
    let after = stops(directory)?;
    if again.state != stat.state || before != after || !is_stopped() {
        return None;
    }
    // The tracer is a thread.
    let named = |thread: u32| {
        let status = procfs::read_at(CWD, format!("/proc/{thread}/status").as_str(), LONGEST_FILE).ok()?;
        let pid = Stops::parse(&status).process?;
        Some(RelatedProcess { pid, name: stat_of(pid)?.name.as_slice().into() })
    };
    Some(Condition::Traced { tracer: after.tracer.and_then(named) })
}

/// What the living threads of a process do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum States {
    Runs,
    Stopped,
    Traced,
}

impl States {
    fn read(directory: &impl AsFd) -> Option<States> {
        let mut all = None;
        for thread in threads(directory)? {
            let Ok(bytes) = procfs::read_at(directory, thread.join("stat").as_path(), LONGEST_FILE) else {
                // It has ended since.
                continue;
            };
            match procfs::parse_stat(&bytes)?.state {
                'Z' | 'X' => {}
                'T' => all = all.or(Some(States::Stopped)),
                't' => all = Some(States::Traced),
                _ => return Some(States::Runs),
            }
        }
        all
    }
}

/// Returns the directories of a process's threads, from the process's directory.
fn threads(directory: &impl AsFd) -> Option<Vec<PathBuf>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let tasks = rustix::fs::openat(directory, c"task", flags, Mode::empty()).ok()?;
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(&tasks, &mut buffer);
    let mut found = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry.ok()?;
        let name = entry.file_name().to_bytes();
        if name.iter().all(u8::is_ascii_digit) {
            found.push(Path::new("task").join(OsStr::from_bytes(name)));
        }
    }
    Some(found)
}

fn stops(directory: &impl AsFd) -> Option<Stops> {
    Some(Stops::parse(&procfs::read_at(directory, "status", LONGEST_FILE).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs_has_no_condition() {
        let own = crate::os::process::sys::proc_handle::Directory::open(std::process::id()).unwrap();
        let stat = procfs::stat(&own).unwrap();
        let cgroup = procfs::read_at(&own, "cgroup", LONGEST_FILE).unwrap();
        let process = Process::new(crate::model::ProcessId { pid: 1, start: None }, "x".into());
        assert_eq!(Conditions::default().find(&own, &stat, &cgroup, &process), None);
        assert!(threads(&own).unwrap().len() > 1, "the tests run on threads");
    }
}
