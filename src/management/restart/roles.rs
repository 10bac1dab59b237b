//! Determines what an ancestor does when its child ends: restart it, end too, or nothing.

use std::time::Duration;

use super::parent_role::{ParentRole, RestartSetting};
use super::program::Program;
use super::{
    Certainty, RestarterKind, RestartingProcess, SUPERVISORS, Sources, Stop, Trigger, masters, shell_loop,
};
use crate::model::{Process, SupervisorKind, Text};
use crate::os::parse::supervisor;

/// Returns what `parent` does when `child` ends.
pub(super) fn role(
    parent: &Process,
    program: &Program,
    child: &Process,
    sources: &mut dyn Sources,
) -> ParentRole {
    match SUPERVISORS.iter().find_map(|find| find(parent, program, child, sources)) {
        Some(RestartSetting::Restarts(restarter)) => return ParentRole::Restarts(restarter),
        Some(RestartSetting::LeavesDown) => return ParentRole::Boundary,
        None => {}
    }
    let watching_node = is_watching_node(parent, program);
    if watching_node || is_file_watcher(program) {
        let mut restarter = RestartingProcess::new(RestarterKind::FileWatcher, parent, program);
        restarter.trigger = Trigger::FileChange;
        if watching_node {
            restarter.name = "node".into();
        }
        return ParentRole::Restarts(restarter.into());
    }
    if let Some((trigger, delay)) = manager(program) {
        let mut restarter = RestartingProcess::new(RestarterKind::ProcessManager, parent, program);
        restarter.trigger = trigger;
        restarter.delay = delay;
        restarter.certainty = Certainty::Likely;
        return ParentRole::Restarts(restarter.into());
    }
    if let Some(role) = shell_loop::role(parent, child, sources) {
        return role;
    }
    if let Some(role) = masters::role(parent, program, child) {
        return role;
    }
    if is_wrapper(parent, program, child) {
        return ParentRole::Wrapper;
    }
    let mut command = || parent.command.clone().unwrap_or_default();
    match supervisor::kind(&parent.name, &mut command) {
        // The program that starts all service folders is an ancestor of the supervisor of one folder.
        Some(
            SupervisorKind::Runit | SupervisorKind::S6 | SupervisorKind::Daemontools | SupervisorKind::Openrc,
        ) => ParentRole::Other,
        Some(_) => ParentRole::Boundary,
        None => ParentRole::Other,
    }
}

impl RestartingProcess {
    /// Returns a restarter with the defaults: it certainly restarts after every end, and has to be ended to stop that.
    pub(super) fn new(kind: RestarterKind, process: &Process, program: &Program) -> RestartingProcess {
        // If the interpreter runs nothing with a name, the process's own name is used.
        let unnamed = program.interpreted
            && process.executable.as_ref().is_some_and(|file| file.file_name() == program.path.file_name());
        let name = match unnamed || program.name().is_empty() {
            true => process.name.clone(),
            false => program.name().into(),
        };
        RestartingProcess {
            kind,
            id: process.id,
            name,
            uid: process.uid,
            program: None,
            trigger: Trigger::End,
            delay: None,
            certainty: Certainty::Certain,
            stop: Stop::EndRestarter,
        }
    }
}

/// Returns whether a program restarts another one when a file changes, and keeps running when that one ends.
fn is_file_watcher(program: &Program) -> bool {
    const ALWAYS: &[&str] = &[
        "nodemon",
        "watchexec",
        "cargo-watch",
        "air",
        "entr",
        "reflex",
        "watchfiles",
        "ts-node-dev",
        "tsnd",
        "node-dev",
        "wgo",
        "gow",
        "CompileDaemon",
    ];
    let first = program.arguments.first().map(Text::as_bytes);
    program.is_any(ALWAYS)
        || (program.is_named("tsx") && first == Some(b"watch"))
        || (program.is_named("watchmedo") && first == Some(b"auto-restart"))
        || (program.is_named("uvicorn") && program.has_option("--reload"))
        || (program.is_named("dotnet") && first == Some(b"watch"))
}

/// Returns whether a process is `node --watch`, which runs the script in a child.
fn is_watching_node(process: &Process, program: &Program) -> bool {
    let command = process.command.as_deref().unwrap_or_default();
    let is_node = [process.executable.as_ref(), command.first()]
        .into_iter()
        .flatten()
        .any(|name| matches!(name.file_name(), b"node" | b"nodejs"));
    // The number of node's own options, which come before the script.
    let own = command.len().saturating_sub(program.arguments.len() + 1);
    let watches = |word: &Text| word.as_bytes() == b"--watch" || word.as_bytes().starts_with(b"--watch-path");
    is_node && program.interpreted && command.iter().take(own).skip(1).any(watches)
}

/// Returns the trigger and the longest delay of another process manager that is configured to restart.
fn manager(program: &Program) -> Option<(Trigger, Option<Duration>)> {
    if !program.interpreted && program.is_named("autossh") {
        return Some((Trigger::End, None));
    }
    // A server that ends by SIGTERM removes its pid file, and then these end too.
    if program.is_any(&["mysqld_safe", "mariadbd-safe"]) {
        return Some((Trigger::Failure, None));
    }
    if program.is_named("concurrently") && program.has_option("--restart-tries") {
        let after = program.value(&["--restart-after"]);
        let delay = after.map_or(Some(0), |after| std::str::from_utf8(after).ok()?.parse().ok());
        return Some((Trigger::Failure, delay.map(Duration::from_millis)));
    }
    let is_forever = program.interpreted && program.is_named("forever") && program.name() == b"monitor";
    is_forever.then_some((Trigger::End, None))
}

/// Returns whether a process ends when its child ends, or only continues with its next command.
fn is_wrapper(process: &Process, program: &Program, child: &Process) -> bool {
    const WRAPPERS: &[&str] = &[
        "npm",
        "npx",
        "yarn",
        "pnpm",
        "make",
        "gmake",
        "ninja",
        "just",
        "task",
        "sudo",
        "doas",
        "su",
        "runuser",
        "setpriv",
        "env",
        "time",
        "timeout",
        "nohup",
        "setsid",
        "unshare",
        "nsenter",
        "strace",
        "ltrace",
        "script",
        "xvfb-run",
        "tini",
        "dumb-init",
        "catatonit",
        "docker-init",
        "concurrently",
        "foreman",
        "honcho",
        "hivemind",
        "bundle",
        "poetry",
        "pipenv",
        "uv",
        "pdm",
        "hatch",
        "cargo",
        "go",
        "mvn",
        "gradle",
    ];
    // npm and foreman replace their command lines with a title: `npm run dev`.
    let is_titled = ["npm ", "yarn ", "pnpm ", "foreman: "]
        .iter()
        .any(|title| program.is_titled(title) || process.name.as_bytes().starts_with(title.as_bytes()));
    // These run themselves as a child, to restart it when their code changes. They end with the child, unless its exit
    // code requests a restart.
    let is_reloader = program.interpreted
        && masters::same_program(process, child)
        && (program.is_any(&["flask", "hypercorn"])
            || program.arguments.iter().any(|word| word.as_bytes() == b"runserver"));
    program.is_any(WRAPPERS) || is_titled || is_reloader
}
