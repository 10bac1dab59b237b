//! Errors in text, with the limit of open files if it explains them.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

use std::io;

use crate::model::OpenFilesLimit;

/// Returns the text of an error, with the limit that explains it.
pub(in crate::os) fn describe_error(error: &io::Error) -> String {
    match too_many_files(error) {
        Some(limit) => format!("{error}: {limit}"),
        None => error.to_string(),
    }
}

/// Returns the text of an error and of what caused it: what was attempted, and what the system reported.
pub(crate) fn describe_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| cause.source()) {
        text.push_str(": ");
        match cause.downcast_ref::<io::Error>() {
            Some(cause) => text.push_str(&describe_error(cause)),
            None => text.push_str(&cause.to_string()),
        }
    }
    text
}

/// Returns the limit that an error means, if it means that too many files are open (EMFILE, ENFILE). `None` for every
/// other error, and on Windows, which has no such limit.
pub(in crate::os) fn too_many_files(error: &io::Error) -> Option<OpenFilesLimit> {
    sys::too_many_files(error)
}
