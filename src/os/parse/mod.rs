//! Parsers of foreign bytes and text. Pure: each is compiled and tested on every system.

pub(crate) mod container_list;
pub(crate) mod git_head;
pub(crate) mod http;
#[cfg_attr(
    not(any(target_os = "macos", test, allears_internals)),
    expect(dead_code, reason = "macOS alone reads it")
)]
pub(crate) mod launchd;
// Only macOS needs the crate that parses property lists.
#[cfg(any(target_os = "macos", test, allears_internals))]
pub(crate) mod launchd_jobs;
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "Linux alone reads it"))]
pub(crate) mod linux;
pub(crate) mod oci_config;
pub(crate) mod process_name;
pub(crate) mod program_link;
pub(crate) mod services_file;
pub(crate) mod shell_code;
#[cfg_attr(
    not(any(target_os = "linux", test)),
    expect(dead_code, reason = "Linux alone has these supervisors")
)]
pub(in crate::os) mod supervised_service;
pub(crate) mod supervisor;
pub(crate) mod supervisors;
pub(crate) mod unit_name;
#[cfg_attr(not(any(unix, test)), expect(dead_code, reason = "Unix systems alone have these files"))]
pub(in crate::os) mod unix;
#[cfg_attr(not(windows), expect(dead_code, reason = "Windows alone reads it"))]
pub(crate) mod windows;
#[cfg_attr(
    not(any(target_os = "macos", test, allears_internals)),
    expect(dead_code, reason = "macOS alone reads it")
)]
pub(crate) mod xnu;

use crate::model::Protocol;

/// A function that returns whether a service name stands for a port of a protocol. What is known about ports is above this
/// layer, so the caller passes it.
pub(crate) type IsServicePort = fn(&str, Protocol, u16) -> bool;
