//! The machine's services file (services(5)). Only the command reads it: for the names of ports in arguments.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Files, open_file, sys};

/// The most bytes that are read of a services file. The whole IANA registry takes a third of them.
const LONGEST_SERVICES_FILE: u64 = 4 << 20;

/// Returns the path of the machine's services file (services(5)), and its content or why it cannot be read. The content
/// is empty if the machine has no such file.
pub(crate) fn services_file() -> (PathBuf, Result<Vec<u8>, String>) {
    let path = sys::services_path();
    // A device or a pipe at this path may never end, and a file system may not answer.
    let mut files = Files::new(Instant::now() + Duration::from_secs(1));
    let bytes = || {
        let mut bytes = Vec::new();
        open_file(&path)?.0.take(LONGEST_SERVICES_FILE).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let read = match files.status(&path, true) {
        Some(status) if status.is_regular() => bytes().map_err(|error: std::io::Error| error.to_string()),
        Some(_) => Err("it is no file".to_owned()),
        None => files.take_failure().map_or_else(|| Ok(Vec::new()), Err),
    };
    (path, read)
}
