//! A text over the list that can be scrolled: a card, the answer of `why`, a plan of `free`, the history, the help.

use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::help;
use super::history::History;
use super::keys::Focus;
use super::line::{Line, lines_of, wrapped};
use crate::act::prepare::Prepared;
use crate::act::run_plan::RunOutcome;
use crate::model::{GapKind, Snapshot};
use crate::render::card::{self, CardOptions};
use crate::render::current_user::CurrentUser;
use crate::render::layout::AnswerOptions;
use crate::render::phrases::release::NotFreed;
use crate::render::style::{Palette, TextRole};
use crate::render::{free, phrases, why_and_free};
use crate::verdict::Verdict;

/// What a pane shows.
#[derive(Debug)]
pub(super) enum Shown {
    Help,
    History,
    /// Something that is being done, in a sentence.
    Waiting(String),
    Failed(String),
    Card(Box<Snapshot>, Option<RangeInclusive<u16>>),
    Why(Box<Verdict>),
    /// Plans, and the answer to their question that was typed so far.
    Plan(Arc<Vec<Prepared>>, String),
    /// Plans that are carried out, and what is being done.
    Freeing(Arc<Vec<Prepared>>, Option<String>),
    Freed(Arc<Vec<Prepared>>, Vec<RunOutcome>),
}

/// A text over the list.
#[derive(Debug)]
pub(super) struct Pane {
    title: String,
    pub(super) shown: Shown,
    /// The number of the request that it shows the answer of.
    pub(super) number: u64,
    offset: usize,
    /// The number of lines, and of those that fit, when it was last drawn.
    drawn: (usize, usize),
}

/// What a pane needs to be drawn.
pub(super) struct Surroundings<'a> {
    pub(super) current_user: &'a CurrentUser,
    pub(super) history: &'a History,
    pub(super) zone: &'a TimeZone,
    /// What is noticed between two passes.
    pub(super) coverage: &'a str,
    pub(super) now: Timestamp,
}

impl Pane {
    pub(super) fn new(title: impl Into<String>, shown: Shown, number: u64) -> Pane {
        Pane { title: title.into(), shown, number, offset: 0, drawn: (0, 0) }
    }

    /// Shows something else, from its beginning.
    pub(super) fn show(&mut self, shown: Shown) {
        (self.shown, self.offset) = (shown, 0);
    }

    /// Returns what has the keyboard.
    pub(super) fn focus(&self) -> Focus {
        match &self.shown {
            Shown::Plan(plans, _) if is_question(plans) => Focus::Question,
            _ => Focus::Pane,
        }
    }

