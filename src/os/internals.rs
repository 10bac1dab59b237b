//! What benches and fuzz targets may call on every system: thin functions over private parsers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::model::{Endpoint, Family, Protocol, Socket, State, Text};
use crate::os::parse::windows::{excluded_ports, http_sys, services};
use crate::os::parse::{git_head, launchd, launchd_jobs};
use crate::os::process::checked_out;

#[cfg(target_os = "linux")]
pub use super::internals_linux::*;
pub use crate::os::parse::xnu::internals::*;

/// Returns the branch that a git HEAD names, or the first digits of its commit.
pub fn git_head(bytes: &[u8]) -> Option<Text> {
    git_head::parse(bytes).map(|head| head.to_text())
}

/// Returns the directory that a file named `.git` leads to.
pub fn git_link(folder: &Path, bytes: &[u8]) -> Option<PathBuf> {
    checked_out::linked(folder, bytes)
}

/// Returns the labels of running jobs by pid, from the output of `launchctl list`.
pub fn launchd_labels(text: &[u8]) -> BTreeMap<u32, Text> {
    launchd::labels(text)
}

/// The job that a property list of launchd describes.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchdJob(launchd_jobs::Job);

impl LaunchdJob {
    /// Reads a property list, XML or binary. `None` if the job has no sockets with ports.
    pub fn read(bytes: &[u8]) -> Option<LaunchdJob> {
        launchd_jobs::read(bytes).map(LaunchdJob)
    }

    /// Returns its label.
    pub fn label(&self) -> &Text {
        &self.0.label
    }

    /// Returns the label of the one job that a socket was opened for.
    pub fn label_of<'a>(socket: &Socket, jobs: &'a [LaunchdJob]) -> Option<&'a Text> {
        let inner: Vec<launchd_jobs::Job> = jobs.iter().map(|job| job.0.clone()).collect();
        let label = launchd_jobs::label(socket, &inner, |name, _, port| name == "ssh" && port == 22)?;
        jobs.iter().map(LaunchdJob::label).find(|known| *known == label)
    }
}

/// Returns a listening socket of TCP and a bound one of UDP.
pub fn sockets_at(address: IpAddr, port: u16) -> [Socket; 2] {
    let socket =
        |protocol, state| Socket::new(protocol, Endpoint::Ip { address, port, interface: None }, state);
    [socket(Protocol::Tcp, State::Listen), socket(Protocol::Udp, State::Bound)]
}

/// Returns the excluded port ranges that netsh prints, and whether each is administered.
pub fn excluded_ranges(text: &[u8], family: Family) -> Vec<(RangeInclusive<u16>, bool)> {
    let range = |one: super::ExcludedRange| (one.ports, one.administered);
    excluded_ports::parse(text, family).into_iter().map(range).collect()
}

/// Returns the dynamic port range that netsh prints.
pub fn dynamic_range(text: &[u8]) -> Option<RangeInclusive<u16>> {
    excluded_ports::dynamic(text)
}

/// Returns the request queues of HTTP.sys that serve a port: the pids and the URLs of each.
pub fn http_queues(text: &[u8], port: u16) -> Vec<(Vec<u32>, Vec<Text>)> {
    http_sys::at_port(text, port).into_iter().map(|queue| (queue.pids, queue.urls)).collect()
}

/// Returns the names of services by pid, from the buffer that EnumServicesStatusExW fills at this address.
pub fn services_by_pid(bytes: &[u8], begins: usize, count: usize) -> BTreeMap<u32, Vec<Text>> {
    services::by_pid(bytes, begins, count)
}
