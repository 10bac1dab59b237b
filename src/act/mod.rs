//! What is done and not only read: attempts to bind and to connect, the release of a port, waiting for one. Nothing
//! here prints, asks or reads the environment.

mod accounts;
pub(crate) mod bind;
pub(crate) mod connect;
pub(crate) mod forwarding;
#[cfg(feature = "cli")]
pub(crate) mod hindrance;
mod observe;
mod orphans;
#[cfg(feature = "cli")]
pub(crate) mod prepare;
#[cfg(feature = "cli")]
pub(crate) mod release;
#[cfg(feature = "cli")]
mod supervision;
mod udp_join;
#[cfg(feature = "cli")]
pub(crate) mod wait;
#[cfg(feature = "cli")]
pub(crate) mod wait_unix;
#[cfg(feature = "cli")]
pub(crate) mod watch;
pub(crate) mod why;

pub use why::why;
