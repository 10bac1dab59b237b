//! The program against real sockets, real processes and real users.
//!
//! What a machine lacks makes a trial skipped, with the reason said; with `ALLEARS_NO_SKIP=1` it fails, unless
//! it is what nobody can be expected to install for it, as an engine of containers.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says on standard error what it skipped"
)]
#![cfg_attr(not(unix), expect(dead_code, unused_imports, reason = "most of what is staged needs a Unix"))]

#[path = "../support/mod.rs"]
mod support;

/// The trials of a module: names of functions, each with what it needs.
macro_rules! cases {
    ($($name:ident [$($need:expr),*]),* $(,)?) => {
        pub(crate) fn cases() -> Vec<crate::Case> {
            vec![$(crate::Case { name: stringify!($name), needs: &[$($need),*], run: $name }),*]
        }
    };
}

#[cfg(unix)]
mod address_forms;
#[cfg(unix)]
mod addresses;
#[cfg(unix)]
mod churn;
#[cfg(unix)]
mod closed_output;
#[cfg(unix)]
mod containers;
#[cfg(unix)]
mod containers_by_arguments;
#[cfg(unix)]
mod containers_forwarding;
#[cfg(unix)]
mod containers_podman;
#[cfg(unix)]
mod containers_runtime_errors;
#[cfg(unix)]
mod descriptor_store;
#[cfg(unix)]
mod diff;
#[cfg(unix)]
mod environment_descriptors;
#[cfg(unix)]
mod environment_files;
#[cfg(unix)]
mod environment_memory;
#[cfg(unix)]
mod environment_proc;
#[cfg(target_os = "linux")]
mod environment_targets;
#[cfg(unix)]
mod environment_threads;
mod every_system;
mod formats;
#[cfg(target_os = "linux")]
mod forwarding;
#[cfg(unix)]
mod free;
#[cfg(unix)]
mod free_output;
#[cfg(unix)]
mod free_prompt;
#[cfg(unix)]
mod free_proxies;
#[cfg(unix)]
mod free_refusals;
#[cfg(unix)]
mod free_termination;
#[cfg(unix)]
mod free_tree;
#[cfg(unix)]
mod hidden_descriptors;
#[cfg(unix)]
mod holder_search;
#[cfg(unix)]
mod holders;
#[cfg(target_os = "linux")]
mod holders_without_descriptor;
#[cfg(unix)]
mod job_control;
#[cfg(unix)]
mod kernel_sockets;
#[cfg(unix)]
mod load;
#[cfg(unix)]
mod names;
#[cfg(unix)]
mod namespaces;
#[cfg(target_os = "linux")]
mod namespaces_hidden;
#[cfg(target_os = "linux")]
mod namespaces_hint;
#[cfg(unix)]
mod netlink_errors;
#[cfg(unix)]
mod no_netlink;
#[cfg(unix)]
mod output;
#[cfg(unix)]
mod peers;
#[cfg(unix)]
mod permissions;
#[cfg(unix)]
mod port_info;
#[cfg(unix)]
mod probe;
#[cfg(target_os = "linux")]
mod program_files;
#[cfg(unix)]
mod projects;
#[cfg(target_os = "linux")]
mod service_names;
#[cfg(unix)]
mod services;
#[cfg(target_os = "linux")]
mod shared_ports;
#[cfg(unix)]
mod snapshot_scope;
#[cfg(unix)]
mod socket_states;
#[cfg(target_os = "linux")]
mod stopped_holders;
#[cfg(unix)]
mod suggested_commands;
#[cfg(unix)]
mod supervisors;
#[cfg(unix)]
mod system_calls;
#[cfg(target_os = "linux")]
mod udplite;
#[cfg(unix)]
mod unbounded_input;
#[cfg(unix)]
mod units;
#[cfg(unix)]
mod unix_sockets;
#[cfg(unix)]
mod unprivileged;
mod usage_errors;
#[cfg(target_os = "linux")]
mod users;
#[cfg(unix)]
mod wait;
#[cfg(unix)]
mod wait_free;
#[cfg(unix)]
mod watch;
#[cfg(unix)]
mod why;
#[cfg(target_os = "linux")]
mod why_addresses;
#[cfg(unix)]
mod why_and_bind;
#[cfg(unix)]
mod why_incomplete;
#[cfg(unix)]
mod why_limits;
#[cfg(target_os = "linux")]
mod why_orphans;
#[cfg(unix)]
mod why_other_states;
#[cfg(target_os = "linux")]
mod why_policies;
#[cfg(unix)]
mod why_side_effects;
#[cfg(windows)]
mod windows;

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;

/// One trial before it is known whether this machine can stage it.
pub(crate) struct Case {
    name: &'static str,
    needs: &'static [support::Need],
    run: fn(),
}

/// The trials of one module.
type Cases = fn() -> Vec<Case>;

