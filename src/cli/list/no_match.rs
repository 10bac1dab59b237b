//! What `allears` prints if no listener matches.

use std::io::{self, Write};

use super::super::exit::Exit;
use super::super::{elsewhere, fail, say};
use super::ListOutput;
use crate::model::Target;
use crate::render::phrases;
use crate::shell;

impl ListOutput<'_> {
    /// Prints that nothing matches, or that it could not be determined.
    pub(super) fn print_no_match(&self, exit: Exit, out: &mut dyn Write) -> io::Result<()> {
        let list = self.list;
        let targets = self.selection.targets();
        let of_these = if self.selection.filters_by_process() || self.list.filters.exposed {
            " that passes the filters"
        } else {
            ""
        };
        let verb = if self.list.filters.all { "uses" } else { "listens on" };
        if exit == Exit::Unknown {
            if let Some(detail) = self.not_asked() {
                let _ = fail(&detail, None);
                return Ok(());
            }
            let _ = fail("could not determine whether something matches", None);
            self.print_gaps();
            return Ok(());
        }
        let taken_for = self.snapshot.asked.as_deref().unwrap_or_default();
        if list.from.is_some() && self.selection.is_plain() && taken_for.iter().any(|one| !one.is_plain()) {
            let covered = phrases::covered(taken_for).as_str().into();
            let covered = crate::render::escape::escape(&covered);
            return writeln!(out, "there is nothing in this snapshot, which covers {covered}");
        }
        if targets.is_empty() {
            let what = match (self.list.filters.tcp, self.list.filters.udp) {
                (true, false) => " on TCP",
                (false, true) => " on UDP",
                _ => "",
            };
            return match self.list.filters.all {
                true => writeln!(out, "there are no sockets{of_these}{what}"),
                false => writeln!(out, "nothing{of_these} listens{what}"),
            };
        }
        for target in targets {
            let protocol = match (self.list.filters.tcp, self.list.filters.udp, target.protocol()) {
                (true, false, None) => "tcp ",
                (false, true, None) => "udp ",
                _ => "",
            };
            writeln!(out, "nothing{of_these} {verb} {protocol}{target}")?;
            if let Some(text) = self.content_of(target) {
                writeln!(out, "  {text}")?;
            }
        }
        if let Some(verdict) = &self.obstacle {
            let reason = &verdict.reason;
            let target = verdict.target.to_string();
            // An interface may have a name that cannot be quoted.
            let target =
                shell::quote(&target.as_str().into()).unwrap_or_else(|| verdict.target.port.to_string());
            writeln!(out, "  but it cannot be bound: {reason}; see allears why {target}")?;
        }
        out.flush()?;
        elsewhere::print(list, self.selection);
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
