//! The limits of open files on Unix: that of the process (getrlimit(2)) and that of the system.

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Returns the limit that an error means.
pub(in crate::os) fn too_many_files(error: &std::io::Error) -> Option<String> {
    match Errno::from_io_error(error)? {
        Errno::MFILE => {
            let limit = getrlimit(Resource::Nofile).current?;
            Some(format!("the limit of this shell is {limit}; raise it with ulimit -n"))
        }
        Errno::NFILE => Some("the limit of the whole system is reached (fs.file-max)".to_owned()),
        _ => None,
    }
}
