//! Phrases that table and card share: addresses, names, times, places.

use std::time::Duration;

use jiff::Timestamp;

use super::escape::escape;
use super::macos_app;
use super::style::Meaning;
use crate::enrich::containers::proxy;
use crate::management::{kernel_socket, suspension};
use crate::model::{
    Candidate, Condition, Connection, Container, Endpoint, Exposure, FileChange, GitHead, Holder, Listener,
    Outcome, PathContent, Probe, Process, Project, Socket, Text, UnknownUser,
};
use crate::os::parse::process_name::hidden_program;
use crate::program_label;

/// What the asking user is known by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asker {
    /// The home folder, which is written `~`.
    pub(crate) home: Option<Text>,
    /// The user's number.
    pub(crate) uid: Option<u32>,
}

impl Asker {
    /// A path with the home folder as `~`, safe to show.
    pub(crate) fn path(&self, path: &Text) -> String {
        let below = self.home.as_ref().filter(|home| home.as_bytes().len() > 1).and_then(|home| {
            let rest = path.as_bytes().strip_prefix(home.as_bytes())?;
            (rest.is_empty() || rest.starts_with(b"/") || rest.starts_with(b"\\")).then_some(rest)
        });
        match below {
            Some(rest) => format!("~{}", escape(&rest.into())),
            None => escape(path),
        }
    }

    /// Whether something of this user is the asker's own. Nothing is known without both.
    pub(crate) fn meaning_of(&self, uid: Option<u32>) -> Option<Meaning> {
        match (self.uid, uid) {
            (Some(own), Some(uid)) if own == uid => Some(Meaning::Yours),
            (Some(_), Some(_)) => Some(Meaning::Theirs),
            _ => None,
        }
    }
}

/// The address as ss writes it: `*` takes IPv4 and IPv6, `0.0.0.0` IPv4 alone, `[::]` IPv6 alone. `[::]?` is the
/// wildcard of IPv6 of which it is not known whether it takes IPv4 too.
pub(crate) fn address(socket: &Socket) -> String {
    let (address, interface) = match &socket.endpoint {
        Endpoint::Ip { address, interface, .. } => (address, interface),
        Endpoint::Unix { path } => return path.as_ref().map_or_else(|| "(unnamed)".to_owned(), escape),
    };
    let at = interface.as_ref().map_or_else(String::new, |interface| format!("%{}", escape(interface)));
    match (address.is_ipv6(), address.is_unspecified(), socket.dual_stack) {
        (true, true, Some(true)) => format!("*{at}"),
        (true, true, None) => format!("[{address}{at}]?"),
        (true, ..) => format!("[{address}{at}]"),
        (false, ..) => format!("{address}{at}"),
    }
}

/// What it means that no file is at the path that a listener was bound by.
pub(crate) const NO_FILE: &str =
    "no file is there: it was removed, or the path is one of another mount namespace or root directory";

/// What is at a path on which nothing listens.
pub(crate) fn path_content(content: PathContent) -> Option<&'static str> {
    match content {
        PathContent::AbandonedSocket => Some(
            "the file of a socket is there, and no socket is bound to it: its server is gone and left the file",
        ),
        PathContent::BoundSocket => Some(
            "a socket is bound there that does not listen: one for datagrams, or one that does not listen yet",
        ),
        PathContent::OtherFile => Some("the file that is there is not a socket"),
        PathContent::Nothing => Some("there is no such file"),
        PathContent::Listener | PathContent::Unknown => None,
    }
}

/// The address in a sentence.
pub(crate) fn address_phrase(socket: &Socket) -> String {
    let (Some(address), Endpoint::Ip { interface, .. }) = (socket.endpoint.address(), &socket.endpoint)
    else {
        return address(socket);
    };
    let at = interface.as_ref().map_or_else(String::new, |interface| format!("%{}", escape(interface)));
    let all = match (address.is_unspecified(), address.is_ipv6(), socket.dual_stack) {
        (false, ..) => return self::address(socket),
        (_, false, _) => "all IPv4 addresses",
        (_, true, Some(true)) => "all addresses, IPv4 and IPv6",
        (_, true, Some(false)) => "all IPv6 addresses",
        (_, true, None) => "all IPv6 addresses; whether IPv4 too is not told",
    };
    match address.is_ipv6() {
        true => format!("[{address}{at}] ({all})"),
        false => format!("{address}{at} ({all})"),
    }
}

