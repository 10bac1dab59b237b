//! Tests of the program against real sockets, real processes and real users.
//!
//! A test that needs something that this machine lacks is skipped, and the reason is printed. With `ALLEARS_NO_SKIP=1` it
//! fails, unless no package installs what it needs, such as a running container engine. A module that is for some
//! systems only begins with a `#![cfg(..)]`.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and reports on standard error what it skipped"
)]
#![cfg_attr(not(unix), expect(dead_code, unused_imports, reason = "most of the support code is for Unix"))]

#[path = "../support/mod.rs"]
mod support;

mod address_forms;
mod addresses;
mod churn;
mod closed_output;
mod completions;
mod completions_names;
mod containers;
mod containers_by_arguments;
mod containers_forwarding;
mod containers_podman;
mod containers_runtime_errors;
mod descriptor_store;
mod diff;
mod docs;
mod docs_commands;
mod environment_descriptors;
mod environment_files;
mod environment_memory;
mod environment_proc;
mod environment_targets;
mod environment_threads;
mod every_system;
mod faults;
mod fleet;
mod formats;
mod forwarding;
mod free;
mod free_by_name;
mod free_output;
mod free_prompt;
mod free_proxies;
mod free_refusals;
mod free_termination;
mod free_tree;
mod hidden_descriptors;
mod holder_search;
mod holders;
mod holders_without_descriptor;
mod job_control;
mod kernel_sockets;
mod load;
mod manual;
mod names;
mod namespaces;
mod namespaces_hidden;
mod namespaces_hint;
mod netlink_errors;
mod next;
mod no_netlink;
mod openmetrics;
mod output;
mod peers;
mod permissions;
mod port_info;
mod probe;
mod program_files;
mod project_filters;
mod projects;
mod schema;
mod security;
mod security_rights;
mod service_names;
mod services;
mod shared_ports;
mod snapshot_scope;
mod socket_states;
mod stopped_holders;
mod suggested_commands;
mod supervisors;
mod system_calls;
mod udplite;
mod unbounded_input;
mod units;
mod unix_sockets;
mod unprivileged;
mod usage_errors;
mod users;
mod wait;
mod wait_free;
mod wait_http;
mod wait_many;
mod watch;
mod watch_command;
mod watch_events;
mod watch_screen;
mod watch_tmux;
mod why;
mod why_addresses;
mod why_and_bind;
mod why_incomplete;
mod why_limits;
mod why_orphans;
mod why_other_states;
mod why_policies;
mod why_side_effects;
mod windows;

use libtest_mimic::Arguments;
use std::process::ExitCode;

/// Restores the default action of SIGINT, which programs started in the background by a shell ignore.
#[cfg(unix)]
fn heed_interrupts() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    #[expect(unsafe_code, reason = "no safe function sets the action of a signal")]
    // SAFETY: no handler is installed, and no other thread runs yet.
    let set = unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) };
    set.expect("set the action of SIGINT");
}

/// Checks the documents that the program printed against their schemas, and returns whether they match.
fn check_documents(may_skip: bool) -> bool {
    if support::python("jsonschema").is_none() {
        // PyPI has it for every system, but only here CI installs it.
        eprintln!("skipped: schemas of what the program printed: needs jsonschema");
        return may_skip || !cfg!(target_os = "linux");
    }
    match support::check_recorded() {
        Ok(message) => eprintln!("{message}"),
        Err(message) => {
            eprintln!("failed: {message}");
            return false;
        }
    }
    true
}

fn main() -> ExitCode {
    #[cfg(unix)]
    heed_interrupts();
    let arguments = Arguments::from_args();
    // The report of the failed test has the message; this adds the place.
    std::panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            eprintln!("failed at {place}");
        }
    }));
    let may_skip = std::env::var_os("ALLEARS_NO_SKIP").is_none_or(|value| value != "1");
    let conclusion = libtest_mimic::run(&arguments, support::tests(may_skip));
    let documents = match std::env::var_os(support::ALONE) {
        // The process that started this one checks them.
        Some(path) => {
            support::save(path.as_ref());
            true
        }
        None => check_documents(may_skip),
    };
    support::clean();
    if documents { conclusion.exit_code() } else { ExitCode::FAILURE }
}
