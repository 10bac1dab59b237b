//! The daemon of pm2, which keeps its applications running: which of them a process is, by the variables it gives to
//! what it starts. From its documentation; it was not run for this.

use super::program::Program;
use super::roles::Found;
use super::{Restarter, RestarterKind, Sources, Stop, is_plain};
use crate::{Process, ProcessId, Text};

/// Whether a process is the daemon of pm2, or pm2-runtime, which is one in the foreground.
pub(super) fn is_daemon(process: &Process, program: &Program) -> bool {
    program.is_titled("PM2 v")
        || process.name.as_bytes().starts_with(b"PM2 v")
        || (program.interpreted
            && (program.name() == b"pm2-runtime" || program.path.as_bytes().ends_with(b"/pm2/lib/Daemon.js")))
}

/// Determines whether a process is the daemon of pm2, and which of its applications the child is.
pub(super) fn restarter(
    parent: &Process,
    program: &Program,
    child: &Process,
    sources: &mut dyn Sources,
) -> Option<Found> {
    if !is_daemon(parent, program) {
        return None;
    }
    let mut restarter = Restarter::new(RestarterKind::Pm2, parent, program);
    restarter.name = "pm2".into();
    let application = application(child.id, sources);
    let home = home(program).or_else(|| sources.variable(child.id, "PM2_HOME"));
    restarter.stop = stop(parent, home.as_ref(), application.as_ref(), sources);
    restarter.program = application;
    Some(Found::Restarts(restarter.into()))
}

/// The name or else the number of the application that a process is.
pub(super) fn application(child: ProcessId, sources: &mut dyn Sources) -> Option<Text> {
    let number = sources.variable(child, "pm_id")?;
    Some(sources.variable(child, "name").unwrap_or(number)).filter(is_plain)
}

/// The folder of the daemon, which it writes into its title: `PM2 v5.3.0: God Daemon (/home/dev/.pm2)`.
pub(super) fn home(program: &Program) -> Option<Text> {
    let title = program.title.as_ref()?.as_bytes();
    let open = title.iter().position(|byte| *byte == b'(')?;
    let close = title.iter().rposition(|byte| *byte == b')')?;
    Some(title.get(open + 1..close)?).filter(|home| home.starts_with(b"/")).map(Text::from)
}

/// pm2 addresses the daemon of the user who runs it, by its folder. Another user is not let in, and root's commands would
/// leave files of root's in that folder.
pub(super) fn stop(
    daemon: &Process,
    home: Option<&Text>,
    application: Option<&Text>,
    sources: &mut dyn Sources,
) -> Stop {
    let Some(mut words) = command(daemon, home, sources) else { return Stop::Unknown };
    words.push("pm2".into());
    match application {
        Some(application) => {
            words.extend(["stop".into(), application.clone()]);
            Stop::Command(words)
        }
        None => {
            words.push("list".into());
            Stop::FindName(words)
        }
    }
}

/// What comes before `pm2`.
fn command(daemon: &Process, home: Option<&Text>, sources: &mut dyn Sources) -> Option<Vec<Text>> {
    let mut words: Vec<Text> = Vec::new();
    let own = sources.own_uid();
    if own.is_none() || own != daemon.uid {
        words.extend(["sudo".into(), "-u".into(), daemon.user.clone()?]);
        words.extend(["env".into(), assignment(home?)]);
    } else if let Some(home) = home {
        words.extend(["env".into(), assignment(home)]);
    }
    Some(words)
}

fn assignment(home: &Text) -> Text {
    [b"PM2_HOME=", home.as_bytes()].concat().into()
}
