//! What distinguishes listeners whose processes have the same name.

use super::{container_or_pod, kernel_sockets};
use crate::management::proxy;
use crate::management::suspension::helps;
use crate::model::{Condition, FileChange, Listener, Process, Project, Text};
use crate::os::parse::process_name::hidden_program;
use crate::render::current_user::CurrentUser;
use crate::render::escape::escape;
use crate::render::macos_app;

/// Returns the folder of a project: `~/src/shop`.
pub(crate) fn project(project: &Project, current_user: &CurrentUser) -> String {
    current_user.path(&project.directory)
}

/// Returns what is checked out in a project: `branch main, worktree fix-1`, `commit 1a2b3c4d5e`.
pub(crate) fn checked_out(project: &Project) -> Option<String> {
    let head = project.head.as_ref().map(ToString::to_string);
    let worktree = project.worktree.as_ref().map(|worktree| format!("worktree {}", escape(worktree)));
    let described: Vec<String> = head.into_iter().chain(worktree).collect();
    (!described.is_empty()).then(|| described.join(", "))
}

/// Returns what distinguishes a listener from others of the same process name: container, service, project,
/// application, folder, command line, part of the kernel.
pub(crate) fn description(listener: &Listener, current_user: &CurrentUser) -> String {
    let first = listener.head().map(|holder| &*holder.process);
    let container = listener.container.as_deref().or_else(|| first?.container.as_ref());
    if let Some(container) = container {
        let project = container.compose.as_ref().map(|compose| format!(" ({})", escape(&compose.project)));
        let port = container.port.map_or_else(String::new, |port| format!(", port {port}"));
        return format!("{}{}{port}", container_or_pod(container), project.unwrap_or_default());
    }
    if let Some(inside) = first.and_then(proxy::destination) {
        return format!("container at {}, port {}", inside.ip(), inside.port());
    }
    if let Some(service) = listener.service.as_deref().or_else(|| first?.service.as_ref()) {
        return escape(&service.name);
    }
    let Some(process) = first else {
        let by_kernel =
            listener.unseen.as_deref().filter(|unseen| unseen.reason == crate::model::UnseenReason::Kernel);
        return by_kernel.and_then(|unseen| kernel_sockets(&unseen.kernel)).unwrap_or_default();
    };
    // A script that gave the process its name stands in the row already.
    let script = process.script.as_ref().filter(|script| **script != process.name);
    let script = script.cloned().or_else(|| hidden_program(process).map(Text::from));
    let script = script.map_or_else(String::new, |script| format!("  ({})", escape(&script)));
    if let Some(found) = &process.project {
        return format!("{}{script}", project(found, current_user));
    }
    if let Some(application) = macos_app::application_of(process) {
        return format!("part of {}", escape(&application));
    }
    match (&process.directory, &process.command) {
        (Some(directory), _) if directory.as_bytes() != b"/" => {
            format!("{}{script}", current_user.path(directory))
        }
        (_, Some(command)) => crate::render::escape::command_line(command),
        _ => String::new(),
    }
}

/// Returns what happened to the file that a process was started from, and the effect.
pub(crate) fn program_change(change: FileChange) -> &'static str {
    match change {
        FileChange::Removed => "which was removed since it started: a restart would not find it",
        FileChange::Replaced => "which was replaced since it started: a restart would run another file",
        FileChange::Deleted => {
            "which was removed or replaced since it started: a restart would fail or run another file"
        }
        FileChange::Memory => "in memory alone: there is no file to start it from again",
        FileChange::Unmounted => "whose file system was unmounted: a restart would not find it there",
    }
}

/// Returns the mark of a row whose first holder's program or script is not what a restart would run.
fn change_mark(listener: &Listener) -> Option<&'static str> {
    let process = &listener.head()?.process;
    match (process.executable_change, process.script_change) {
        (Some(FileChange::Removed), _) => Some("program removed"),
        (Some(FileChange::Replaced), _) => Some("program replaced"),
        (Some(FileChange::Deleted), _) => Some("program removed or replaced"),
        (Some(FileChange::Unmounted), _) => Some("program unmounted"),
        (Some(FileChange::Memory), _) => Some("program in memory"),
        (None, Some(_)) => Some("script removed"),
        (None, None) => None,
    }
}

/// Returns what [`description`] returns, marked if no holder runs: `(stopped) ~/src/shop`.
pub(crate) fn description_and_condition(listener: &Listener, current_user: &CurrentUser) -> String {
    let description = description(listener, current_user);
    let marks: Vec<&str> = condition_of_all(listener).into_iter().chain(change_mark(listener)).collect();
    match marks.join(", ") {
        marks if marks.is_empty() => description,
        marks if description.is_empty() => format!("({marks})"),
        marks => format!("({marks}) {description}"),
    }
}

/// Returns the condition of the first holder, if no holder runs and all are visible.
pub(crate) fn condition_of_all(listener: &Listener) -> Option<&'static str> {
    let first = listener.holders.first().filter(|_| listener.unseen.is_none())?;
    let all = listener.holders.iter().all(|holder| holder.process.condition.is_some());
    first.process.condition.as_ref().filter(|_| all).map(Condition::as_str)
}

/// Returns the holders that do not run, with what resumes them.
pub(crate) fn conditions(listener: &Listener) -> Option<String> {
    const MOST: usize = 3;
    let several = listener.holders.len() > 1;
    let kept: Vec<(&Process, &Condition)> = listener
        .holders
        .iter()
        .filter_map(|holder| Some((&*holder.process, holder.process.condition.as_ref()?)))
        .collect();
    let described = |(process, condition): &(&Process, &Condition)| {
        let subject = if several { format!("{} is ", process.id.pid) } else { String::new() };
        let helps =
            helps(process).map_or_else(String::new, |resumes| format!("; {}", super::remedy(&resumes)));
        format!("{subject}{}{helps}", super::condition(condition, process))
    };
    let mut list: Vec<String> = kept.iter().take(MOST).map(described).collect();
    if kept.len() > MOST {
        list.push(format!("and {} more", kept.len() - MOST));
    }
    (!list.is_empty()).then(|| list.join(". "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::GitHead;

    #[test]
    fn what_is_checked_out() {
        let described = |branch: Option<&str>, worktree: Option<&str>| {
            let [branch, worktree] = [branch, worktree].map(|text| text.map(Text::from));
            let head = branch.map(GitHead::from_text);
            checked_out(&Project { directory: "/s".into(), marker: ".git".into(), head, worktree })
        };
        assert_eq!(described(Some("main"), None).as_deref(), Some("branch main"));
        assert_eq!(described(Some("x"), Some("fix-1")).as_deref(), Some("branch x, worktree fix-1"));
        assert_eq!(described(None, Some("fix-1")).as_deref(), Some("worktree fix-1"));
        assert_eq!(described(Some("1a2b3c4d5e"), None).as_deref(), Some("commit 1a2b3c4d5e"));
        assert_eq!(described(Some("heads/1a2b3c4d5e"), None).as_deref(), Some("branch heads/1a2b3c4d5e"));
        assert_eq!(described(Some("a\u{1b}[31m"), None).as_deref(), Some("branch a\\x1b[31m"));
        assert_eq!(described(None, None), None);
    }
}
