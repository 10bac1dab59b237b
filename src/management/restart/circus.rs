//! Matches processes to the watchers of circusd by its configuration, and determines whether circusd restarts them.

use std::time::Duration;

use super::command_match::fit;
use super::parent_role::RestartSetting;
use super::program::Program;
use super::{Certainty, RestarterKind, RestartingProcess, Sources, Stop, is_plain};
use crate::model::{Process, Text};
use crate::os::parse::supervisors::circus::{seconds, without_variables};
use crate::os::parse::supervisors::ini::{self, Comments, Section};

/// The default endpoint for commands.
const ENDPOINT: &str = "tcp://127.0.0.1:5555";

/// The default interval between two checks of its processes.
const CHECK_DELAY: Duration = Duration::from_secs(5);

/// Returns whether circusd, if `parent` is one, restarts `child`.
pub(super) fn restarter(
    parent: &Process,
    program: &Program,
    child: &Process,
    sources: &mut dyn Sources,
) -> Option<RestartSetting> {
    if program.name() != b"circusd" || !program.interpreted {
        return None;
    }
    let mut restarter = RestartingProcess::new(RestarterKind::Circus, parent, program);
    let sections = config(parent, program, sources).unwrap_or_default();
    let main = sections.iter().find(|section| section.name == "circus");
    let known = |key: &str| main.and_then(|section| section.get(key));
    restarter.delay = seconds(known("check_delay"), CHECK_DELAY)
        .zip(seconds(known("warmup_delay"), Duration::ZERO))
        .map(|(check, warmup)| check + warmup);
    let found = watcher(&sections, child, parent, sources);
    match found {
        Some((section, _)) if section.get("respawn").is_some_and(|value| !ini::is_yes(value)) => {
            return Some(RestartSetting::LeavesDown);
        }
        Some(_) => {}
        None => restarter.certainty = Certainty::Likely,
    }
    let given = program.value(&["--endpoint"]).map(Text::from);
    let endpoint = given.or_else(|| known("endpoint").map(Text::from)).unwrap_or_else(|| ENDPOINT.into());
    let mut words: Vec<Text> =
        vec![program.companion(parent, "circusctl", sources), "--endpoint".into(), endpoint];
    restarter.program = found.map(|(_, name)| name.into()).filter(is_plain);
    // circusd does not close its own sockets when it stops the watchers that use them.
    let shares = found.is_some_and(|(section, _)| section.get("use_sockets").is_some_and(ini::is_yes))
        && sections.iter().any(|section| section.name_of_kind("socket").is_some());
    restarter.stop = match &restarter.program {
        _ if shares => Stop::Unknown,
        Some(name) => {
            words.extend(["stop".into(), name.clone()]);
            Stop::Command(words)
        }
        None => {
            words.push("status".into());
            Stop::FindName(words)
        }
    };
    Some(RestartSetting::Restarts(restarter.into()))
}

/// Reads the configuration in circusd's arguments. Included files are not read.
fn config(process: &Process, program: &Program, sources: &mut dyn Sources) -> Option<Vec<Section>> {
    let given = program.arguments.iter().rev().find(|word| !word.as_bytes().starts_with(b"-"))?;
    let path = match given.as_bytes() {
        absolute @ [b'/', ..] => Text::from(absolute),
        relative => [process.directory.as_ref()?.as_bytes(), b"/", relative].concat().into(),
    };
    Some(ini::parse(&sources.file(process.id, &path)?, Comments::WholeLines))
}

/// Returns the watcher of a process: the one with its command, or the only one.
fn watcher<'a>(
    sections: &'a [Section],
    child: &Process,
    parent: &Process,
    sources: &mut dyn Sources,
) -> Option<(&'a Section, &'a str)> {
    let includes = |section: &Section| section.get("include").or(section.get("include_dir")).is_some();
    if sections.iter().any(includes) {
        return None;
    }
    let all: Vec<_> =
        sections.iter().filter_map(|section| Some((section, section.name_of_kind("watcher")?))).collect();
    let mut fits = |section: &Section| {
        let words = [section.get("cmd").unwrap_or_default(), section.get("args").unwrap_or_default()];
        fit(&without_variables(words.join(" ").trim()), child, parent, sources)
    };
    let known: Vec<_> = all.iter().map(|one| (fits(one.0), one)).collect();
    let best = known.iter().map(|(fit, _)| *fit).max().flatten();
    let matching: Vec<_> =
        known.iter().filter(|(fit, _)| best.is_some() && *fit == best).map(|(_, one)| one).collect();
    match (matching.as_slice(), all.as_slice()) {
        ([only], _) => Some(***only),
        ([], [only]) => Some(*only),
        _ => None,
    }
}
