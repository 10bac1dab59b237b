//! Phrases of `watch -- COMMAND`. The sentences of the report have their full stops.

use std::io;
use std::time::Duration;

use super::{duration, list, list_with_and, name_and_pid};
use crate::act::watch_command::{CommandRecord, Missable};
use crate::model::process_table::ProcessEntry;
use crate::model::{Protocol, Text};
use crate::os::socket_events::EventProcess;
use crate::os::{self, CommandEnd};
use crate::render::escape::escape;

/// The most processes that are named.
const NAMED: usize = 5;

/// Returns why a command could not be started. `lacks_interpreter` is whether its file exists, so that the file it lacks
/// is the one that is to interpret it.
pub(crate) fn not_started(program: &Text, error: &io::Error, lacks_interpreter: bool) -> String {
    let reason = match error.kind() {
        _ if lacks_interpreter => "its interpreter is not found".to_owned(),
        io::ErrorKind::NotFound if program.as_bytes().contains(&b'/') => "there is no such file".to_owned(),
        io::ErrorKind::NotFound => "it is in no folder of PATH".to_owned(),
        io::ErrorKind::PermissionDenied => "it cannot be executed: permission denied".to_owned(),
        _ => error.to_string(),
    };
    let program = if program.is_empty() { "''".to_owned() } else { escape(program) };
    format!("cannot run {program}: {reason}")
}

/// Returns what became of the command, and what it opened.
pub(crate) fn summary(
    program: &Text,
    end: CommandEnd,
    elapsed: Duration,
    record: &CommandRecord,
    is_filtered: bool,
) -> String {
    let ended = match end {
        CommandEnd::Exited(status) => format!("exited with status {status}"),
        CommandEnd::Signalled(signal) => match os::signal_name(signal) {
            Some(name) => format!("was ended by {name}"),
            None => format!("was ended by signal {signal}"),
        },
    };
    format!(
        "{} {ended} after {}. {}",
        escape(program),
        duration(rounded(elapsed)),
        opened(record, is_filtered)
    )
}

fn opened(record: &CommandRecord, is_filtered: bool) -> String {
    let matching = if is_filtered { "matching " } else { "" };
    let certain = record.sockets.iter().filter(|socket| socket.certain);
    let open = certain.clone().filter(|socket| socket.closed.is_none()).count();
    let sentence = match (certain.count(), open) {
        (0, _) => format!("It was not seen to open a {matching}listener."),
        (1, 0) => format!("It opened 1 {matching}listener, which is closed again."),
        (1, _) => format!("It opened 1 {matching}listener, which is still open."),
        (many, 0) => format!("It opened {many} {matching}listeners, which are closed again."),
        (many, open) if open == many => {
            format!("It opened {many} {matching}listeners, which are still open.")
        }
        (many, 1) => format!("It opened {many} {matching}listeners, of which 1 is still open."),
        (many, open) => format!("It opened {many} {matching}listeners, of which {open} are still open."),
    };
    match record.sockets.iter().filter(|socket| !socket.certain).count() {
        0 => sentence,
        1 => format!("{sentence} 1 more may be its own."),
        more => format!("{sentence} {more} more may be its own."),
    }
}

/// Returns the descendants that still run. `None` if there is none.
pub(crate) fn still_running(running: &[ProcessEntry]) -> Option<String> {
    let name = |process: &ProcessEntry| name_and_pid(&process.name, process.id.pid);
    (!running.is_empty()).then(|| format!("Still running: {}.", list(running, NAMED, name)))
}

/// Returns what may be missing from the record, each in a phrase.
pub(crate) fn unseen(record: &CommandRecord) -> Vec<String> {
    let mut unseen = Vec::new();
    if let Some(what) = missable(&record.missable) {
        let pause = duration(rounded(record.longest_pause));
        unseen.push(format!("{what} that was open for less than {pause} can be missing"));
    }
    if !record.unassigned.is_empty() {
        let name = |process: &EventProcess| name_and_pid(&process.name, process.id.pid);
        unseen.push(format!(
            "what short-lived processes opened or could not open, which the command may have started: {}",
            list_with_and(&record.unassigned, NAMED, name)
        ));
    }
    if !os::DESCENDANTS_ARE_KEPT {
        unseen.push("listeners of processes whose parent had ended are missing".to_owned());
    }
    if !record.elsewhere.is_empty() {
        let name = |process: &ProcessEntry| name_and_pid(&process.name, process.id.pid);
        unseen.push(format!(
            "what {} opened in other network namespaces; --all-namespaces shows it",
            list_with_and(&record.elsewhere, NAMED, name)
        ));
    }
    match record.failed {
        0 => {}
        1 => unseen.push("1 pass failed, and a listener that was open only then is missing".to_owned()),
        many => {
            unseen.push(format!("{many} passes failed, and a listener that was open only then is missing"));
        }
    }
    if record.running.is_none() {
        unseen.push("which processes of the command still run".to_owned());
    }
    unseen
}

/// Returns what can be missing if it was open for too short a time.
fn missable(missable: &[Missable]) -> Option<String> {
    let both = [Protocol::Tcp, Protocol::Udp].map(Missable::Protocol);
    let every = both.iter().all(|one| missable.contains(one));
    let name = |missable: &Missable| match missable {
        Missable::Protocol(_) | Missable::OtherNamespaces if every => "a listener",
        Missable::Protocol(Protocol::Tcp) => "a TCP listener",
        Missable::Protocol(Protocol::Udp) => "a UDP socket",
        Missable::Protocol(_) => "a Unix listener",
        Missable::Connections => "a connection",
        Missable::OtherNamespaces => "a listener in another network namespace",
    };
    let mut names: Vec<&str> = missable.iter().map(name).collect();
    names.dedup();
    (!names.is_empty()).then(|| names.join(" or "))
}

/// Returns a time in whole milliseconds, and above 10 ms in tens of them.
fn rounded(time: Duration) -> Duration {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(if milliseconds < 10 { milliseconds } else { milliseconds.next_multiple_of(10) })
}

/// Returns the time from the start of the command to a moment in a column.
pub(crate) fn moment(time: Duration) -> String {
    duration(rounded(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_events_cover_is_not_missing() {
        let [tcp, udp, unix] = [Protocol::Tcp, Protocol::Udp, Protocol::Unix].map(Missable::Protocol);
        let (elsewhere, connections) = (Missable::OtherNamespaces, Missable::Connections);
        for (without_events, sentence) in [
            (&[][..], None),
            (&[udp], Some("a UDP socket")),
            (&[tcp, udp], Some("a listener")),
            (&[tcp, udp, unix, elsewhere, connections], Some("a listener or a connection")),
            (
                &[udp, unix, elsewhere],
                Some("a UDP socket or a Unix listener or a listener in another network namespace"),
            ),
        ] {
            assert_eq!(missable(without_events).as_deref(), sentence);
        }
    }
}
