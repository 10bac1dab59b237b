//! Answers in the form that the script of each shell reads.

use super::bash::Line;
use super::candidate::{Candidate, Completion, Heading, Paths};

/// Returns the first line without its end: what follows, or what the shell completes by itself.
fn kind(completion: &Completion) -> &'static str {
    let is_beginning = |one: &Candidate| one.heading == Heading::Beginnings;
    match completion.paths {
        Some(Paths::Files) => "files",
        Some(Paths::Directories) => "directories",
        None if completion.candidates.iter().all(is_beginning) => "nospace",
        None => "words",
    }
}

/// Returns the answer for bash.
pub(super) fn bash(completion: &Completion, line: &Line, replaced: &str) -> Option<String> {
    let mut answer = format!("{}\n", kind(completion));
    for candidate in &completion.candidates {
        let whole = format!("{}{}", completion.kept, candidate.value);
        if let Some(inserted) = line.insertion(&whole, replaced) {
            answer.push_str(&inserted);
            answer.push('\n');
        }
    }
    Some(answer)
}

/// Returns the answer for zsh, which replaces what follows the kept part.
pub(super) fn zsh(completion: &Completion) -> String {
    let mut answer = first_line(completion);
    for Candidate { value, description, heading } in &completion.candidates {
        answer.push_str(&format!("{}\t{value}\t{description}\n", heading.as_str()));
    }
    answer
}

/// Returns the answer for fish, which replaces the whole word.
pub(super) fn fish(completion: &Completion) -> String {
    let mut answer = first_line(completion);
    for Candidate { value, description, .. } in &completion.candidates {
        answer.push_str(&format!("{}{value}\t{description}\n", completion.kept));
    }
    answer
}

fn first_line(completion: &Completion) -> String {
    format!("{}\t{}\n", kind(completion), completion.kept.chars().count())
}
