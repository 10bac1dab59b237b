//! Parsers of files that Unix systems keep about users. Pure: compiled and tested on every system.

pub(in crate::os) mod login_defs;
#[cfg(any(feature = "cli", test))]
pub(in crate::os) mod passwd;
pub(in crate::os) mod subuid;
#[cfg(any(feature = "cli", test))]
pub(in crate::os) mod sudoers;