/// What must hold now.
const READY: &[Cases] = &[
    formats::cases,
    every_system::cases,
    #[cfg(windows)]
    windows::cases,
    usage_errors::cases,
    #[cfg(unix)]
    addresses::cases,
    #[cfg(unix)]
    churn::cases,
    #[cfg(unix)]
    holders::cases,
    #[cfg(unix)]
    port_info::cases,
    #[cfg(unix)]
    holder_search::cases,
    #[cfg(unix)]
    names::cases,
    #[cfg(unix)]
    output::cases,
    #[cfg(unix)]
    peers::cases,
    #[cfg(target_os = "linux")]
    program_files::cases,
    #[cfg(unix)]
    projects::cases,
    #[cfg(unix)]
    system_calls::cases,
    #[cfg(unix)]
    permissions::cases,
    #[cfg(unix)]
    snapshot_scope::cases,
    #[cfg(unix)]
    socket_states::cases,
    #[cfg(target_os = "linux")]
    stopped_holders::cases,
    #[cfg(target_os = "linux")]
    forwarding::cases,
    #[cfg(unix)]
    load::cases,
    #[cfg(unix)]
    containers::cases,
    #[cfg(unix)]
    containers_forwarding::cases,
    #[cfg(unix)]
    containers_podman::cases,
    #[cfg(unix)]
    containers_by_arguments::cases,
    #[cfg(unix)]
    containers_runtime_errors::cases,
    #[cfg(unix)]
    hidden_descriptors::cases,
    #[cfg(unix)]
    environment_descriptors::cases,
    #[cfg(unix)]
    environment_files::cases,
    #[cfg(unix)]
    environment_memory::cases,
    #[cfg(unix)]
    environment_proc::cases,
    #[cfg(target_os = "linux")]
    environment_targets::cases,
    #[cfg(unix)]
    environment_threads::cases,
    #[cfg(unix)]
    netlink_errors::cases,
    #[cfg(unix)]
    kernel_sockets::cases,
    #[cfg(unix)]
    no_netlink::cases,
    #[cfg(unix)]
    namespaces::cases,
    #[cfg(target_os = "linux")]
    namespaces_hidden::cases,
    #[cfg(target_os = "linux")]
    namespaces_hint::cases,
    #[cfg(unix)]
    address_forms::cases,
    #[cfg(unix)]
    unix_sockets::cases,
    #[cfg(target_os = "linux")]
    udplite::cases,
    #[cfg(unix)]
    unprivileged::cases,
    #[cfg(target_os = "linux")]
    users::cases,
    #[cfg(target_os = "linux")]
    service_names::cases,
    #[cfg(unix)]
    services::cases,
    #[cfg(unix)]
    supervisors::cases,
    #[cfg(unix)]
    units::cases,
    #[cfg(unix)]
    free::cases,
    #[cfg(unix)]
    free_prompt::cases,
    #[cfg(unix)]
    free_termination::cases,
    #[cfg(unix)]
    free_refusals::cases,
    #[cfg(unix)]
    free_output::cases,
    #[cfg(unix)]
    free_proxies::cases,
    #[cfg(unix)]
    free_tree::cases,
    #[cfg(unix)]
    probe::cases,
    #[cfg(unix)]
    wait::cases,
    #[cfg(unix)]
    wait_free::cases,
    #[cfg(unix)]
    watch::cases,
    #[cfg(unix)]
    job_control::cases,
    #[cfg(unix)]
    suggested_commands::cases,
    #[cfg(unix)]
    closed_output::cases,
    #[cfg(unix)]
    unbounded_input::cases,
    #[cfg(unix)]
    descriptor_store::cases,
    #[cfg(unix)]
    diff::cases,
    #[cfg(unix)]
    why::cases,
    #[cfg(target_os = "linux")]
    why_addresses::cases,
    #[cfg(unix)]
    why_and_bind::cases,
    #[cfg(unix)]
    why_incomplete::cases,
    #[cfg(unix)]
    why_side_effects::cases,
    #[cfg(unix)]
    why_limits::cases,
    #[cfg(unix)]
    why_other_states::cases,
    #[cfg(target_os = "linux")]
    shared_ports::cases,
    #[cfg(target_os = "linux")]
    why_orphans::cases,
    #[cfg(target_os = "linux")]
    why_policies::cases,
    #[cfg(target_os = "linux")]
    holders_without_descriptor::cases,
];

/// Whoever starts the trials in the background may have them ignore the interrupt, and what they start with them.
#[cfg(unix)]
fn heed_interrupts() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    #[expect(unsafe_code, reason = "what a signal does can be set in no safe form")]
    // SAFETY: no handler is installed, and no other thread runs yet.
    let set = unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) };
    set.expect("SIGINT can be heeded");
}

fn main() -> ExitCode {
    #[cfg(unix)]
    heed_interrupts();
    let arguments = Arguments::from_args();
    // The message is in the report of the trial that failed; here is only where it was.
    std::panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            eprintln!("failed at {place}");
        }
    }));
    let may_skip = std::env::var_os("ALLEARS_NO_SKIP").is_none_or(|value| value != "1");
    let cases = READY.iter().flat_map(|cases| cases());
    let tests = cases.map(|case| test(&case, &arguments, may_skip)).collect();
    let conclusion = libtest_mimic::run(&arguments, tests);
    support::clean();
    conclusion.exit_code()
}

fn test(case: &Case, arguments: &Arguments, may_skip: bool) -> Trial {
    let Case { name, run: body, .. } = *case;
    let missing = case.needs.iter().find_map(|need| Some((need, need.missing()?)));
    let Some((need, why)) = missing else {
        return Trial::test(name, move || {
            body();
            Ok(())
        });
    };
    if !may_skip && !need.may_be_missing() {
        return Trial::test(name, move || Err(Failed::from(format!("{why}, and nothing may be skipped"))));
    }
    let skipped = Trial::test(name, || Ok(())).with_kind(format!("skipped: {why}")).with_ignored_flag(true);
    if !arguments.list && !arguments.is_filtered_out(&skipped) {
        eprintln!("skipped: {name}: {why}");
    }
    skipped
}
