//! The files that a process sees, on systems on which every process sees the same files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::model::compact::CompactSort as _;
use crate::model::{FileChange, Process, ProcessId, Text};

/// Returns a regular file's content, if it is not longer than `limit`.
pub(in crate::os) fn file(_viewer: ProcessId, path: &Text, limit: u64) -> Option<Vec<u8>> {
    let path = Path::new(path.as_str()?);
    // Opening something else may wait, or set something off.
    if !path.is_absolute() || !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(limit + 1).read_to_end(&mut bytes).ok()?;
    (u64::try_from(bytes.len()).ok()? <= limit).then_some(bytes)
}

/// Returns the names in a folder, sorted.
pub(in crate::os) fn folder(_viewer: ProcessId, path: &Text) -> Option<Vec<Text>> {
    let entries = std::fs::read_dir(Path::new(path.as_str()?)).ok()?;
    let names: Result<Vec<Text>, _> =
        entries.map(|entry| entry.map(|entry| Text::from(entry.file_name().as_os_str()))).collect();
    let mut names = names.ok()?;
    names.compact_sort_by(Ord::cmp);
    Some(names)
}

/// Returns false: this system has no pid namespaces.
pub(in crate::os) fn is_in_inner_pid_namespace(_id: ProcessId) -> bool {
    false
}

/// Files that processes were given as arguments. Nothing is found out about them on this system.
#[derive(Debug, Default)]
pub(crate) struct GivenFiles;

#[expect(clippy::unused_self, reason = "it keeps something on Linux")]
impl GivenFiles {
    /// Returns nothing: changes of files are detected on Linux only.
    pub(crate) fn change(&mut self, _viewer: ProcessId, _path: &Text) -> Option<FileChange> {
        None
    }

    /// Returns nothing: the files of processes are read on Linux only.
    pub(crate) fn older_content(&mut self, _process: &Process, _path: &Text) -> Option<Vec<u8>> {
        None
    }
}
