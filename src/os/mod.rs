//! The only place that knows which operating system this is. It returns rows, facts and gaps; it neither filters for the
//! user nor prints nor reads arguments.
//!
//! Each topic is a folder whose `mod.rs` has the functions that the rest of the library calls; the systems under it have
//! the same names (`linux`, `macos`, `windows`), and one `mod` line selects among them. Parsers of foreign bytes and
//! text are in `parse`, compiled and tested on every system.

pub(crate) mod bind;
#[cfg(unix)]
pub(in crate::os) mod descriptors;
pub(crate) mod files;
pub(crate) mod forwarding;
pub(crate) mod holders;
#[cfg(target_os = "linux")]
pub(in crate::os) mod linux_api;
#[cfg(target_os = "macos")]
pub(in crate::os) mod macos_api;
pub(crate) mod memory;
pub(crate) mod namespaces;
pub(in crate::os) mod open_files;
pub(crate) mod parse;
pub(in crate::os) mod port_claims;
pub(in crate::os) mod privileges;
pub(crate) mod process;
pub(crate) mod programs;
#[cfg(feature = "cli")]
pub(crate) mod running_command;
pub(crate) mod runtimes;
pub(crate) mod services;
#[cfg(feature = "cli")]
pub(crate) mod socket_events;
pub(in crate::os) mod system;
pub(crate) mod table;
pub(in crate::os) mod table_request;
#[cfg(feature = "cli")]
pub(crate) mod terminal;
pub(crate) mod terminate;
pub(crate) mod threads;
pub(crate) mod users;
#[cfg(windows)]
mod windows_api;

#[cfg(test)]
pub(crate) mod test_support;

#[cfg(allears_internals)]
pub mod internals;
#[cfg(all(allears_internals, target_os = "linux"))]
mod internals_linux;

use jiff::Timestamp;
#[cfg(feature = "cli")]
use jiff::tz::TimeZone;

use crate::model::Text;

pub(crate) use crate::model::{HolderSearch, Reader};
pub(crate) use bind::{
    BOUND_SOCKETS_ARE_CHECKED, ExcludedRange, HTTP_SYS_PID, HttpSysUrls, Limits, LocalAddress, Policies,
    SERVERS_REUSE, Server, Usability, error_name, fin_timeout, http_sys_urls, interface_index, limits,
    local_addresses, policies, ready_limits, reuse_port, time_wait_left,
};
pub(crate) use files::{absolute, can_make_file, folder, open_file};
pub(crate) use forwarding::{KernelRules, forwarding_rules};
pub(crate) use holders::{Holders, Origin, ProgramWords, SocketHolder, UnreadProcesses, held_among, holders};
pub(crate) use namespaces::{network_namespace, pid_namespace_is_own, user_namespace};
pub(crate) use open_files::describe_chain;
#[cfg(target_os = "linux")]
pub(in crate::os) use open_files::{describe_error, too_many_files};
pub(crate) use port_claims::PortClaims;
#[cfg(feature = "cli")]
pub(crate) use privileges::drop_privileges;
pub(crate) use privileges::without_capabilities;
pub(crate) use process::{
    GivenFiles, command, describe, describe_ids, describe_unread, file_seen_by, folder_seen_by,
    is_in_inner_pid_namespace, lineage, process_table,
};
#[cfg(feature = "cli")]
pub(crate) use programs::open_url;
pub(crate) use programs::{SHELL, Shell, system_program};
pub(crate) use runtimes::{
    ConnectAs, Reply, RuntimeError, RuntimeKind, ask_runtimes, runtime_sockets, subuid_owner,
};
pub(crate) use services::{
    AfterSignal, RestartPolicy, ServiceQuery, containers_run, restart_policy, services_of,
};
pub(crate) use system::SYSTEM;
#[cfg(target_os = "linux")]
pub(crate) use table::TcpDetail;
pub(crate) use table::fingerprint::Fingerprint;
#[cfg(feature = "cli")]
pub(crate) use table::fingerprint::SocketSet;
pub(crate) use table::{Row, SocketTable, TcpTimer, find_unix_paths, sockets};
pub(crate) use table_request::TableRequest;
#[cfg(feature = "cli")]
pub(crate) use terminal::{
    CAN_STOP, Signal, on_signals, output, output_is_closed, output_is_missing, output_takes_escapes, stop,
};
pub(crate) use terminate::{EndSignal, KERNEL, KillHandle};
pub(crate) use users::{first_person, own_uid, privileged, user_exists, user_name};

// What only the command uses.
#[cfg(feature = "cli")]
pub(crate) use bind::interface_name;
#[cfg(feature = "cli")]
pub(crate) use files::services_file;
#[cfg(feature = "cli")]
pub(crate) use namespaces::{OtherNamespaces, OwnNetwork, listening_in_other_namespaces, own_network};
#[cfg(feature = "cli")]
pub(crate) use process::{describe_with_ancestors, names as process_names, project_folder};
#[cfg(feature = "cli")]
pub(crate) use running_command::{
    CommandEnd, CommandSignal, DESCENDANTS_ARE_KEPT, Descendants, RunningCommand, on_command_signals,
    signal_name,
};
#[cfg(feature = "cli")]
pub(crate) use terminate::ctrl_c_helper;
#[cfg(feature = "cli")]
pub(crate) use threads::detach;
#[cfg(feature = "cli")]
pub(crate) use users::{local_users, path_for_sudo};

/// Returns this machine's name.
pub(crate) fn host_name() -> Text {
    sysinfo::System::host_name().unwrap_or_default().as_str().into()
}

/// Returns the current time, to the second.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Returns the time zone of this machine, or UTC if it is not known.
#[cfg(feature = "cli")]
pub(crate) fn time_zone() -> TimeZone {
    TimeZone::try_system().ok().filter(|zone| !zone.is_unknown()).unwrap_or(TimeZone::UTC)
}
