//! `allears diff OLD [NEW]`

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::arguments::Diff;
use super::exit::Exit;
use super::snapshot_file;
use super::terminal::{self, Terminal};
use super::why::write_out;
use super::{complain, fail, fail_with, runtimes, say, written};
use crate::compare::Comparison;
use crate::model::Selection;
use crate::model::{Error, ErrorKind, GapKind, Snapshot};
use crate::render::current_user::CurrentUser;
use crate::render::phrases::comparison::{self, Side};
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
    let sides = match &arguments.new {
        Some(new) => read_both([&arguments.old, new]),
        None => snapshot_file::read(&arguments.old, "-").and_then(|old| {
            let new = scan_again(&old)?;
            Ok((old, new))
        }),
    };
    let (old, new) = match sides {
        Ok(sides) => sides,
        Err(error) => return fail_with(&error),
    };
    crate::os::drop_privileges();
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
    let current_user = if arguments.new.is_none() && found.same_machine {
        terminal::current_user()
    } else {
        CurrentUser::default()
    };
    let palette = Palette { color: terminal.color };
    let options = changes::ChangesOptions { width: terminal.width, palette, current_user };
    let mut made = changes::write(&found.changes, &options, &mut out);
    if exit == Exit::Found {
        made = made.and_then(|()| writeln!(out, "{}", comparison::NO_DIFFERENCE));
    }
    let written = written(made.and_then(|()| write_out(&out)), exit);
    print_limits(&old, &new, &found, exit);
    if terminal.person && !found.changes.is_empty() {
        let _ = writeln!(io::stderr().lock(), "{}", comparison::summary(&old, &new, &found));
    }
    written
}

/// Reads two snapshots at the same time.
fn read_both(paths: [&Path; 2]) -> Result<(Snapshot, Snapshot), Error> {
    let next = AtomicUsize::new(0);
    let read_next = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        paths.get(at).map(|path| (at, snapshot_file::read(path, "-")))
    };
    let read = crate::os::threads::share(paths.len(), || std::iter::from_fn(read_next).collect::<Vec<_>>());
    let mut read: Vec<_> = read.into_iter().flatten().collect();
    read.sort_unstable_by_key(|(at, _)| *at);
    let mut sides = read.into_iter().map(|(_, side)| side);
    let missing = || Err(Error::new(ErrorKind::Document, "a snapshot was not read"));
    Ok((sides.next().unwrap_or_else(missing)?, sides.next().unwrap_or_else(missing)?))
}

/// Repeats the query of a snapshot on this machine.
fn scan_again(old: &Snapshot) -> Result<Snapshot, Error> {
    let mut asked = old.selections.iter().flatten();
    let first = asked.next().cloned().unwrap_or_default();
    let new = Query::from_selection(first).runtimes(runtimes::runtimes()).scan()?;
    Ok(asked.fold(new, |new, selection: &Selection| selection.narrow(new)))
}

/// Prints the limits of the comparison.
fn print_limits(old: &Snapshot, new: &Snapshot, found: &Comparison, exit: Exit) {
    if !found.same_machine {
        say("note", &comparison::two_machines(old, new));
    }
    if !found.same_users {
        say("note", comparison::DIFFERENT_USERS);
    }
    if !found.comparable {
        say("not seen", &comparison::nothing_in_common(old, new));
    } else if !found.same_query {
        say("note", comparison::DIFFERENT_QUERIES);
    }
    if found.unseen > 0 {
        say("note", &comparison::holders_not_compared(found.unseen));
    }
    let sides = [Side::Earlier, Side::Later].into_iter().zip(found.complete_sides).zip(&found.gaps);
    for ((side, _), gaps) in sides.filter(|((_, complete), _)| !complete) {
        let gaps = gaps
            .iter()
            .filter(|gap| matches!(gap.what, GapKind::Sockets | GapKind::Holders | GapKind::Users));
        say("not seen", &comparison::incomplete(side, gaps));
    }
    if exit == Exit::Unknown {
        let _ = fail(comparison::UNDETERMINED, None);
    }
}
