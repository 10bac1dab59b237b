//! Windows has no limit of open files.

use crate::model::OpenFilesLimit;

/// Returns nothing: there is no such limit.
pub(in crate::os) fn too_many_files(_error: &std::io::Error) -> Option<OpenFilesLimit> {
    None
}