/// Who can reach a socket, as far as its address tells.
pub(crate) fn reach(socket: &Socket) -> String {
    match (socket.exposure(), &socket.namespace) {
        // Each network namespace has a loopback of its own.
        (Exposure::Loopback, Some(_)) => "that network namespace only".to_owned(),
        (Exposure::All, Some(_)) => {
            "every network that namespace is on (a firewall may stand before it)".to_owned()
        }
        (Exposure::Loopback | Exposure::Local, _) => "this machine only".to_owned(),
        (Exposure::All, None) => {
            "every network this machine is on (a firewall may stand before it)".to_owned()
        }
        (Exposure::Address, _) => {
            format!("the network of {} (a firewall may stand before it)", address(socket))
        }
    }
}

/// Whether other machines can reach it.
pub(crate) fn is_exposed(socket: &Socket) -> bool {
    matches!(socket.exposure(), Exposure::All | Exposure::Address)
}

/// A user's name, or its number where it has none.
pub(crate) fn user(name: &Option<Text>, uid: Option<u32>) -> Option<String> {
    name.as_ref().map(escape).or_else(|| uid.map(|uid| format!("uid {uid}")))
}

/// What [`user`] returns for a socket, or in a word why the user is unknown.
pub(crate) fn socket_user(socket: &Socket) -> Option<String> {
    user(&socket.user, socket.uid).or_else(|| unmapped(socket.unknown_user))
}

/// What [`user`] returns for a process, or in a word why the user is unknown.
pub(crate) fn process_user(process: &Process) -> Option<String> {
    user(&process.user, process.uid).or_else(|| unmapped(process.unknown_user))
}

/// A column's word for a user that has no number here.
fn unmapped(reason: Option<UnknownUser>) -> Option<String> {
    match reason? {
        UnknownUser::Unmapped | UnknownUser::UnmappedOrOverflow => Some("(unmapped)".to_owned()),
        UnknownUser::NotReported => None,
    }
}

/// Who opened a socket, in a phrase that can follow "opened by": `user postgres`.
pub(crate) fn opener(socket: &Socket) -> Option<String> {
    let known = user(&socket.user, socket.uid).map(|user| format!("user {user}"));
    known.or_else(|| socket.unknown_user.and_then(unmapped_phrase).map(str::to_owned))
}

/// A user that has no number here, in a sentence.
pub(crate) fn unmapped_phrase(reason: UnknownUser) -> Option<&'static str> {
    match reason {
        UnknownUser::Unmapped => Some("a user this namespace has no number for"),
        UnknownUser::UnmappedOrOverflow => {
            Some("a user this namespace has no number for, or the one to whom it gives the overflow number")
        }
        UnknownUser::NotReported => None,
    }
}

/// A holder's user.
pub(crate) fn holder_user(holder: &Holder) -> Option<String> {
    process_user(&holder.process)
}

/// `node (pid 4121, dev)`.
pub(crate) fn holder(holder: &Holder) -> String {
    plain_process(&holder.process)
}

/// `node (pid 4121, dev)`; `worker-7 (ruby3.1, pid 4121, dev)` for a process whose name does not tell its program.
fn plain_process(process: &Process) -> String {
    let name = process_name(&process.name);
    let program =
        hidden_program(process).map_or_else(String::new, |program| format!("{}, ", escape(&program.into())));
    match process_user(process) {
        Some(user) => format!("{name} ({program}pid {}, {user})", process.id.pid),
        None => format!("{name} ({program}pid {})", process.id.pid),
    }
}

/// A duration as people read it: `180 ms`, `1.5 s`, `2 min`.
pub(crate) fn duration(duration: Duration) -> String {
    match duration.as_millis() {
        short @ ..1000 => format!("{short} ms"),
        whole @ ..120_000 if whole % 1000 == 0 => format!("{} s", whole / 1000),
        ..120_000 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} min", duration.as_secs() / 60),
    }
}

