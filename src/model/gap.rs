//! What could not be read: of what, why, how much, and what would help. `render` makes the sentences.

mod detail;
mod reason;

use super::{Help, Text};

pub use detail::{
    GapDetail, NetshList, NotCovered, SilentRuntime, UnlistedBound, UnreadRules, UnreadableReply,
};
pub use reason::{GapKind, GapReason};

/// Something that could not be read.
///
/// ```
/// use allears::Query;
///
/// let snapshot = Query::new().scan()?;
/// for gap in &snapshot.gaps {
///     println!("{}, {} times: {gap}", gap.what, gap.count);
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Gap {
    /// What could not be read.
    pub what: GapKind,
    /// Why it could not.
    pub reason: GapReason,
    /// How many.
    pub count: u64,
    /// Further facts, from which the sentence is made.
    pub detail: GapDetail,
    /// What would help.
    pub help: Option<Help>,
}

impl Gap {
    pub(crate) fn new(
        what: GapKind,
        reason: GapReason,
        count: usize,
        detail: GapDetail,
        help: impl Into<Option<Help>>,
    ) -> Gap {
        Gap { what, reason, count: u64::try_from(count).unwrap_or(u64::MAX), detail, help: help.into() }
    }

    /// Returns the gap for a failed read. The error states what was attempted.
    pub(crate) fn failed(what: GapKind, error: impl std::fmt::Display) -> Gap {
        Gap::new(what, GapReason::Error, 1, GapDetail::Failed(Text::from_display(error)), None)
    }
}
