//! Which system this is.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

use crate::model::System;

/// The system that this program runs on.
pub(crate) const SYSTEM: System = sys::SYSTEM;
