//! The project a working directory belongs to: the nearest folder above that looks like a project's root, and what
//! is checked out there.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use super::checked_out::{CheckedOut, checked_out};
use crate::model::{Gap, GapDetail, GapKind, GapReason, Process, Project, Text};
use crate::os::files;
use crate::os::files::{Files, paths};

/// Files and folders that mark the root of a project.
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

/// The timeout for all folders together.
const LONGEST: Duration = Duration::from_millis(150);

/// The working directories of processes.
type Directories = BTreeMap<Text, Vec<u32>>;
/// The processes of a directory, its project, and why its file system did not answer.
type ProjectResult = (Vec<u32>, Option<Project>, Option<String>);

/// Adds the projects of processes, by their working directories. A file system that does not answer in time is a gap.
pub(in crate::os) fn find(processes: &mut BTreeMap<u32, Process>) -> Option<Gap> {
    let mut directories = Directories::new();
    for (pid, process) in &*processes {
        if let Some(directory) = process.directory.as_ref().filter(|directory| directory.as_bytes() != b"/") {
            directories.entry(directory.clone()).or_default().push(*pid);
        }
    }
    if directories.is_empty() {
        return None;
    }
    let count = directories.len();
    let until = Instant::now() + LONGEST;
    let (mut answered, mut why) = (0, None);
    let mut take = |(pids, project, missed): ProjectResult| {
        answered += usize::from(missed.is_none());
        why = why.take().or(missed);
        for pid in pids {
            if let Some(process) = processes.get_mut(&pid) {
                process.project.clone_from(&project);
            }
        }
    };
    let work = move |files: &mut Files, give: &mut dyn FnMut(ProjectResult) -> bool| {
        search(directories, files, give)
    };
    let refused = files::sys::search_in_time(until, work, &mut take);
    let missing = count - answered;
    (missing > 0).then(|| {
        let why = why.or(refused).unwrap_or_else(|| "the file system did not answer in time".to_owned());
        let detail = GapDetail::Projects(why.as_str().into());
        Gap::new(GapKind::Project, GapReason::Timeout, missing, detail, None)
    })
}

/// Searches each directory, and calls `give` with the result until it returns false.
fn search(directories: Directories, files: &mut Files, give: &mut dyn FnMut(ProjectResult) -> bool) {
    for (directory, mut pids) in directories {
        let path = paths::from_text(&directory);
        let project = path.as_deref().and_then(|path| project_of(files, path));
        match (&project, &path) {
            (Some(_), Some(path)) => pids.retain(|pid| files.is_working_directory(*pid, path)),
            _ => pids.clear(),
        }
        if !give((pids, project, files.take_failure())) {
            return;
        }
    }
}

/// Returns the folder of the project that a folder belongs to: the nearest one at or above it that git has checked out,
/// else the nearest one with a project's file. `None` if there is none, or if the file system does not answer in time.
#[cfg(feature = "cli")]
pub(crate) fn folder(directory: &Text) -> Option<Text> {
    let path = paths::from_text(directory)?;
    let mut found = None;
    let work = move |files: &mut Files, give: &mut dyn FnMut(Option<Text>) -> bool| {
        let above = || path.ancestors().filter(|folder| folder.parent().is_some());
        let root = above().find(|folder| files.first_of(folder, &[".git"]).is_some());
        let root = root.or_else(|| above().find(|folder| files.first_of(folder, &MARKERS).is_some()));
        give(root.map(Text::from));
    };
    files::sys::search_in_time(Instant::now() + LONGEST, work, &mut |root| found = root);
    found
}

/// Returns the nearest project root at or above a folder. The root of the file system is none.
fn project_of(files: &mut Files, directory: &Path) -> Option<Project> {
    directory.ancestors().filter(|folder| folder.parent().is_some()).find_map(|folder| {
        let marker = files.first_of(folder, &MARKERS)?;
        let CheckedOut { head, worktree } = checked_out(files, folder);
        Some(Project { directory: Text::from(folder), marker: marker.into(), head, worktree })
    })
}
