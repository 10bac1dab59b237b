//! Memory that runs out: address space before threads are started, and the exit of the command if an allocation fails.
//!
//! Optional work allocates with `try_reserve` and is left out if that fails. Every other failed allocation ends the
//! command with a message and exit status 3 ([`Allocator`], [`exit_when_out_of_memory`]), not with SIGABRT as in the
//! standard library. The library itself installs nothing: a program that uses it has its own allocator.

#[cfg(all(unix, feature = "cli"))]
mod abort;
#[cfg(feature = "cli")]
mod allocator;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

#[cfg(feature = "cli")]
pub use allocator::Allocator;
#[cfg(feature = "cli")]
pub(crate) use sys::exit_when_out_of_memory;
pub(in crate::os) use sys::has_room;
