//! Files that other users own or that the user named, read without waiting for a file system that does not answer.
//! Depends on `model` and on other topics of `os`.

#[cfg(not(target_os = "linux"))]
mod direct;
pub(in crate::os) mod paths;
#[cfg(feature = "cli")]
mod services_file;
pub(in crate::os) mod status;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub(in crate::os) mod sys;

use crate::model::Text;

#[cfg(feature = "cli")]
pub(crate) use services_file::services_file;
pub(in crate::os) use sys::Files;

/// Returns whether this user can make a file at a path that does not exist yet. `None` if that is unknown: on systems
/// other than Linux, and if the file system may not answer.
pub(crate) fn can_make_file(path: &str) -> Option<bool> {
    sys::can_make_file(std::path::Path::new(path))
}

/// Returns a path from the root, or the path itself if the current directory is unknown.
pub(crate) fn absolute(path: &str) -> String {
    let whole = std::path::absolute(path).ok().and_then(|whole| whole.into_os_string().into_string().ok());
    whole.unwrap_or_else(|| path.to_owned())
}

/// Returns the absolute path of a folder without symbolic links, as the system reports working directories.
///
/// # Errors
/// If there is no such folder, or if it cannot be read.
pub(crate) fn folder(path: &std::path::Path) -> std::io::Result<Text> {
    let path = path.canonicalize()?;
    if !path.metadata()?.is_dir() {
        return Err(std::io::ErrorKind::NotADirectory.into());
    }
    let path = Text::from(path);
    // The form of paths on Windows that no process has as its working directory: `\\?\C:\src`.
    let plain = path.as_bytes().strip_prefix(br"\\?\").filter(|plain| plain.get(1) == Some(&b':'));
    Ok(plain.map(Text::from).unwrap_or(path))
}

/// Opens a file that the user named, with its length if it is a regular file of a file system that answers.
///
/// # Errors
/// If the file cannot be opened. On Linux also if its file system does not answer for ten seconds; waiting for it never keeps
/// the process from exiting.
pub(crate) fn open_file(path: &std::path::Path) -> std::io::Result<(Box<dyn std::io::Read>, Option<u64>)> {
    sys::open_file(path)
}

/// Returns the length of a regular file.
fn regular_length(file: &std::fs::File) -> Option<u64> {
    file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len())
}
