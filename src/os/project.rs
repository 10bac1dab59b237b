//! The project a working directory belongs to: the nearest folder above that looks like a project's root.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

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
    let mut directories: Vec<Text> = processes
        .values()
        .filter_map(|process| process.directory.clone())
        .filter(|directory| directory.as_bytes() != b"/")
        .collect();
    directories.sort_unstable();
    directories.dedup();
    if directories.is_empty() {
        return None;
    }
    let count = directories.len();
    let (send, receive) = mpsc::channel();
    let search = move || {
        for directory in directories {
            let project = directory.as_str().and_then(|path| of(Path::new(path)));
            if send.send((directory, project)).is_err() {
                return;
            }
        }
    };
    // A thread of its own, which is left behind where a file system hangs.
    if thread::Builder::new().name("project".to_owned()).spawn(search).is_err() {
        return None;
    }
    let deadline = Instant::now() + LONGEST;
    let mut found: BTreeMap<Text, Option<Project>> = BTreeMap::new();
    while found.len() < count {
        match receive.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((directory, project)) => found.insert(directory, project),
            Err(_) => break,
        };
    }
    for process in processes.values_mut() {
        process.project = process.directory.as_ref().and_then(|directory| found.get(directory)?.clone());
    }
    let missing = count - found.len();
    (missing > 0).then(|| {
        let detail = format!("{missing} working directories on file systems that did not answer in time");
        Gap::new("project", "timeout", missing, detail, None)
    })
}

/// The nearest project root at or above a folder; the root of the file system is none.
fn of(directory: &Path) -> Option<Project> {
    directory.ancestors().filter(|folder| folder.parent().is_some()).find_map(|folder| {
        let marker = MARKERS
            .into_iter()
            .find(|marker| PathBuf::from(folder).join(marker).symlink_metadata().is_ok())?;
        Some(Project { directory: Text::from(folder), marker: marker.into(), branch: None, worktree: None })
    })
}
