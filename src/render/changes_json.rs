//! JSON, schema `allears/1`, of `diff` and of the events of `watch`. Types of their own; listeners are those of the
//! list.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::json::{GapJson, ListenerJson, SCHEMA, write_document, write_line};
use crate::compare::{Change, Comparison};
use crate::model::{Listener, Snapshot};

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
    let line = EventJson {
        schema: SCHEMA,
        event: "present",
        at,
        certain: true,
        differs: Vec::new(),
        before: None,
        listener: Some(listener.into()),
    };
    write_line(&line, out)
}

/// Writes the line of a change.
pub(crate) fn event(change: &Change, at: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let line = EventJson {
        schema: SCHEMA,
        event: change.kind.as_str(),
        at,
        certain: change.certain,
        differs: differs(change),
        before: change.after.as_ref().and(change.before.as_ref()).map(ListenerJson::from),
        listener: change.listener().map(ListenerJson::from),
    };
    write_line(&line, out)
}
