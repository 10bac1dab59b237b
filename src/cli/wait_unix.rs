//! `allears wait` for a Unix socket.

use super::arguments::Wait;
use super::exit::Exit;
use super::wait::{Progress, spell};
use super::why::write_out;
use super::{fail, fail_with, written};
use crate::act::wait::WaitFor;
use crate::act::wait_unix::{found_unix, wait_unix};
use crate::model::PathContent;
use crate::model::Target;
use crate::render::{phrases, why_and_free_json};
use crate::scan::Query;

/// Runs `allears wait` for a Unix socket.
pub(super) fn run(arguments: &Wait, target: &Target, wanted: WaitFor) -> Exit {
    let target = target.clone().at_current_directory();
    let subject = target.to_string();
    let mut progress = Progress::new(arguments.quiet || arguments.json, subject.clone(), wanted);
    let waited = wait_unix(&target, wanted, arguments.timeout, &mut |took| progress.update(took));
    progress.clear();
    let is_shown = |reached: bool| reached && wanted == WaitFor::Listening && !arguments.quiet;
    let result = waited.and_then(|waited| {
        let found = if is_shown(waited.reached) { found_unix(&target)? } else { Vec::new() };
        Ok((waited, found))
    });
    let (waited, found) = match result {
        Ok(result) => result,
        Err(_) if arguments.quiet => return Exit::Unknown,
        Err(error) => return fail_with(&error),
    };
    let exit = match (waited.reached, waited.complete) {
        (true, _) => Exit::Found,
        (false, true) => Exit::NotFound,
        (false, false) => Exit::Unknown,
    };
    if arguments.quiet {
        return exit;
    }
    if arguments.json {
        let mut out = Vec::new();
        let (wanted, took) = (wanted.as_str(), waited.took);
        let made = why_and_free_json::wait_unix(&target, wanted, waited.reached, took, &found, &mut out);
        return written(made.and_then(|()| write_out(&out)), exit);
    }
    let after = match waited.took.as_millis() {
        0..5 => "at once".to_owned(),
        _ => format!("after {}", spell(waited.took)),
    };
    let line = match (exit, wanted) {
        (Exit::Found, WaitFor::Free) => format!("{subject} is free, {after}"),
        (Exit::Found, WaitFor::Listening) => {
            let holder = found.iter().find_map(|listener| listener.holders.first());
            let by = holder
                .map_or_else(String::new, |holder| format!(" by {}", phrases::process(&holder.process)));
            format!("{subject} is listened on{by}, {after}")
        }
        (Exit::Unknown, _) => {
            return fail("could not determine the state: the socket or its path cannot be seen", None);
        }
        (_, WaitFor::Free) => format!("{subject} is still not free {after}{}", obstacle(&target)),
        (_, WaitFor::Listening) => format!("nothing listens on {subject} {after}"),
    };
    written(write_out(format!("{line}\n").as_bytes()), exit)
}

/// Returns what is in the way of a bind, if it is only a file.
fn obstacle(target: &Target) -> &'static str {
    let table = Query::new().target(target.clone()).table();
    match table.ok().and_then(|table| table.paths.first().map(|path| path.holds)) {
        Some(PathContent::AbandonedSocket) => ": its server is gone and left the file of the socket",
        Some(PathContent::OtherFile) => ": a file that is not a socket is there",
        _ => "",
    }
}
