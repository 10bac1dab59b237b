//! The daemon of pm2, which keeps its applications running. It tells an application its name only in its environment,
//! which is not read, so `pm2 list` has to show it. From its documentation; it was not run for this.

use super::program::Program;
use super::roles::RestartSetting;
use super::{Restarter, RestarterKind, Sources, Stop};
use crate::model::{Process, Text};

/// Whether a process is the daemon of pm2, or pm2-runtime, which is one in the foreground.
pub(super) fn is_daemon(process: &Process, program: &Program) -> bool {
    program.is_titled("PM2 v")
        || process.name.as_bytes().starts_with(b"PM2 v")
        || (program.interpreted
            && (program.name() == b"pm2-runtime" || program.path.as_bytes().ends_with(b"/pm2/lib/Daemon.js")))
}

/// Determines whether a process is the daemon of pm2.
pub(super) fn restarter(
    parent: &Process,
    program: &Program,
    sources: &mut dyn Sources,
) -> Option<RestartSetting> {
    if !is_daemon(parent, program) {
        return None;
    }
    let mut restarter = Restarter::new(RestarterKind::Pm2, parent, program);
    restarter.name = "pm2".into();
    restarter.stop = list(parent, program, sources);
    Some(RestartSetting::Restarts(restarter.into()))
}

/// The folder of the daemon, which it writes into its title: `PM2 v5.3.0: God Daemon (/home/dev/.pm2)`.
fn home(program: &Program) -> Option<Text> {
    let title = program.title.as_ref()?.as_bytes();
    let open = title.iter().position(|byte| *byte == b'(')?;
    let close = title.iter().rposition(|byte| *byte == b')')?;
    Some(title.get(open + 1..close)?).filter(|home| home.starts_with(b"/")).map(Text::from)
}

/// The command that lists the applications. pm2 addresses the daemon of the user who runs it, by its folder. Another user
/// is not let in, and root's commands would leave files of root's in that folder.
pub(super) fn list(daemon: &Process, program: &Program, sources: &mut dyn Sources) -> Stop {
    let Some(mut words) = command(daemon, home(program).as_ref(), sources) else { return Stop::Unknown };
    words.extend(["pm2".into(), "list".into()]);
    Stop::FindName(words)
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