/// `vite (node, pid 4121, dev)`, where what runs says more than the process's name; else as [`holder`].
pub(crate) fn holder_by_script(holder: &Holder) -> String {
    process(&holder.process)
}

/// The same for a process, whatever it holds.
pub(crate) fn process(process: &Process) -> String {
    match process.script.as_ref().filter(|_| program_label::replaces_name(process)) {
        Some(script) => {
            let user = process_user(process).map_or_else(String::new, |user| format!(", {user}"));
            let name = program_label::interpreter_name(process);
            // `ssh -L 3000:db:5432 host` names its program already.
            let told =
                script.as_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b" "));
            let name = if told { String::new() } else { format!("{}, ", process_name(&name)) };
            format!("{} ({name}pid {}{user})", escape(script), process.id.pid)
        }
        None => plain_process(process),
    }
}

/// A name, which may be empty.
pub(crate) fn process_name(name: &Text) -> String {
    match name.is_empty() {
        true => "(without a name)".to_owned(),
        false => escape(name),
    }
}

/// `postgres (pid 812)`.
pub(crate) fn candidate(candidate: &Candidate) -> String {
    format!("{} (pid {})", process_name(&candidate.name), candidate.pid)
}

/// How long before `now` something was: `2 h 14 min`.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match () {
        () if seconds < 60 => format!("{seconds} s"),
        () if minutes < 60 => format!("{minutes} min"),
        () if hours < 24 => format!("{hours} h {} min", minutes % 60),
        () if days < 30 => format!("{days} d {} h", hours % 24),
        () => format!("{days} d"),
    }
}

/// Who is at the other end of a connection: `127.0.0.1:50000 established, curl (pid 99)`.
pub(crate) fn connection(connection: &Connection) -> String {
    let clients: Vec<String> = connection.clients.iter().map(candidate).collect();
    match clients.is_empty() {
        true => format!("{} {}", connection.peer, connection.state.as_str()),
        false => format!("{} {}, {}", connection.peer, connection.state.as_str(), clients.join(" and ")),
    }
}

/// What became of a probe: `accepts (0.2 ms)`.
pub(crate) fn probe(probe: &Probe) -> String {
    let milliseconds = probe.took.as_secs_f64() * 1e3;
    let digits = if milliseconds < 10.0 { 1 } else { 0 };
    format!("{} ({milliseconds:.digits$} ms)", probe.outcome.as_str())
}

/// What a probe means, seen beside what the table says.
pub(crate) fn probe_meaning(listener: &Listener) -> Option<String> {
    let probe_of = listener.probe.as_ref()?;
    let told = probe(probe_of);
    let queue = listener.socket.queue;
    let full = queue.is_some_and(|queue| queue.limit.is_some_and(|limit| queue.waiting > limit));
    let waiting = queue.map_or(0, |queue| queue.waiting);
    let meaning = match probe_of.outcome {
        Outcome::Connects => "; the kernel connects, and no holder runs to accept".to_owned(),
        Outcome::Accepts if waiting > 0 => {
            let wait = match waiting {
                1 => "1 connection waits".to_owned(),
                many => format!("{many} connections wait"),
            };
            format!("; the kernel connects, but {wait} for the program to take them")
        }
        Outcome::Accepts => String::new(),
        Outcome::Refuses => {
            "; the table says that it listens: it has closed since, or a firewall refuses".to_owned()
        }
        Outcome::Silent if full => {
            "; it listens, but its queue is full: the program does not take connections".to_owned()
        }
        Outcome::Silent => {
            "; it listens, but nothing came back: its queue is full, or a firewall drops what comes"
                .to_owned()
        }
        Outcome::Failed => "; the connection could not be tried".to_owned(),
    };
    Some(format!("{told}{meaning}"))
}

/// `~/src/shop`, with the project's folder instead of one deep inside of it.
pub(crate) fn project(project: &Project, asker: &Asker) -> String {
    asker.path(&project.directory)
}

