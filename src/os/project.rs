//! The project a working directory belongs to: the nearest folder above that looks like a project's root, and what
//! is checked out there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{branch, paths};
use crate::{Gap, Process, Project, Text};

/// What marks the root of a project.
const MARKERS: [&str; 14] = [
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "composer.json",
    "Gemfile",
    "mix.exs",
    "deno.json",
    "manage.py",
    "Makefile",
    ".git",
];

/// How long all folders together may take. A dead network file system never answers.
const LONGEST: Duration = Duration::from_millis(150);

/// Finds the projects of processes by their working directories. What does not answer in time is a gap.
pub(super) fn find(processes: &mut BTreeMap<u32, Process>) -> Option<Gap> {
    let mut directories: BTreeMap<Text, Vec<u32>> = BTreeMap::new();
    for (pid, process) in &*processes {
        if let Some(directory) = process.directory.as_ref().filter(|directory| directory.as_bytes() != b"/") {
            directories.entry(directory.clone()).or_default().push(*pid);
        }
    }
    if directories.is_empty() {
        return None;
    }
    let count = directories.len();
    let (send, receive) = mpsc::channel();
    let search = move || {
        for (directory, mut pids) in directories {
            let path = paths::of(&directory);
            let project = path.as_deref().and_then(of);
            match (&project, path.as_deref().and_then(Folder::at)) {
                (Some(_), Some(folder)) => pids.retain(|pid| folder.is_where(*pid)),
                _ => pids.clear(),
            }
            if send.send((pids, project)).is_err() {
                return;
            }
        }
    };
    // A thread of its own, which is left behind where a file system hangs.
    if thread::Builder::new().name("project".to_owned()).spawn(search).is_err() {
        return None;
    }
    let deadline = Instant::now() + LONGEST;
    let mut answered = 0;
    while answered < count {
        let Ok((pids, project)) = receive.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        else {
            break;
        };
        answered += 1;
        for pid in pids {
            if let Some(process) = processes.get_mut(&pid) {
                process.project.clone_from(&project);
            }
        }
    }
    let missing = count - answered;
    (missing > 0).then(|| {
        let detail = format!("{missing} working directories on file systems that did not answer in time");
        Gap::new("project", "timeout", missing, detail, None)
    })
}

/// A folder by what it is, since its path means another one in a container.
#[cfg(target_os = "linux")]
#[derive(PartialEq, Eq)]
struct Folder {
    device: u64,
    inode: u64,
}

#[cfg(target_os = "linux")]
impl Folder {
    fn at(path: &Path) -> Option<Folder> {
        use std::os::linux::fs::MetadataExt;
        let found = path.metadata().ok()?;
        Some(Folder { device: found.st_dev(), inode: found.st_ino() })
    }

    /// Whether a process is in it.
    fn is_where(&self, pid: u32) -> bool {
        Folder::at(Path::new(&format!("/proc/{pid}/cwd"))).is_some_and(|own| own == *self)
    }
}

/// A folder, which a path names alone where processes have one root.
#[cfg(not(target_os = "linux"))]
struct Folder;

#[cfg(not(target_os = "linux"))]
impl Folder {
    #[expect(clippy::unnecessary_wraps, reason = "on Linux it may not be there")]
    fn at(_path: &Path) -> Option<Folder> {
        Some(Folder)
    }

    fn is_where(&self, _pid: u32) -> bool {
        true
    }
}

/// The nearest project root at or above a folder; the root of the file system is none.
fn of(directory: &Path) -> Option<Project> {
    directory.ancestors().filter(|folder| folder.parent().is_some()).find_map(|folder| {
        let marker = MARKERS.into_iter().find(|marker| folder.join(marker).symlink_metadata().is_ok())?;
        let branch::CheckedOut { branch, worktree } = branch::checked_out(folder);
        Some(Project { directory: Text::from(folder), marker: marker.into(), branch, worktree })
    })
}
