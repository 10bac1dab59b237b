//! Parsers of targets: `80,8000-8010,udp/53,[::1]:3000,http`, URLs, and the form of `lsof -i`. Pure. Depends on `model` and
//! `port_info`.

mod grammar;
mod hosts;
mod lsof;
mod ports;
#[cfg(feature = "cli")]
pub(crate) mod scope;
#[cfg(test)]
mod tests;
mod url;

#[cfg(feature = "cli")]
pub(crate) use hosts::{Hosts, UnknownHosts};
#[cfg(feature = "cli")]
pub(crate) use scope::Interfaces;
