//! What is done and not only read: attempts to bind and to connect, the release of a port, waiting for one. Nothing
//! here prints, asks or reads the environment.

mod accounts;
pub(crate) mod bind;
pub(crate) mod forwarding;
pub(crate) mod hindrance;
mod orphans;
pub(crate) mod prepare;
pub(crate) mod probe;
pub(crate) mod release;
pub(crate) mod restart_sources;
mod supervision;
mod udp_join;
pub(crate) mod wait;
pub(crate) mod wait_unix;
pub(crate) mod watch;
pub(crate) mod why;

pub use why::why;
