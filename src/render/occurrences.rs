//! What happened between two passes as text: a line for each event, with its holder and a sentence.

use std::time::Duration;

use jiff::Timestamp;

use super::changes::{holder_and_description, role_of_kind};
use super::current_user::CurrentUser;
use super::phrases;
use super::style::TextRole;
use crate::act::watch::occurrence::{BriefListener, Occurrence, Refusal};
use crate::compare::{Change, ChangeKind};
use crate::model::{Listener, Socket};
use crate::os::socket_events::RefusedCall;

/// The most sockets that are named as those that have an address.
const NAMED: usize = 3;

/// The kind of an event of `watch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    Changed(ChangeKind),
    Refused,
}

impl EventKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            EventKind::Changed(kind) => kind.as_str(),
            EventKind::Refused => "refused",
        }
    }

    pub(crate) fn role(self) -> TextRole {
        match self {
            EventKind::Changed(kind) => role_of_kind(kind),
            EventKind::Refused => TextRole::Refused,
        }
    }
}

/// An event as text that is safe to show.
#[derive(Debug, Clone)]
pub(crate) struct EventLine<'a> {
    pub(crate) at: Timestamp,
    pub(crate) kind: EventKind,
    pub(crate) certain: bool,
    pub(crate) listener: &'a Listener,
    /// Who it concerns, and what happened.
    pub(crate) text: String,
}

impl<'a> EventLine<'a> {
    /// Returns the line of a change that a scan at this time showed.
    pub(crate) fn of_change(
        change: &'a Change,
        at: Timestamp,
        current_user: &CurrentUser,
    ) -> Option<EventLine<'a>> {
        Some(EventLine {
            at,
            kind: EventKind::Changed(change.kind),
            certain: change.certain,
            listener: change.listener()?,
            text: super::changes::describe(change, current_user),
        })
    }

    /// Returns the lines of an occurrence: two of a listener that opened and closed.
    pub(crate) fn of_occurrence(
        occurrence: &'a Occurrence,
        current_user: &CurrentUser,
    ) -> Vec<EventLine<'a>> {
        match occurrence {
            Occurrence::Brief(brief) => of_brief(brief, current_user),
            Occurrence::Refused(refusal) => vec![EventLine {
                at: refusal.at,
                kind: EventKind::Refused,
                certain: true,
                listener: &refusal.attempt,
                text: refused(refusal),
            }],
        }
    }
}

fn of_brief<'a>(brief: &'a BriefListener, current_user: &CurrentUser) -> Vec<EventLine<'a>> {
    let listener = &brief.listener;
    let holder = holder_and_description(listener, current_user);
    let line = |at, kind, certain, text| {
        let kind = EventKind::Changed(kind);
        EventLine { at, kind, certain, listener, text }
    };
    match brief.opened {
        Some((opened, lifetime)) => vec![
            line(opened, ChangeKind::Opened, true, holder.clone()),
            line(brief.closed, ChangeKind::Closed, true, format!("{holder}; open for {}", short(lifetime))),
        ],
        None => {
            let doubt = "it listened or was only bound, and no pass saw it";
            vec![line(brief.closed, ChangeKind::Closed, false, format!("{holder}; {doubt}"))]
        }
    }
}

/// Returns a time that may be far below a second: `5 us`, `0.4 ms`, `12 ms`.
pub(super) fn short(lifetime: Duration) -> String {
    match lifetime.as_micros() {
        micros @ 0..100 => format!("{micros} us"),
        100..10_000 => format!("{:.1} ms", lifetime.as_secs_f64() * 1000.0),
        _ => phrases::duration(lifetime),
    }
}

/// Returns a refusal in a sentence without a full stop:
/// `node (pid 991, dev) could not bind 127.0.0.1:3000: address already in use; it is held by python3 (pid 5, dev)`
pub(crate) fn refused(refusal: &Refusal) -> String {
    let attempt = &refusal.attempt;
    let who = attempt.holders.first().map_or_else(
        || "a process".to_owned(),
        |holder| phrases::process_as(&holder.process, phrases::Naming::Program),
    );
    let what = match refusal.call {
        RefusedCall::Bind => format!("bind {}", address(&attempt.socket)),
        RefusedCall::Listen => format!("listen on {}", address(&attempt.socket)),
    };
    let reason = super::escape::escape(&reason(&refusal.reason).as_str().into());
    let holders: Vec<String> = refusal.held_by.iter().map(|listener| held(listener, attempt)).collect();
    let held = match holders.is_empty() {
        true => String::new(),
        false => format!("; {}", phrases::list_with_and(&holders, NAMED, Clone::clone)),
    };
    let times = if refusal.times > 1 { format!(" ({} times)", refusal.times) } else { String::new() };
    format!("{who} could not {what}: {reason}{held}{times}")
}

/// Returns the error without its number, in the middle of a sentence.
fn reason(error: &str) -> String {
    let text = error.split_once(" (os error").map_or(error, |(text, _)| text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_lowercase(), letters.as_str()))
}

/// Returns what has the address, which is named if it is another one that overlaps.
fn held(listener: &Listener, attempt: &Listener) -> String {
    let holders = phrases::holders(listener);
    match listener.socket.endpoint.address() == attempt.socket.endpoint.address() {
        true => format!("it is held by {holders}"),
        false => format!("{} is held by {holders}", phrases::endpoint_and_interface(&listener.socket)),
    }
}

fn address(socket: &Socket) -> String {
    match socket.protocol.is_datagram() {
        true => format!("{}/{}", phrases::endpoint_and_interface(socket), socket.protocol.as_str()),
        false => phrases::endpoint_and_interface(socket),
    }
}
