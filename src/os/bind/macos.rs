//! What macOS allows to bind.

use std::time::Duration;

use crate::model::{Gap, Protocol};
use crate::os::{HttpSysUrls, Limits, Policies};

/// What this machine allows to bind.
pub(in crate::os) fn limits(_protocol: Protocol) -> Limits {
    // Since 10.14 a wildcard may be bound by anybody, a single address below 1024 by root alone.
    Limits { unprivileged_from: Some(1024), ..Limits::default() }
}

/// The same: nothing has to be run for them.
pub(in crate::os) fn ready_limits(protocol: Protocol) -> Limits {
    limits(protocol)
}

/// The table here does not tell how long TIME_WAIT lasts.
pub(in crate::os) fn time_wait_left(_port: u16) -> Option<Duration> {
    None
}

/// Not read here.
pub(in crate::os) fn fin_timeout() -> Option<Duration> {
    None
}

/// No policies are read here.
pub(in crate::os) fn policies() -> Policies {
    Policies::default()
}

/// The pid by which HTTP.sys holds ports: `None`, because only Windows has it.
pub(crate) const HTTP_SYS_PID: Option<u32> = None;

/// Returns nothing: only Windows has HTTP.sys.
pub(in crate::os) fn http_sys_urls(_port: u16) -> (Vec<HttpSysUrls>, Option<Gap>) {
    (Vec::new(), None)
}