/// What is checked out there: `branch main, worktree fix-1`, `commit 1a2b3c4d5e`.
pub(crate) fn checked_out(project: &Project) -> Option<String> {
    let head = project.head.as_ref().map(|head| match head {
        GitHead::Commit(digits) => format!("commit {}", escape(digits)),
        head => format!("branch {}", escape(&head.to_text())),
    });
    let worktree = project.worktree.as_ref().map(|worktree| format!("worktree {}", escape(worktree)));
    let told: Vec<String> = head.into_iter().chain(worktree).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// A container's name, or the beginning of its id.
pub(crate) fn container(container: &Container) -> String {
    let id = || escape(&container.id).chars().take(12).collect();
    container.name.as_ref().map_or_else(id, escape)
}

/// A container with what it is: `container web-1`, or `pod 3a2b1c0d9e8f` for the infra container of a pod, which holds the
/// ports of all the others.
pub(crate) fn container_or_pod(container: &Container) -> String {
    match container.name.as_ref().and_then(proxy::pod_of_infra) {
        Some(pod) => format!("pod {}", escape(&pod)),
        None => format!("container {}", self::container(container)),
    }
}

/// What tells a listener from others of the same process name: container, service, project,
/// application, folder, command line, part of the kernel.
pub(crate) fn what(listener: &Listener, asker: &Asker) -> String {
    let first = listener.head().map(|holder| &holder.process);
    let container = listener.container.as_ref().or_else(|| first?.container.as_ref());
    if let Some(container) = container {
        let project = container.compose.as_ref().map(|compose| format!(" ({})", escape(&compose.project)));
        let port = container.port.map_or_else(String::new, |port| format!(", port {port}"));
        return format!("{}{}{port}", container_or_pod(container), project.unwrap_or_default());
    }
    let command = first.and_then(|process| process.command.as_deref());
    let proxied = command.filter(|_| first.is_some_and(|process| process.name.as_bytes() == b"docker-proxy"));
    if let Some(proxied) = proxied.and_then(proxy::proxied) {
        return format!("container at {}, port {}", proxied.inside.ip(), proxied.inside.port());
    }
    if let Some(service) = listener.service.as_ref().or_else(|| first?.service.as_ref()) {
        return escape(&service.name);
    }
    let Some(process) = first else {
        let by_kernel =
            listener.unseen.as_ref().filter(|unseen| unseen.reason == crate::model::Reason::Kernel);
        return by_kernel.and_then(|unseen| kernel(&unseen.kernel)).unwrap_or_default();
    };
    // A script that gave the process its name stands in the row already.
    let script = process.script.as_ref().filter(|script| **script != process.name);
    let script = script.cloned().or_else(|| hidden_program(process).map(Text::from));
    let script = script.map_or_else(String::new, |script| format!("  ({})", escape(&script)));
    if let Some(found) = &process.project {
        return format!("{}{script}", project(found, asker));
    }
    if let Some(application) = macos_app::application_of(process) {
        return format!("part of {}", escape(&application));
    }
    match (&process.directory, &process.command) {
        (Some(directory), _) if directory.as_bytes() != b"/" => format!("{}{script}", asker.path(directory)),
        (_, Some(command)) => crate::render::escape::command_line(command),
        _ => String::new(),
    }
}

/// What in the kernel uses a socket: `the vxlan interface vx0`.
pub(crate) fn kernel(kernel: &[crate::model::KernelSocket]) -> Option<String> {
    kernel_socket::described_all(kernel).map(|text| escape(&text.as_str().into()))
}

/// What closes a socket of the kernel's.
pub(crate) fn kernel_releases(kernel: &[crate::model::KernelSocket], socket: &Socket) -> Option<String> {
    let lines = kernel_socket::release_lines(kernel, socket);
    (!lines.is_empty()).then(|| escape(&lines.join("; ").as_str().into()))
}

/// What became of a file that a process was started from, and what that means.
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

/// The mark of a row whose first holder's program or script is not what a restart would run.
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

/// What [`what`] returns, marked if no holder runs: `(stopped) ~/src/shop`.
pub(crate) fn what_and_condition(listener: &Listener, asker: &Asker) -> String {
    let what = what(listener, asker);
    let marks: Vec<&str> = condition_of_all(listener).into_iter().chain(change_mark(listener)).collect();
    match marks.join(", ") {
        marks if marks.is_empty() => what,
        marks if what.is_empty() => format!("({marks})"),
        marks => format!("({marks}) {what}"),
    }
}

/// The condition of the first holder, if no holder runs and all are visible.
pub(crate) fn condition_of_all(listener: &Listener) -> Option<&'static str> {
    let first = listener.holders.first().filter(|_| listener.unseen.is_none())?;
    let all = listener.holders.iter().all(|holder| holder.process.condition.is_some());
    first.process.condition.as_ref().filter(|_| all).map(Condition::as_str)
}

