//! JSON, schema `allears/1`, of the last lines of `watch --ndjson -- COMMAND`. The lines of changes are those of `watch`.

use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::json::{ListenerJson, SCHEMA, write_line};
use crate::act::watch_command::{CommandRecord, Missable};
use crate::model::Text;
use crate::model::process_table::ProcessEntry;
use crate::os::CommandEnd;

#[derive(Serialize)]
struct StillOpenJson {
    schema: &'static str,
    event: &'static str,
    at: Timestamp,
    certain: bool,
    opened_after_ms: u64,
    listener: ListenerJson,
}

#[derive(Serialize)]
struct EndJson {
    schema: &'static str,
    event: &'static str,
    at: Timestamp,
    command: Vec<String>,
    pid: u32,
    exit_status: Option<i32>,
    signal: Option<i32>,
    elapsed_ms: u64,
    opened: usize,
    closed: usize,
    still_open: usize,
    uncertain: usize,
    running: Option<Vec<ProcessJson>>,
    may_miss: Vec<&'static str>,
    may_miss_shorter_than_ms: u64,
    failed_passes: u32,
    other_namespaces: Vec<ProcessJson>,
    refused: usize,
    unassigned: Vec<ProcessJson>,
}

#[derive(Serialize)]
struct ProcessJson {
    pid: u32,
    name: String,
}

/// How a command ended, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended<'a> {
    pub(crate) command: &'a [Text],
    pub(crate) pid: u32,
    pub(crate) end: CommandEnd,
    pub(crate) elapsed: Duration,
    pub(crate) at: Timestamp,
}

/// Writes a line for each socket that is still open, and one for the end of the command.
pub(crate) fn write_end(ended: Ended<'_>, record: &CommandRecord, out: &mut dyn Write) -> io::Result<()> {
    for socket in record.sockets.iter().filter(|socket| socket.closed.is_none()) {
        let line = StillOpenJson {
            schema: SCHEMA,
            event: "still-open",
            at: ended.at,
            certain: socket.certain,
            opened_after_ms: milliseconds(socket.opened),
            listener: (&socket.listener).into(),
        };
        write_line(&line, out)?;
    }
    let still_open = record.still_open();
    let line = EndJson {
        schema: SCHEMA,
        event: "end",
        at: ended.at,
        command: ended.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        pid: ended.pid,
        exit_status: match ended.end {
            CommandEnd::Exited(status) => Some(status),
            CommandEnd::Signalled(_) => None,
        },
        signal: match ended.end {
            CommandEnd::Exited(_) => None,
            CommandEnd::Signalled(signal) => Some(signal),
        },
        elapsed_ms: milliseconds(ended.elapsed),
        opened: record.sockets.len(),
        closed: record.sockets.len() - still_open,
        still_open,
        uncertain: record.sockets.iter().filter(|socket| !socket.certain).count(),
        running: record.running.as_deref().map(processes),
        may_miss: record.missable.iter().map(missable).collect(),
        may_miss_shorter_than_ms: milliseconds(record.longest_pause),
        failed_passes: record.failed,
        other_namespaces: processes(&record.elsewhere),
        refused: record.refused.iter().map(|refusal| refusal.times).sum(),
        unassigned: record.unassigned.iter().map(|one| process(one.id.pid, &one.name)).collect(),
    };
    write_line(&line, out)
}

fn processes(entries: &[ProcessEntry]) -> Vec<ProcessJson> {
    entries.iter().map(|entry| process(entry.id.pid, &entry.name)).collect()
}

fn process(pid: u32, name: &Text) -> ProcessJson {
    ProcessJson { pid, name: name.to_string_lossy().into_owned() }
}

fn missable(missable: &Missable) -> &'static str {
    match missable {
        Missable::Protocol(protocol) => protocol.as_str(),
        Missable::Connections => "connections",
        Missable::OtherNamespaces => "other-namespaces",
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
