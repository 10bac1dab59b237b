//! The messages if no listener matches.

use super::coverage::covered;
use crate::model::{Protocol, Selection, Target};
use crate::render::escape::escape;
use crate::shell;
use crate::verdict::Verdict;

/// The text if it is unknown whether something matches.
pub(crate) const UNDETERMINED: &str = "could not determine whether something matches";

/// The filters that narrow a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Narrowed {
    /// The only protocol.
    pub(crate) protocol: Option<Protocol>,
    /// Whether sockets in every state were requested.
    pub(crate) all: bool,
    /// Whether filters by process or by reach apply.
    pub(crate) filtered: bool,
}

impl Narrowed {
    fn that_passes(self) -> &'static str {
        if self.filtered { " that passes the filters" } else { "" }
    }
}

/// Returns the sentence about a list without targets that has no rows.
pub(crate) fn nothing(narrowed: Narrowed) -> String {
    let passes = narrowed.that_passes();
    let on = narrowed
        .protocol
        .map_or_else(String::new, |protocol| format!(" on {}", protocol.as_str().to_uppercase()));
    match narrowed.all {
        true => format!("there are no sockets{passes}{on}"),
        false => format!("nothing{passes} listens{on}"),
    }
}

/// Returns the sentence about a target that nothing matches.
pub(crate) fn nothing_at(target: &Target, narrowed: Narrowed) -> String {
    let verb = if narrowed.all { "uses" } else { "listens on" };
    let protocol = narrowed.protocol.filter(|_| target.protocol().is_none());
    let protocol = protocol.map_or_else(String::new, |protocol| format!("{protocol} "));
    format!("nothing{} {verb} {protocol}{target}", narrowed.that_passes())
}

/// Returns the sentence about a target that nothing answers. `complete` is whether that is certain.
pub(crate) fn unanswered(target: &Target, complete: bool) -> String {
    match complete {
        true => format!("nothing listens on {target}"),
        false => format!("could not determine whether something listens on {target}"),
    }
}

/// Returns the sentence about a saved snapshot without rows, which was taken for these selections.
pub(crate) fn empty_snapshot(asked: &[Selection]) -> String {
    let covered = escape(&covered(asked).as_str().into());
    format!("there is nothing in this snapshot, which covers {covered}")
}

/// Returns why the port cannot be bound although nothing holds it.
pub(crate) fn cannot_be_bound(verdict: &Verdict) -> String {
    let target = verdict.target.to_string();
    // An interface may have a name that cannot be quoted.
    let target = shell::quote(&target.as_str().into()).unwrap_or_else(|| verdict.target.port.to_string());
    format!("but it cannot be bound: {}; see allears why {target}", verdict.reason)
}
