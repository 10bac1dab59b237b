//! The limits of open files on Unix: that of the process (getrlimit(2)) and that of the system.

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::model::OpenFilesLimit;

/// Returns the limit that an error means.
pub(in crate::os) fn too_many_files(error: &std::io::Error) -> Option<OpenFilesLimit> {
    match Errno::from_io_error(error)? {
        Errno::MFILE => getrlimit(Resource::Nofile).current.map(OpenFilesLimit::Process),
        Errno::NFILE => Some(OpenFilesLimit::System),
        _ => None,
    }
}
