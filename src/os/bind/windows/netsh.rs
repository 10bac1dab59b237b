//! Limits that Windows reports only by its program netsh, and by no documented interface. It runs for `why` only.

use std::process::Command;
use std::time::Duration;

use crate::model::{Family, Gap, GapDetail, GapKind, GapReason, NetshList, Protocol};
use crate::os::parse::windows::{excluded_ports, http_sys};
use crate::os::programs::output::program_output;
use crate::os::windows_api;
use crate::os::{HttpSysUrls, Limits, Server};

/// How long one run of it may take.
const LONGEST: Duration = Duration::from_secs(5);

/// Returns the limits of this machine on ports. Windows has no privileged ports.
pub(in crate::os) fn limits(protocol: Protocol) -> Limits {
    let mut limits = Limits::default();
    let only = format!("protocol={}", protocol.as_str());
    for family in [Family::Ipv4, Family::Ipv6] {
        match printed(&["interface", family.as_str(), "show", "excludedportrange", &only]) {
            Ok(printed) => limits.excluded.extend(excluded_ports::parse(&printed, family)),
            Err(why) => {
                limits.gaps.push(not_listed(GapKind::Limits, NetshList::ExcludedPorts(family), &why));
            }
        }
    }
    // The ephemeral range is reported for TCP only.
    if protocol == Protocol::Tcp {
        match printed(&["interface", "ipv4", "show", "dynamicport", "tcp"]) {
            Ok(printed) => limits.ephemeral = excluded_ports::dynamic(&printed),
            Err(why) => {
                limits.gaps.push(not_listed(GapKind::Limits, NetshList::EphemeralPorts, &why));
            }
        }
    }
    limits
}

/// Returns the URLs that HTTP.sys serves at a port, and a gap if they could not be listed.
pub(in crate::os) fn http_sys_urls(port: u16) -> (Vec<HttpSysUrls>, Option<Gap>) {
    let list = NetshList::HttpServer(port);
    let queues = match printed(&["http", "show", "servicestate", "view=requestq", "verbose=no"]) {
        Ok(printed) => http_sys::at_port(&printed, port),
        Err(why) => return (Vec::new(), Some(not_listed(GapKind::Services, list, &why))),
    };
    if queues.is_empty() {
        let gap = not_listed(GapKind::Services, list, "netsh lists no program for this user");
        return (Vec::new(), Some(gap));
    }
    let listed = windows_api::processes();
    // Without their names pids are left.
    let services = windows_api::services().unwrap_or_default();
    let server = |pid: u32| Server {
        pid,
        name: listed.iter().find(|process| process.pid == pid).map(|process| process.name.clone()),
        services: services.get(&pid).cloned().unwrap_or_default(),
    };
    let urls = queues
        .into_iter()
        .map(|queue| HttpSysUrls { urls: queue.urls, by: queue.pids.into_iter().map(server).collect() });
    (urls.collect(), None)
}

/// Returns the output of netsh.
fn printed(arguments: &[&str]) -> Result<Vec<u8>, String> {
    program_output(Command::new("netsh").args(arguments), LONGEST).map_err(|error| error.to_string())
}

fn not_listed(of: GapKind, list: NetshList, why: &str) -> Gap {
    Gap::new(of, GapReason::Error, 1, GapDetail::Netsh { list, error: why.into() }, None)
}