/// Which holders do not run, and what resumes them.
pub(crate) fn conditions(listener: &Listener) -> Option<String> {
    const MOST: usize = 3;
    let several = listener.holders.len() > 1;
    let kept: Vec<(&Process, &Condition)> = listener
        .holders
        .iter()
        .filter_map(|holder| Some((&holder.process, holder.process.condition.as_ref()?)))
        .collect();
    let told = |(process, condition): &(&Process, &Condition)| {
        let subject = if several { format!("{} is ", process.id.pid) } else { String::new() };
        let helps =
            suspension::helps(process).map_or_else(String::new, |remedy| format!("; {}", remedy.phrase()));
        escape(&format!("{subject}{}{helps}", condition.phrase(process)).as_str().into())
    };
    let mut list: Vec<String> = kept.iter().take(MOST).map(told).collect();
    if kept.len() > MOST {
        list.push(format!("and {} more", kept.len() - MOST));
    }
    (!list.is_empty()).then(|| list.join(". "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_named_by_the_pod() {
        let container = |name: Option<&str>| Container {
            runtime: "podman".into(),
            id: "4f1d5a0c9b7e83264f1d5a0c9b7e8326".into(),
            uid: None,
            name: name.map(Text::from),
            image: None,
            port: None,
            compose: None,
        };
        for (name, expected) in [
            (Some("web"), "container web"),
            (Some("3a2b1c0d9e8f-infra"), "pod 3a2b1c0d9e8f"),
            (Some("my-infra"), "container my-infra"),
            (None, "container 4f1d5a0c9b7e"),
        ] {
            assert_eq!(container_or_pod(&container(name)), expected);
        }
    }

    #[test]
    fn times() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (8_040, "2 h 14 min"),
            (86_400, "1 d 0 h"),
            (90_000, "1 d 1 h"),
            (40 * 86_400, "40 d"),
        ] {
            assert_eq!(ago(at(1_000_000), at(1_000_000 + seconds)), text);
        }
        assert_eq!(ago(at(5), at(1)), "0 s", "a clock that was set back");
    }

    #[test]
    fn what_is_checked_out() {
        let told = |branch: Option<&str>, worktree: Option<&str>| {
            let [branch, worktree] = [branch, worktree].map(|text| text.map(Text::from));
            let head = branch.map(GitHead::from_text);
            checked_out(&Project { directory: "/s".into(), marker: ".git".into(), head, worktree })
        };
        assert_eq!(told(Some("main"), None).as_deref(), Some("branch main"));
        assert_eq!(told(Some("x"), Some("fix-1")).as_deref(), Some("branch x, worktree fix-1"));
        assert_eq!(told(None, Some("fix-1")).as_deref(), Some("worktree fix-1"));
        assert_eq!(told(Some("1a2b3c4d5e"), None).as_deref(), Some("commit 1a2b3c4d5e"));
        assert_eq!(told(Some("heads/1a2b3c4d5e"), None).as_deref(), Some("branch heads/1a2b3c4d5e"));
        assert_eq!(told(Some("a\u{1b}[31m"), None).as_deref(), Some("branch a\\x1b[31m"));
        assert_eq!(told(None, None), None);
    }

    #[test]
    fn home_is_a_tilde() {
        let asker = Asker { home: Some("/home/dev".into()), uid: None };
        assert_eq!(asker.path(&"/home/dev".into()), "~");
        assert_eq!(asker.path(&"/home/dev/src".into()), "~/src");
        assert_eq!(asker.path(&"/home/developer".into()), "/home/developer");
        let mac = Asker { home: Some("/Users/dev".into()), uid: None };
        assert_eq!(mac.path(&"/Users/dev/Library/Group Containers/x".into()), "~/Library/Group Containers/x");
        let root = Asker { home: Some("/".into()), uid: None };
        assert_eq!(root.path(&"/etc".into()), "/etc");
    }
}
