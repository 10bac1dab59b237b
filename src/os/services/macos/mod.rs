//! The jobs of launchd. launchd is asked only if it started a holder, and lists a user's jobs to that user, the
//! system's to root. It reports to no user for which job it holds a socket itself: that is read from its job files.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::model::compact::CompactSort as _;
use crate::model::{
    Gap, GapDetail, GapKind, GapReason, Process, Service, ServiceManager, ServiceScope, Text,
};
use crate::os::parse::{launchd, launchd_jobs};
use crate::os::services::{IsServicePort, ServiceFacts, ServiceQuery, SocketService};
use crate::os::users;

/// The pid of launchd.
const LAUNCHD: u32 = 1;
/// The folders of job files that every machine has.
const FOLDERS: [&str; 4] = [
    "/System/Library/LaunchDaemons",
    "/Library/LaunchDaemons",
    "/System/Library/LaunchAgents",
    "/Library/LaunchAgents",
];
/// The most bytes that are read of a job's file.
const LONGEST_FILE: u64 = 256 * 1024;

/// Returns the jobs of processes that launchd started, and of their workers of the same name, and those that launchd
/// holds sockets for.
pub(in crate::os) fn services_of(
    queries: &[ServiceQuery<'_>],
    _thorough: bool,
    is_service_port: IsServicePort,
) -> ServiceFacts {
    let mut facts = jobs_of_sockets(queries, is_service_port);
    let processes = || queries.iter().flat_map(|query| query.holders.iter().copied());
    if !processes().any(|process| main_process(process).is_some()) {
        return facts;
    }
    let listed = Command::new("/bin/launchctl").arg("list").stdin(Stdio::null()).output();
    let labels = match listed {
        Ok(output) if output.status.success() => launchd::labels(&output.stdout),
        other => {
            let why = other.map_or_else(|error| error.to_string(), |output| output.status.to_string());
            let detail = GapDetail::LaunchdLabels(why.as_str().into());
            facts.gaps.push(Gap::new(GapKind::Services, GapReason::Error, 1, detail, None));
            return facts;
        }
    };
    for process in processes() {
        if let Some(label) = main_process(process).and_then(|pid| labels.get(&pid)) {
            facts.processes.insert(process.id.pid, vec![job(label, users::own() == Some(0))]);
        }
    }
    facts
}

/// Returns a job as a service, of the system or of a user.
fn job(label: &Text, of_system: bool) -> Service {
    Service {
        manager: ServiceManager::Launchd,
        name: label.clone(),
        scope: if of_system { ServiceScope::System } else { ServiceScope::User },
        uid: None,
        activates: None,
    }
}

/// Returns the jobs that launchd holds sockets for, if their files name exactly one.
fn jobs_of_sockets(queries: &[ServiceQuery<'_>], is_service_port: IsServicePort) -> ServiceFacts {
    let mut facts = ServiceFacts::default();
    let is_its_own = |query: &ServiceQuery<'_>| query.holders.iter().any(|process| process.id.pid == LAUNCHD);
    if !queries.iter().any(is_its_own) {
        return facts;
    }
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(PathBuf::from).collect();
    let kept = queries.iter().filter(|query| is_its_own(query));
    let mut homes: Vec<PathBuf> = kept.filter_map(|query| users::home(query.socket.uid?)).collect();
    homes.sort();
    homes.dedup();
    folders.extend(homes.iter().map(|home| home.join("Library/LaunchAgents")));
    let mut jobs: Vec<_> = folders.iter().flat_map(|folder| jobs_in(folder)).collect();
    jobs.compact_sort_by(|a, b| a.label.cmp(&b.label));
    let mut unnamed = 0;
    for query in queries {
        let label = is_its_own(query).then(|| launchd_jobs::label(query.socket, &jobs, is_service_port));
        unnamed += usize::from(label == Some(None));
        let service = label.flatten().map(|label| job(label, query.socket.uid == Some(0)));
        facts.sockets.push(SocketService { service, descriptor_store: None });
    }
    let gap = || Gap::new(GapKind::Services, GapReason::Unsupported, unnamed, GapDetail::LaunchdJobs, None);
    facts.gaps.extend((unnamed > 0).then(gap));
    facts
}

/// Returns the jobs with sockets whose files are in a folder. Files that cannot be read are ignored.
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

/// Returns the process that launchd started, if this is that process or a worker of it: one whose parent has its name.
fn main_process(process: &Process) -> Option<u32> {
    let parent = process.parents.first()?;
    match parent.pid {
        LAUNCHD => Some(process.id.pid),
        pid => (parent.name == process.name).then_some(pid),
    }
}

/// Returns nothing: restart policies are not read on this system.
pub(in crate::os) fn restart_policy(_service: &Service) -> Option<crate::os::services::RestartPolicy> {
    None
}

/// Returns false: container runtimes keep their rules in a virtual machine on this system.
pub(in crate::os) fn containers_run() -> bool {
    false
}

/// Returns nothing: Docker Desktop and Podman publish on this machine's own addresses.
pub(in crate::os) fn shares_network(_socket: &impl Sized) -> Option<bool> {
    None
}
