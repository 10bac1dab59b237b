//! Conversions between texts and paths.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::model::Text;

pub(in crate::os) use sys::from_text;
use sys::os_str;

impl Text {
    /// Returns the text as the standard library takes it. On Windows, U+FFFD stands for what is not valid UTF-16.
    pub fn to_os_str(&self) -> Cow<'_, OsStr> {
        os_str(self)
    }

    /// Returns the text as a path. On Windows, U+FFFD stands for what is not valid UTF-16.
    pub fn to_path(&self) -> Cow<'_, Path> {
        match os_str(self) {
            Cow::Borrowed(text) => Cow::Borrowed(Path::new(text)),
            Cow::Owned(text) => Cow::Owned(PathBuf::from(text)),
        }
    }
}

impl From<&Text> for OsString {
    fn from(text: &Text) -> OsString {
        text.to_os_str().into_owned()
    }
}

impl From<&Text> for PathBuf {
    fn from(text: &Text) -> PathBuf {
        text.to_path().into_owned()
    }
}
