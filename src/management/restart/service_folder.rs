//! Supervisors of one service folder each, which their commands take as an argument: runsv, s6-supervise and supervise.
//! Also supervise-daemon, whose services have names instead.

use std::time::Duration;

use super::parent_role::RestartSetting;
use super::program::Program;
use super::{RestarterKind, RestartingProcess, Sources, Stop};
use crate::model::{Process, Text};
use crate::os::parse::supervisors::service_folder::{daemontools_wants_down, milliseconds, runit_wants_down};

/// All of them start a program at most once a second.
const BETWEEN_STARTS: Duration = Duration::from_secs(1);

/// How long s6-supervise lets a finish script run without a file `timeout-finish`.
const FINISH_OF_S6: Duration = Duration::from_secs(5);

/// Returns whether a process, if it supervises a service folder, restarts the service.
pub(super) fn restarter(
    process: &Process,
    program: &Program,
    _child: &Process,
    sources: &mut dyn Sources,
) -> Option<RestartSetting> {
    let kind = match program.name() {
        b"runsv" => RestarterKind::Runit,
        b"s6-supervise" => RestarterKind::S6,
        // Other programs have this name too. This one takes exactly one folder.
        b"supervise" if program.arguments.len() == 1 => RestarterKind::Daemontools,
        b"supervise-daemon" => return openrc(process, program).map(RestartSetting::Restarts),
        _ => return None,
    };
    if program.interpreted {
        return None;
    }
    let mut restarter = RestartingProcess::new(kind, process, program);
    let folder = folder(process, program, sources);
    let file =
        |name: &str, sources: &mut dyn Sources| sources.file(process.id, &join(folder.as_ref()?, name));
    if wants_down(kind, &mut |name| file(name, sources)) {
        return Some(RestartSetting::LeavesDown);
    }
    let finish = folder.is_some() && kind != RestarterKind::Daemontools && file("finish", sources).is_some();
    restarter.delay = match kind {
        RestarterKind::S6 if finish => {
            let limit = file("timeout-finish", sources).and_then(|bytes| milliseconds(&bytes));
            // Zero means no limit.
            let limit = limit.map_or(Some(FINISH_OF_S6), |limit| (!limit.is_zero()).then_some(limit));
            limit.map(|limit| limit + BETWEEN_STARTS)
        }
        RestarterKind::Runit if finish => None,
        _ => Some(BETWEEN_STARTS),
    };
    restarter.stop = folder.as_ref().map_or(Stop::Unknown, |folder| {
        let words: &[&str] = match kind {
            RestarterKind::Runit => &["sv", "down"],
            RestarterKind::S6 => &["s6-svc", "-d"],
            _ => &["svc", "-d"],
        };
        let words = words.iter().map(|word| Text::from(*word));
        Stop::Command(words.chain([folder.clone()]).collect())
    });
    restarter.program = folder;
    Some(RestartSetting::Restarts(restarter.into()))
}

/// Returns the service folder of a supervisor: its working directory, or if that cannot be read, its argument, if that is
/// an absolute path.
fn folder(process: &Process, program: &Program, _sources: &mut dyn Sources) -> Option<Text> {
    let given = program.arguments.first().filter(|given| given.as_bytes().starts_with(b"/"));
    let is_absolute = |folder: &&Text| folder.as_bytes().starts_with(b"/");
    process.directory.as_ref().filter(is_absolute).or(given).cloned()
}

fn join(folder: &Text, name: &str) -> Text {
    [folder.as_bytes(), b"/", name.as_bytes()].concat().into()
}

/// Returns whether the service stays down when it ends, as after `sv once` and `svc -o`.
fn wants_down(kind: RestarterKind, file: &mut dyn FnMut(&str) -> Option<Vec<u8>>) -> bool {
    match kind {
        RestarterKind::Runit => file("supervise/stat").is_some_and(|stat| runit_wants_down(&stat)),
        RestarterKind::Daemontools => {
            file("supervise/status").is_some_and(|status| daemontools_wants_down(&status))
        }
        _ => false,
    }
}

/// Returns the restart policy of `supervise-daemon web --start ... --respawn-delay 5 ...`.
fn openrc(process: &Process, program: &Program) -> Option<Box<RestartingProcess>> {
    let mut restarter = RestartingProcess::new(RestarterKind::Openrc, process, program);
    let name = program.arguments.first().filter(|name| !name.as_bytes().starts_with(b"-"));
    // The words after `--` are the daemon's own.
    let end = program.arguments.iter().position(|word| word.as_bytes() == b"--");
    let own = Program {
        arguments: program.arguments.iter().take(end.unwrap_or(usize::MAX)).cloned().collect(),
        ..program.clone()
    };
    let delay = own.value(&["--respawn-delay", "-D"]).map(|value| {
        std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()).map(Duration::from_secs)
    });
    restarter.delay = delay.unwrap_or(Some(Duration::ZERO));
    restarter.program = name.cloned();
    restarter.stop = name
        .map_or(Stop::Unknown, |name| Stop::Command(vec!["rc-service".into(), name.clone(), "stop".into()]));
    Some(restarter.into())
}
