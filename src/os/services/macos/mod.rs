//! The jobs of launchd behind listeners. launchd is asked only where it started a holder, and tells a user of that user's
//! jobs, root of the system's. For which job it holds a socket itself it tells nobody: that is read from their files.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::model::{Gap, GapDetail, GapKind, GapReason, Listener, Process, Service};
use crate::os::parse::{launchd, launchd_jobs};
use crate::os::users;

/// launchd itself.
const LAUNCHD: u32 = 1;
/// Where the files of jobs are that everybody has.
const FOLDERS: [&str; 4] = [
    "/System/Library/LaunchDaemons",
    "/Library/LaunchDaemons",
    "/System/Library/LaunchAgents",
    "/Library/LaunchAgents",
];
/// A longer file is none of a job.
const LONGEST_FILE: u64 = 256 * 1024;

/// Names the jobs of processes that launchd started, and of their workers of the same name.
pub(in crate::os) fn socket_units(listeners: &mut [Listener]) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = name_those_of_launchd(listeners).into_iter().collect();
    let processes = || listeners.iter().flat_map(|listener| &listener.holders).map(|holder| &holder.process);
    if !processes().any(|process| main_process(process).is_some()) {
        return gaps;
    }
    let listed = Command::new("/bin/launchctl").arg("list").stdin(Stdio::null()).output();
    let labels = match listed {
        Ok(output) if output.status.success() => launchd::labels(&output.stdout),
        other => {
            let why = other.map_or_else(|error| error.to_string(), |output| output.status.to_string());
            let detail = GapDetail::LaunchdLabels(why.as_str().into());
            gaps.push(Gap::new(GapKind::Services, GapReason::Error, 1, detail, None));
            return gaps;
        }
    };
    let scope = if users::own() == Some(0) { "system" } else { "user" };
    for process in listeners.iter_mut().flat_map(|one| &mut one.holders).map(|holder| &mut holder.process) {
        let label = main_process(process).and_then(|pid| labels.get(&pid));
        if let (Some(label), None) = (label, &process.service) {
            process.service = Some(Service {
                manager: "launchd".into(),
                name: label.clone(),
                scope: scope.into(),
                uid: None,
                activates: None,
            });
        }
    }
    gaps
}

/// Names the jobs that launchd holds sockets for, where their files name exactly one.
fn name_those_of_launchd(listeners: &mut [Listener]) -> Option<Gap> {
    let its_own =
        |listener: &&mut Listener| listener.holders.iter().any(|holder| holder.process.id.pid == LAUNCHD);
    let mut kept: Vec<&mut Listener> = listeners.iter_mut().filter(its_own).collect();
    if kept.is_empty() {
        return None;
    }
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(PathBuf::from).collect();
    let mut homes: Vec<PathBuf> =
        kept.iter().filter_map(|listener| users::home(listener.socket.uid?)).collect();
    homes.sort();
    homes.dedup();
    folders.extend(homes.iter().map(|home| home.join("Library/LaunchAgents")));
    let mut jobs: Vec<_> = folders.iter().flat_map(|folder| jobs_in(folder)).collect();
    jobs.sort_by(|a, b| a.label.cmp(&b.label));
    let mut unnamed = 0;
    for listener in &mut kept {
        match launchd_jobs::label(&listener.socket, &jobs) {
            Some(label) => {
                listener.service = Some(Service {
                    manager: "launchd".into(),
                    name: label.clone(),
                    scope: if listener.socket.uid == Some(0) { "system" } else { "user" }.into(),
                    uid: None,
                    activates: None,
                });
            }
            None => unnamed += 1,
        }
    }
    let detail = GapDetail::LaunchdJobs;
    (unnamed > 0).then(|| Gap::new(GapKind::Services, GapReason::Unsupported, unnamed, detail, None))
}

/// The jobs with sockets whose files are in a folder. What cannot be read there is none.
fn jobs_in(folder: &Path) -> Vec<launchd_jobs::Job> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let read = |path: PathBuf| {
        let mut bytes = Vec::new();
        File::open(path).ok()?.take(LONGEST_FILE).read_to_end(&mut bytes).ok()?;
        launchd_jobs::read(&bytes)
    };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "plist")).filter_map(read).collect()
}

/// The process that launchd would have started, where this is it or a worker of it: one whose parent has its name.
fn main_process(process: &Process) -> Option<u32> {
    let parent = process.parents.first()?;
    match parent.pid {
        LAUNCHD => Some(process.id.pid),
        pid => (parent.name == process.name).then_some(pid),
    }
}

/// No manager of this system is asked.
pub(in crate::os) fn restart_policy(
    _service: &Service,
) -> Option<crate::os::services::restart_policy::RestartPolicy> {
    None
}

/// No rules of a container runtime stand in this system itself.
pub(in crate::os) fn containers_run() -> bool {
    false
}

/// Docker Desktop and Podman publish on this machine's own addresses.
pub(in crate::os) fn shares_network(_socket: &impl Sized) -> Option<bool> {
    None
}
