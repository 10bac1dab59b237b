//! `allears diff OLD [NEW]`

use std::io::{self, Write};
use std::path::Path;

use super::arguments::Diff;
use super::exit::Exit;
use super::snapshot_file;
use super::terminal::{self, Terminal};
use super::why::write_out;
use super::{complain, fail, fail_with, runtimes, say, written};
use crate::compare::{ChangeKind, Comparison};
use crate::model::Selection;
use crate::model::{Error, GapKind, Snapshot};
use crate::render::asker::Asker;
use crate::render::escape::escape;
use crate::render::phrases;
use crate::render::phrases::covered;
use crate::render::style::Palette;
use crate::render::{changes, changes_json};
use crate::scan::Query;

/// Runs `allears diff`.
pub(super) fn run(arguments: &Diff) -> Exit {
    let is_input = |path: &Path| path.as_os_str() == "-";
    if is_input(&arguments.old) && arguments.new.as_deref().is_some_and(is_input) {
        complain("cannot read both snapshots from standard input", "save one to a file");
        return Exit::Usage;
    }
    let sides = snapshot_file::read(&arguments.old, "-").and_then(|old| {
        let new = match &arguments.new {
            Some(path) => snapshot_file::read(path, "-")?,
            None => scan_again(&old)?,
        };
        Ok((old, new))
    });
    let (old, new) = match sides {
        Ok(sides) => sides,
        Err(error) => return fail_with(&error),
    };
    let found = crate::compare::compare(&old, &new);
    let surely = found.changes.iter().any(|change| change.certain);
    let exit = match (surely, found.changes.is_empty() && found.complete) {
        (true, _) => Exit::NotFound,
        (false, true) => Exit::Found,
        (false, false) => Exit::Unknown,
    };
    let mut out = Vec::new();
    if arguments.json {
        return written(
            changes_json::diff(&old, &new, &found, &mut out).and_then(|()| write_out(&out)),
            exit,
        );
    }
    let terminal = Terminal::resolve(arguments.color);
    // The home folder on another machine is not the calling user's.
    let asker =
        if arguments.new.is_none() && found.same_machine { terminal::asker() } else { Asker::default() };
    let palette = Palette { color: terminal.color };
    let options = changes::ChangesOptions { width: terminal.width, palette, asker };
    let mut made = changes::write(&found.changes, &options, &mut out);
    if exit == Exit::Found {
        made = made.and_then(|()| out.write_all(b"no difference\n"));
    }
    let written = written(made.and_then(|()| write_out(&out)), exit);
    print_limits(&old, &new, &found, exit);
    if terminal.person && !found.changes.is_empty() {
        print_summary(&old, &new, &found);
    }
    written
}

/// Repeats the query of a snapshot on this machine.
fn scan_again(old: &Snapshot) -> Result<Snapshot, Error> {
    let mut asked = old.asked.iter().flatten();
    let first = asked.next().cloned().unwrap_or_default();
    let new = Query::from_selection(first).runtimes(runtimes::runtimes()).scan()?;
    Ok(asked.fold(new, |new, selection: &Selection| selection.narrow(new)))
}

/// Prints the limits of the comparison.
fn print_limits(old: &Snapshot, new: &Snapshot, found: &Comparison, exit: Exit) {
    if !found.same_machine {
        let hosts = [old, new].map(|side| format!("{} ({})", escape(&side.host), escape(&(&side.os).into())));
        say(
            "note",
            &format!(
                "comparing two machines, {}: by addresses and ports, and by names of processes, users, \
                 services and containers",
                hosts.join(" and ")
            ),
        );
    }
    if !found.same_users {
        say(
            "note",
            "users are not compared: the snapshots were taken in different user namespaces, where one number means \
             different users",
        );
    }
    if !found.comparable {
        let covered =
            |side: &Snapshot| escape(&covered(side.asked.as_deref().unwrap_or_default()).as_str().into());
        say(
            "not seen",
            &format!(
                "the snapshots cover nothing in common: the earlier one covers {}, the later one {}",
                covered(old),
                covered(new)
            ),
        );
    } else if !found.same_question {
        say(
            "note",
            "the snapshots were taken with different queries: only what both could contain is compared",
        );
    }
    if found.unseen > 0 {
        let whose = match found.unseen {
            1 => "holders of 1 listener".to_owned(),
            many => format!("holders of {many} listeners"),
        };
        say("note", &format!("{whose} could not be compared: at least one snapshot does not show them"));
    }
    let sides = ["earlier", "later"].into_iter().zip(found.complete_sides).zip(&found.gaps);
    for ((side, _), gaps) in sides.filter(|((_, complete), _)| !complete) {
        let gaps = gaps
            .iter()
            .filter(|gap| matches!(gap.what, GapKind::Sockets | GapKind::Holders | GapKind::Users));
        let why: Vec<String> = gaps.map(phrases::gap).collect();
        let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
        say("not seen", &format!("the {side} snapshot is incomplete{why}"));
    }
    if exit == Exit::Unknown {
        let _ = fail("could not determine whether they differ", None);
    }
}

/// Prints the summary.
fn print_summary(old: &Snapshot, new: &Snapshot, found: &Comparison) {
    let count = |kind| found.changes.iter().filter(|change| change.kind == kind).count();
    let kinds = [ChangeKind::Opened, ChangeKind::Closed, ChangeKind::Changed].map(|kind| (kind, count(kind)));
    let counts = kinds.iter().filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(kind, count)| format!("{count} {}", kind.as_str())).collect();
    let time = match found.same_machine {
        true => format!(" within {}", phrases::ago(old.taken_at, new.taken_at)),
        false => String::new(),
    };
    let _ = writeln!(io::stderr().lock(), "{}{time}.", counts.join(", "));
}
