//! What can be at the cursor.

use crate::model::text::acts_on_terminal;

/// The completions of a word.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Completion {
    /// The beginning of the word that stays, such as `--columns=port,`.
    pub(super) kept: String,
    /// What can follow it.
    pub(super) candidates: Vec<Candidate>,
    /// Whether the shell completes files or directories instead.
    pub(super) paths: Option<Paths>,
}

/// Files that a shell can complete by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paths {
    Files,
    Directories,
}

/// One completion.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The text, without control characters.
    pub(super) value: String,
    /// A short description, which a terminal can show. May be empty.
    pub(super) description: String,
    pub(super) heading: Heading,
}

/// The headings that zsh can show above candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heading {
    Commands,
    Listeners,
    Services,
    Options,
    Values,
    /// The beginning of a word, without a space after it.
    Beginnings,
}

impl Heading {
    /// Returns the text of the heading.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Heading::Commands => "command",
            Heading::Listeners => "listener",
            Heading::Services => "service",
            Heading::Options => "option",
            Heading::Values => "value",
            Heading::Beginnings => "beginning",
        }
    }
}

impl Completion {
    /// Returns the candidates that begin with `begun`, which follows `kept`.
    pub(super) fn new(
        kept: &str,
        begun: &str,
        candidates: impl IntoIterator<Item = Candidate>,
    ) -> Completion {
        let candidates = candidates.into_iter().filter(|one| one.value.starts_with(begun)).collect();
        Completion { kept: kept.to_owned(), candidates, paths: None }
    }

    /// Leaves the completion to the shell.
    pub(super) fn paths(kept: &str, paths: Paths) -> Completion {
        Completion { kept: kept.to_owned(), candidates: Vec::new(), paths: Some(paths) }
    }
}

impl Candidate {
    /// Returns a candidate. Only the first line of the description counts.
    pub(super) fn new(heading: Heading, value: impl Into<String>, description: &str) -> Candidate {
        let description = description.lines().next().unwrap_or_default().to_owned();
        Candidate { value: value.into(), description, heading }
    }
}

/// Returns whether a name can be a word of a command line: it is visible, and no option.
pub(super) fn can_be_typed(name: &str) -> bool {
    !name.trim().is_empty() && !name.starts_with('-') && !name.contains(acts_on_terminal)
}
