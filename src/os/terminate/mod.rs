//! Ends a process, and never another one with the same pid. Depends on `model` only.

#[cfg(unix)]
mod end_signal;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
pub(in crate::os) mod sys;

pub(crate) use super::process::sys::KERNEL;
pub(crate) use crate::model::EndSignal;
pub(crate) use sys::KillHandle;
#[cfg(feature = "cli")]
pub(crate) use sys::ctrl_c_helper;
