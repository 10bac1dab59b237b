//! JSON, schema `allears/1`, of `diff` and of the events of `watch`. Types of their own; listeners are those of the
//! list.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::json::{GapJson, HolderJson, ListenerJson, SCHEMA, write_document, write_line};
use crate::act::watch::occurrence::{Occurrence, Refusal};
use crate::compare::{Change, Comparison};
use crate::model::{Listener, Snapshot};
use crate::os::socket_events::RefusedCall;

#[derive(Serialize)]
struct DiffJson {
    schema: &'static str,
    old: SideJson,
    new: SideJson,
    same_machine: bool,
    same_users: bool,
    same_question: bool,
    complete: bool,
    changes: Vec<ChangeJson>,
    gaps: Vec<SidesGapJson>,
}

#[derive(Serialize)]
struct SideJson {
    host: String,
    os: String,
    taken_at: Timestamp,
    privileged: bool,
    complete: bool,
}

#[derive(Serialize)]
struct ChangeJson {
    event: &'static str,
    certain: bool,
    differs: Vec<&'static str>,
    before: Option<ListenerJson>,
    after: Option<ListenerJson>,
}

#[derive(Serialize)]
struct SidesGapJson {
    side: &'static str,
    #[serde(flatten)]
    gap: GapJson,
}

#[derive(Serialize)]
struct EventJson {
    schema: &'static str,
    event: &'static str,
    at: Timestamp,
    certain: bool,
    differs: Vec<&'static str>,
    before: Option<ListenerJson>,
    listener: Option<ListenerJson>,
    lifetime_ms: Option<f64>,
    refused: Option<RefusedJson>,
}

#[derive(Serialize)]
struct RefusedJson {
    call: &'static str,
    protocol: &'static str,
    address: Option<String>,
    port: Option<u16>,
    error: String,
    times: usize,
    process: Option<HolderJson>,
    held_by: Vec<ListenerJson>,
}

impl EventJson {
    fn new(event: &'static str, at: Timestamp, listener: Option<&Listener>) -> EventJson {
        EventJson {
            schema: SCHEMA,
            event,
            at,
            certain: true,
            differs: Vec::new(),
            before: None,
            listener: listener.map(ListenerJson::from),
            lifetime_ms: None,
            refused: None,
        }
    }
}

impl From<&Refusal> for RefusedJson {
    fn from(refusal: &Refusal) -> Self {
        let socket = &refusal.attempt.socket;
        RefusedJson {
            call: match refusal.call {
                RefusedCall::Bind => "bind",
                RefusedCall::Listen => "listen",
            },
            protocol: socket.protocol.as_str(),
            address: socket.endpoint.address().map(|address| address.to_string()),
            port: socket.endpoint.port(),
            error: refusal.error.to_string(),
            times: refusal.times,
            process: refusal.attempt.holders.first().map(HolderJson::from),
            held_by: refusal.held_by.iter().map(ListenerJson::from).collect(),
        }
    }
}

impl From<&Snapshot> for SideJson {
    fn from(snapshot: &Snapshot) -> Self {
        SideJson {
            host: snapshot.host.to_string_lossy().into_owned(),
            os: snapshot.os.to_string(),
            taken_at: snapshot.taken_at,
            privileged: snapshot.privileged,
            complete: snapshot.complete,
        }
    }
}

fn differs(change: &Change) -> Vec<&'static str> {
    change.differs.iter().map(|difference| difference.as_str()).collect()
}

/// Writes a comparison as one document.
pub(crate) fn diff(
    old: &Snapshot,
    new: &Snapshot,
    found: &Comparison,
    out: &mut dyn Write,
) -> io::Result<()> {
    let change = |change: &Change| ChangeJson {
        event: change.kind.as_str(),
        certain: change.certain,
        differs: differs(change),
        before: change.before.as_ref().map(ListenerJson::from),
        after: change.after.as_ref().map(ListenerJson::from),
    };
    let sides = ["old", "new"].into_iter().zip(&found.gaps);
    let gaps =
        sides.flat_map(|(side, gaps)| gaps.iter().map(move |gap| SidesGapJson { side, gap: gap.into() }));
    let document = DiffJson {
        schema: SCHEMA,
        old: old.into(),
        new: new.into(),
        same_machine: found.same_machine,
        same_users: found.same_users,
        same_question: found.same_query,
        complete: found.complete,
        changes: found.changes.iter().map(change).collect(),
        gaps: gaps.collect(),
    };
    write_document(&document, out)
}

/// Writes the line of a listener that was there from the beginning.
pub(crate) fn present(listener: &Listener, at: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    write_line(&EventJson::new("present", at, Some(listener)), out)
}

/// Writes the lines of what happened between two passes.
pub(crate) fn occurrence(occurrence: &Occurrence, out: &mut dyn Write) -> io::Result<()> {
    match occurrence {
        Occurrence::Brief(brief) => {
            let listener = Some(&brief.listener);
            if let Some((opened, _)) = brief.opened {
                write_line(&EventJson::new("opened", whole_second(opened), listener), out)?;
            }
            let lifetime = brief.opened.map(|(_, lifetime)| lifetime);
            let line = EventJson {
                certain: lifetime.is_some(),
                // To the microsecond.
                lifetime_ms: lifetime.map(|lifetime| (lifetime.as_secs_f64() * 1e6).round() / 1e3),
                ..EventJson::new("closed", whole_second(brief.closed), listener)
            };
            write_line(&line, out)
        }
        Occurrence::Refused(refusal) => {
            let refused = Some(RefusedJson::from(refusal));
            let at = whole_second(refusal.at);
            write_line(&EventJson { refused, ..EventJson::new("refused", at, None) }, out)
        }
    }
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Writes the line of a change.
pub(crate) fn event(change: &Change, at: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let line = EventJson {
        certain: change.certain,
        differs: differs(change),
        before: change.after.as_ref().and(change.before.as_ref()).map(ListenerJson::from),
        ..EventJson::new(change.kind.as_str(), at, change.listener())
    };
    write_line(&line, out)
}
