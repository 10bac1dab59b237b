//! The limits of this network namespace, from /proc/sys/net/ipv4 (ip_sysctl.rst), and the time that TIME_WAIT lasts.

use std::path::Path;
use std::time::Duration;

use crate::model::{Family, Gap, GapDetail, GapKind, GapReason, Protocol};
use crate::os::linux_api::inet_diag;
use crate::os::linux_api::inet_diag::States;
use crate::os::parse::linux::sysctl;
use crate::os::table_request::InetTable;
use crate::os::{Limits, describe_error};

/// Returns the limits. Those that cannot be read are gaps.
pub(in crate::os) fn limits(_protocol: Protocol) -> Limits {
    let mut gaps = Vec::new();
    let mut read = |name: &str| {
        let path = Path::new("/proc/sys/net/ipv4").join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) => {
                let error = describe_error(&error).as_str().into();
                let detail = GapDetail::Limit { path: path.as_path().into(), error };
                gaps.push(Gap::new(GapKind::Limits, GapReason::Error, 1, detail, None));
                None
            }
        }
    };
    let unprivileged_from = read("ip_unprivileged_port_start").and_then(|text| sysctl::number(&text));
    let ephemeral = read("ip_local_port_range").and_then(|text| sysctl::port_range(&text));
    let reserved = read("ip_local_reserved_ports").map(|text| sysctl::port_list(&text)).unwrap_or_default();
    Limits { unprivileged_from, ephemeral, reserved, excluded: Vec::new(), gaps }
}

/// Returns net.ipv4.tcp_fin_timeout.
pub(in crate::os) fn fin_timeout() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_fin_timeout").ok()?;
    sysctl::number(&text).map(Duration::from_secs)
}

/// Returns the longest time that a connection of this local port stays in TIME_WAIT.
pub(in crate::os) fn time_wait_left(port: u16) -> Option<Duration> {
    let left = [Family::Ipv4, Family::Ipv6].into_iter().filter_map(|family| {
        let table = InetTable { protocol: Protocol::Tcp, family };
        inet_diag::sockets(table, States::All, Some(port)).ok()
    });
    let most = left
        .flatten()
        .filter(|entry| entry.local.port() == port)
        .filter_map(|entry| entry.time_wait_left)
        .max();
    most.map(|milliseconds| Duration::from_millis(milliseconds.into()))
}
