//! The jobs of launchd behind the holders of listeners. launchd is asked only where it started one of them, and tells a
//! user of that user's jobs, root of the system's.

use std::process::{Command, Stdio};

use crate::os::{launchd, users};
use crate::{Gap, Listener, Process, Service};

/// launchd itself.
const LAUNCHD: u32 = 1;

/// Names the jobs of processes that launchd started, and of their workers of the same name.
pub(in crate::os) fn complete(listeners: &mut [Listener]) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let held_alone = |listener: &&Listener| {
        let pids = || listener.holders.iter().map(|holder| holder.process.id.pid);
        pids().any(|pid| pid == LAUNCHD) && pids().all(|pid| pid == LAUNCHD)
    };
    let kept = listeners.iter().filter(held_alone).count();
    if kept > 0 {
        let detail = "which of its jobs launchd holds a socket for: no interface tells it";
        gaps.push(Gap::new("services", "unsupported", kept, detail, None));
    }
    let processes = || listeners.iter().flat_map(|listener| &listener.holders).map(|holder| &holder.process);
    if !processes().any(|process| main_process(process).is_some()) {
        return gaps;
    }
    let listed = Command::new("/bin/launchctl").arg("list").stdin(Stdio::null()).output();
    let labels = match listed {
        Ok(output) if output.status.success() => launchd::labels(&output.stdout),
        other => {
            let why = other.map_or_else(|error| error.to_string(), |output| output.status.to_string());
            let detail = format!("labels of launchd's jobs: launchctl did not list them: {why}");
            gaps.push(Gap::new("services", "error", 1, detail, None));
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
                activates: None,
            });
        }
    }
    gaps
}

/// The process that launchd would have started, where this is it or a worker of it: one whose parent has its name.
fn main_process(process: &Process) -> Option<u32> {
    let parent = process.parents.first()?;
    match parent.pid {
        LAUNCHD => Some(process.id.pid),
        pid => (parent.name == process.name).then_some(pid),
    }
}
