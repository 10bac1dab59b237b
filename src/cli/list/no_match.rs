//! The output of `allears` if no listener matches.

use std::io::{self, Write};

use super::super::exit::Exit;
use super::super::{fail, say};
use super::ListOutput;
use crate::model::{Protocol, Target};
use crate::render::phrases;
use crate::render::phrases::no_match::{self, Narrowed};

impl ListOutput<'_> {
    /// Prints that nothing matches, or that it could not be determined.
    pub(super) fn print_no_match(&self, exit: Exit, out: &mut dyn Write) -> io::Result<()> {
        let list = self.list;
        let targets = self.selection.targets();
        let narrowed = Narrowed {
            protocol: match (list.filters.tcp, list.filters.udp) {
                (true, false) => Some(Protocol::Tcp),
                (false, true) => Some(Protocol::Udp),
                _ => None,
            },
            all: list.filters.all,
            filtered: self.selection.filters_by_process() || list.filters.exposed,
        };
        if exit == Exit::Unknown {
            if let Some(detail) = self.not_covered() {
                let _ = fail(&detail, None);
                return Ok(());
            }
            let _ = fail(no_match::UNDETERMINED, None);
            self.print_gaps();
            return Ok(());
        }
        let taken_for = self.snapshot.selections.as_deref().unwrap_or_default();
        if list.from.is_some() && self.selection.is_plain() && taken_for.iter().any(|one| !one.is_plain()) {
            return writeln!(out, "{}", no_match::empty_snapshot(taken_for));
        }
        if targets.is_empty() {
            return writeln!(out, "{}", no_match::nothing(narrowed));
        }
        for target in targets {
            writeln!(out, "{}", no_match::nothing_at(target, narrowed))?;
            if let Some(text) = self.content_of(target) {
                writeln!(out, "  {text}")?;
            }
        }
        if let Some(verdict) = &self.obstacle {
            writeln!(out, "  {}", no_match::cannot_be_bound(verdict))?;
        }
        out.flush()?;
        self.address_notes.iter().for_each(|note| say("note", note));
        Ok(())
    }

    /// Returns what is at the path of a target, if that explains why nothing listens there.
    fn content_of(&self, target: &Target) -> Option<&'static str> {
        let path = target.path()?.as_bytes();
        let found = self.snapshot.paths.iter().find(|found| found.path.as_bytes() == path)?;
        phrases::path_content(found.holds)
    }

    fn print_gaps(&self) {
        for gap in &self.snapshot.gaps {
            let detail = phrases::gap(gap);
            match &gap.help {
                Some(help) => say("not seen", &format!("{detail}; {}", phrases::help(help))),
                None => say("not seen", &detail),
            }
        }
    }
}
