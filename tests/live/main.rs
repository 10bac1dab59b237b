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

#[path = "../stage/mod.rs"]
mod stage;

/// The trials of a module: names of functions, each with what it needs.
macro_rules! cases {
    ($($name:ident [$($need:expr),*]),* $(,)?) => {
        pub(crate) fn cases() -> Vec<crate::Case> {
            vec![$(crate::Case { name: stringify!($name), needs: &[$($need),*], run: $name }),*]
        }
    };
}

#[cfg(unix)]
mod addresses;
#[cfg(unix)]
mod advice;
#[cfg(unix)]
mod answers_lost;
#[cfg(unix)]
mod burden;
#[cfg(unix)]
mod churn;
#[cfg(target_os = "linux")]
mod conditions;
#[cfg(unix)]
mod containers;
#[cfg(unix)]
mod containers_forwarded;
#[cfg(unix)]
mod containers_podman;
#[cfg(unix)]
mod containers_starters;
#[cfg(unix)]
mod containers_unasked;
#[cfg(unix)]
mod descriptor_store;
#[cfg(unix)]
mod diff;
#[cfg(unix)]
mod elsewhere;
#[cfg(unix)]
mod endless;
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
mod everywhere;
mod formats;
#[cfg(target_os = "linux")]
mod forwarding;
#[cfg(unix)]
mod free;
#[cfg(unix)]
mod free_asks;
#[cfg(unix)]
mod free_endings;
#[cfg(unix)]
mod free_refuses;
#[cfg(unix)]
mod free_reports;
#[cfg(unix)]
mod free_roles;
#[cfg(unix)]
mod free_tree;
#[cfg(unix)]
mod holder_search;
#[cfg(unix)]
mod holders;
#[cfg(unix)]
mod job_control;
#[cfg(unix)]
mod kernel_answers;
#[cfg(unix)]
mod kernel_sockets;
#[cfg(unix)]
mod knowledge;
#[cfg(unix)]
mod names;
#[cfg(unix)]
mod namespaces;
#[cfg(target_os = "linux")]
mod namespaces_hidden;
#[cfg(target_os = "linux")]
mod namespaces_hint;
#[cfg(unix)]
mod no_netlink;
#[cfg(unix)]
mod output;
#[cfg(unix)]
mod peers;
#[cfg(unix)]
mod probe;
#[cfg(target_os = "linux")]
mod program_files;
#[cfg(unix)]
mod projects;
#[cfg(unix)]
mod reading;
#[cfg(unix)]
mod renderings;
#[cfg(unix)]
mod rights;
#[cfg(target_os = "linux")]
mod service_names;
#[cfg(unix)]
mod services;
#[cfg(unix)]
mod snapshot_questions;
#[cfg(unix)]
mod states;
#[cfg(unix)]
mod supervisors;
mod targets;
#[cfg(target_os = "linux")]
mod udplite;
#[cfg(unix)]
mod units;
#[cfg(unix)]
mod unix_sockets;
#[cfg(unix)]
mod unprivileged;
#[cfg(target_os = "linux")]
mod users;
#[cfg(unix)]
mod wait;
#[cfg(unix)]
mod wait_free;
#[cfg(unix)]
mod watch;
#[cfg(target_os = "linux")]
mod who_answers;
#[cfg(unix)]
mod why;
#[cfg(target_os = "linux")]
mod why_addresses;
#[cfg(unix)]
mod why_and_bind;
#[cfg(unix)]
mod why_half_blind;
#[cfg(unix)]
mod why_leaves_nothing;
#[cfg(unix)]
mod why_limits;
#[cfg(target_os = "linux")]
mod why_orphans;
#[cfg(unix)]
mod why_other_states;
#[cfg(target_os = "linux")]
mod why_policies;
#[cfg(windows)]
mod windows;
#[cfg(target_os = "linux")]
mod without_descriptor;

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;

/// One trial before it is known whether this machine can stage it.
pub(crate) struct Case {
    name: &'static str,
    needs: &'static [stage::Need],
    run: fn(),
}

/// The trials of one module.
type Cases = fn() -> Vec<Case>;

/// What must hold now.
const READY: &[Cases] = &[
    formats::cases,
    everywhere::cases,
    #[cfg(windows)]
    windows::cases,
    targets::cases,
    #[cfg(unix)]
    addresses::cases,
    #[cfg(unix)]
    churn::cases,
    #[cfg(unix)]
    holders::cases,
    #[cfg(unix)]
    knowledge::cases,
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
    reading::cases,
    #[cfg(unix)]
    rights::cases,
    #[cfg(unix)]
    snapshot_questions::cases,
    #[cfg(unix)]
    states::cases,
    #[cfg(target_os = "linux")]
    conditions::cases,
    #[cfg(target_os = "linux")]
    forwarding::cases,
    #[cfg(unix)]
    burden::cases,
    #[cfg(unix)]
    containers::cases,
    #[cfg(unix)]
    containers_forwarded::cases,
    #[cfg(unix)]
    containers_podman::cases,
    #[cfg(unix)]
    containers_starters::cases,
    #[cfg(unix)]
    containers_unasked::cases,
    #[cfg(unix)]
    elsewhere::cases,
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
    kernel_answers::cases,
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
    renderings::cases,
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
    free_asks::cases,
    #[cfg(unix)]
    free_endings::cases,
    #[cfg(unix)]
    free_refuses::cases,
    #[cfg(unix)]
    free_reports::cases,
    #[cfg(unix)]
    free_roles::cases,
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
    advice::cases,
    #[cfg(unix)]
    answers_lost::cases,
    #[cfg(unix)]
    endless::cases,
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
    why_half_blind::cases,
    #[cfg(unix)]
    why_leaves_nothing::cases,
    #[cfg(unix)]
    why_limits::cases,
    #[cfg(unix)]
    why_other_states::cases,
    #[cfg(target_os = "linux")]
    who_answers::cases,
    #[cfg(target_os = "linux")]
    why_orphans::cases,
    #[cfg(target_os = "linux")]
    why_policies::cases,
    #[cfg(target_os = "linux")]
    without_descriptor::cases,
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
    let trials = cases.map(|case| trial(&case, &arguments, may_skip)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    stage::clean();
    conclusion.exit_code()
}

fn trial(case: &Case, arguments: &Arguments, may_skip: bool) -> Trial {
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
