//! Files that other people own or that a user named, read without waiting for a file system that does not answer.
//! Depends on `model` alone.

pub(in crate::os) mod direct;
pub(in crate::os) mod paths;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub(in crate::os) mod sys;

use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(in crate::os) use sys::Files;

/// Returns whether this user can make a file at a path where there is none. `None` if that cannot be found out: on
/// systems other than Linux, and if the file system may not answer.
pub(crate) fn can_make_file(path: &str) -> Option<bool> {
    sys::can_make_file(std::path::Path::new(path))
}

/// Returns a path from the root; the path itself if the current directory is unknown.
pub(crate) fn absolute(path: &str) -> String {
    let whole = std::path::absolute(path).ok().and_then(|whole| whole.into_os_string().into_string().ok());
    whole.unwrap_or_else(|| path.to_owned())
}

/// Opens a file that a user named.
///
/// # Errors
/// If it cannot be opened. On Linux also if its file system does not answer for ten seconds; waiting for it never keeps
/// the process from exiting.
pub(crate) fn open_file(path: &std::path::Path) -> std::io::Result<Box<dyn std::io::Read>> {
    sys::open_file(path)
}

/// The most bytes that are read of a services file. The whole registry takes a third of them.
const LONGEST_SERVICES_FILE: u64 = 4 << 20;

/// Returns the path of the machine's services file (services(5)), and its content or why it cannot be read. A machine
/// without one has an empty one.
pub(crate) fn services_file() -> (PathBuf, Result<Vec<u8>, String>) {
    let path = sys::services_path();
    // A device or a pipe in its place may never end, and a file system may not answer.
    let mut files = Files::new(Instant::now() + Duration::from_secs(1));
    let bytes = || {
        let mut bytes = Vec::new();
        open_file(&path)?.take(LONGEST_SERVICES_FILE).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let read = match files.status(&path, true) {
        Some(status) if status.is_regular() => bytes().map_err(|error: std::io::Error| error.to_string()),
        Some(_) => Err("it is no file".to_owned()),
        None => files.missed().map_or_else(|| Ok(Vec::new()), Err),
    };
    (path, read)
}
