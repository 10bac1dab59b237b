//! Processes, holders and users.

#[cfg(feature = "cli")]
use crate::model::Holder;
use crate::model::{Candidate, Process, Socket, Text, UnknownUser};
use crate::os::parse::process_name::hidden_program;
use crate::program_label;
use crate::render::escape::escape;

/// Returns a user's name, or the uid if there is no name.
pub(crate) fn user(name: &Option<Text>, uid: Option<u32>) -> Option<String> {
    name.as_ref().map(escape).or_else(|| uid.map(|uid| format!("uid {uid}")))
}

/// Returns the user of a socket, or in one word why it is unknown.
#[cfg(feature = "cli")]
pub(crate) fn socket_user(socket: &Socket) -> Option<String> {
    user(&socket.user, socket.uid).or_else(|| unmapped(socket.unknown_user))
}

/// Returns the user of a process, or in one word why it is unknown.
fn process_user(process: &Process) -> Option<String> {
    user(&process.user, process.uid).or_else(|| unmapped(process.unknown_user))
}

/// Returns the word in a column for a user without a uid here.
fn unmapped(reason: Option<UnknownUser>) -> Option<String> {
    match reason? {
        UnknownUser::Unmapped | UnknownUser::UnmappedOrOverflow => Some("(unmapped)".to_owned()),
        UnknownUser::NotReported => None,
    }
}

/// Returns the user who opened a socket, in a phrase that can follow "opened by": `user postgres`.
pub(crate) fn opener(socket: &Socket) -> Option<String> {
    let known = user(&socket.user, socket.uid).map(|user| format!("user {user}"));
    known.or_else(|| socket.unknown_user.and_then(unmapped_phrase).map(str::to_owned))
}

/// Returns the phrase for a user without a uid here.
fn unmapped_phrase(reason: UnknownUser) -> Option<&'static str> {
    match reason {
        UnknownUser::Unmapped => Some("a user this namespace has no number for"),
        UnknownUser::UnmappedOrOverflow => {
            Some("a user this namespace has no number for, or the one to whom it gives the overflow number")
        }
        UnknownUser::NotReported => None,
    }
}

/// Returns the user of a holder.
#[cfg(feature = "cli")]
pub(crate) fn holder_user(holder: &Holder) -> Option<String> {
    process_user(&holder.process)
}

/// Which name a phrase gives a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// By what it runs, if that is more specific than its own name: `vite (node, pid 4121, dev)`.
    Program,
    /// Its own name, for a line that has what it runs beside it: `node (pid 4121, dev)  ~/src/shop  (vite)`.
    #[cfg(feature = "cli")]
    OwnName,
}

/// Returns the phrase for a process: [`process_as`] with [`Naming::Program`].
pub(crate) fn process(process: &Process) -> String {
    process_as(process, Naming::Program)
}

/// Returns the phrase for a process: `node (pid 4121, dev)`; `worker-7 (ruby3.1, pid 4121, dev)` if its own name does not
/// tell its program.
pub(crate) fn process_as(process: &Process, naming: Naming) -> String {
    let user = process_user(process).map_or_else(String::new, |user| format!(", {user}"));
    let script = process
        .script
        .as_ref()
        .filter(|_| naming == Naming::Program && program_label::replaces_name(process));
    let (shown, program) = match script {
        Some(script) => {
            let name = program_label::interpreter_name(process);
            // `ssh -L 3000:db:5432 host` names its program already.
            let is_named =
                script.as_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b" "));
            (escape(script), (!is_named).then(|| process_name(&name)))
        }
        None => {
            let program = hidden_program(process).map(|program| escape(&program.into()));
            (process_name(&process.name), program)
        }
    };
    let program = program.map_or_else(String::new, |program| format!("{program}, "));
    format!("{shown} ({program}pid {}{user})", process.id.pid)
}

/// Returns a process's name, escaped.
pub(crate) fn process_name(name: &Text) -> String {
    match name.is_empty() {
        true => "(without a name)".to_owned(),
        false => escape(name),
    }
}

/// Returns the phrase for a process of which no more than name and pid is known: `postgres (pid 812)`.
pub(crate) fn name_and_pid(name: &Text, pid: u32) -> String {
    name_pid_and(name, pid, "")
}

/// Returns what [`name_and_pid`] returns, with a remark: `node (pid 4; perhaps, without a descriptor)`.
pub(crate) fn name_pid_and(name: &Text, pid: u32, remark: &str) -> String {
    format!("{} (pid {pid}{remark})", process_name(name))
}

/// Returns the phrase for a candidate: `postgres (pid 812)`.
pub(crate) fn candidate(candidate: &Candidate) -> String {
    name_and_pid(&candidate.name, candidate.pid)
}

/// Returns the phrase for a candidate that is not certain: `postgres? (pid 812, not seen)`.
#[cfg(feature = "cli")]
pub(crate) fn uncertain(candidate: &Candidate) -> String {
    format!("{}? (pid {}, not seen)", process_name(&candidate.name), candidate.pid)
}