    /// Returns whether something is being done that must not be left.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.shown, Shown::Freeing(..))
    }

    /// Scrolls by so many lines.
    pub(super) fn scroll(&mut self, by: isize) {
        let (lines, room) = self.drawn;
        self.offset = self.offset.saturating_add_signed(by).min(lines.saturating_sub(room));
    }

    /// Returns the number of lines of a page.
    pub(super) fn page(&self) -> isize {
        isize::try_from(self.drawn.1.max(1)).unwrap_or(1)
    }

    /// Returns the lines of the screen.
    pub(super) fn draw(&mut self, width: usize, height: usize, around: &Surroundings<'_>) -> Vec<Line> {
        let text = self.text(width, around);
        let mut question = self.question(width, around);
        let keys = (height >= 4).then(|| self.keys());
        question.truncate(height.saturating_sub(1));
        let room = height.saturating_sub(1 + question.len() + usize::from(keys.is_some()));
        self.drawn = (text.len(), room);
        self.offset = self.offset.min(text.len().saturating_sub(room));
        let mut title = Line::new(self.title.clone(), Some(TextRole::Subject));
        if text.len() > room {
            let last = (self.offset + room).min(text.len());
            let place = format!("  lines {}-{last} of {}", self.offset + 1, text.len());
            title.pieces.push((place, Some(TextRole::Label)));
        }
        let mut lines = vec![title];
        lines.extend(text.into_iter().skip(self.offset).take(room));
        lines.resize(1 + room, Line::default());
        lines.extend(question);
        lines.extend(keys);
        lines.truncate(height);
        lines
    }

    fn text(&self, width: usize, around: &Surroundings<'_>) -> Vec<Line> {
        let width = width.max(1);
        let palette = Palette { color: true };
        let options = AnswerOptions {
            width: Some(width),
            palette,
            current_user: around.current_user.clone(),
            now: Some(around.now),
        };
        let mut out = Vec::new();
        // Writing to memory cannot fail.
        let _ = match &self.shown {
            Shown::Help => return help::lines(width, around.coverage),
            Shown::History => return around.history.lines(width, around.zone),
            Shown::Waiting(what) => return wrapped(what, width, Some(TextRole::Label)),
            Shown::Failed(why) => return wrapped(why, width, Some(TextRole::Unseen)),
            Shown::Card(snapshot, _) if snapshot.listeners.is_empty() => {
                return wrapped("nothing has this address any more", width, None);
            }
            Shown::Card(snapshot, automatic) => {
                let options = CardOptions {
                    width: Some(width),
                    palette,
                    current_user: around.current_user.clone(),
                    parents: true,
                    automatic: automatic.clone(),
                };
                card::write(snapshot, &options, &mut out)
            }
            Shown::Why(verdict) => why_and_free::why(verdict, &options, &mut out),
            Shown::Plan(plans, _) | Shown::Freeing(plans, _) => free::plans(plans, &options, &mut out),
            Shown::Freed(plans, outcomes) => plans
                .iter()
                .zip(outcomes)
                .try_for_each(|(prepared, outcome)| free::outcome(prepared, outcome, &options, &mut out)),
        };
        let mut lines = lines_of(&String::from_utf8_lossy(&out));
        for (label, text) in self.not_read() {
            lines.extend(wrapped(&format!("{label}: {text}"), width, Some(TextRole::Unseen)));
        }
        lines
    }

    /// Returns what could not be read and matters to the answer.
    fn not_read(&self) -> Vec<(&'static str, String)> {
        match &self.shown {
            Shown::Card(snapshot, _) => {
                let tables = snapshot.gaps.iter().filter(|gap| gap.what == GapKind::Sockets);
                tables.map(|gap| ("not read", phrases::gap(gap))).collect()
            }
            Shown::Why(verdict) => {
                why_and_free::relevant_gaps(verdict).map(|gap| ("not seen", phrases::gap(gap))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns the lines below the text, which do not scroll: a question, or what is being done.
    fn question(&self, width: usize, around: &Surroundings<'_>) -> Vec<Line> {
        let options = AnswerOptions {
            current_user: around.current_user.clone(),
            now: Some(around.now),
            ..AnswerOptions::default()
        };
        match &self.shown {
            Shown::Plan(plans, _) if free::refusal(plans).is_some() => {
                // The plan already has the reasons.
                let reason = free::refusal(plans).filter(|_| !free::is_held(plans));
                wrapped(&NotFreed::Refused { reason }.sentence(), width, Some(TextRole::Unseen))
            }
            Shown::Plan(plans, answer) => {
                let question = free::question(plans, &options);
                wrapped(&format!("{question}{answer}_"), width, Some(TextRole::Subject))
            }
            Shown::Freeing(_, progress) => {
                let doing = progress.as_deref().unwrap_or("freeing the port");
                wrapped(doing, width, Some(TextRole::Label))
            }
            _ => Vec::new(),
        }
    }

    fn keys(&self) -> Line {
        let text = match (&self.shown, self.focus()) {
            (_, Focus::Question) => "y and Enter end them  Esc does nothing",
            (Shown::Freeing(..), _) => "Ctrl-C quits",
            (Shown::Card(..), _) => "Esc back  j, k scroll  w why  f free",
            _ => "Esc back  j, k scroll",
        };
        Line::new(text, Some(TextRole::Label))
    }
}

/// Returns whether plans may be carried out after a yes.
pub(super) fn is_question(plans: &[Prepared]) -> bool {
    free::refusal(plans).is_none() && free::is_held(plans)
}
