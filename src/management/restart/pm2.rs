//! The daemon of pm2, which restarts its applications. The name of an application is only in its environment, which is not
//! read, so the user has to find it with `pm2 list`. Source: the documentation of pm2. Not tested with pm2 itself.

use super::parent_role::RestartSetting;
use super::program::Program;
use super::{RestarterKind, RestartingProcess, Sources, Stop};
use crate::model::{Process, Text};
use crate::os::parse::supervisors::pm2::home_in_title;

/// Returns whether a process is the daemon of pm2, or pm2-runtime, which is a daemon in the foreground.
pub(super) fn is_daemon(process: &Process, program: &Program) -> bool {
    program.is_titled("PM2 v")
        || process.name.as_bytes().starts_with(b"PM2 v")
        || (program.interpreted
            && (program.name() == b"pm2-runtime" || program.path.as_bytes().ends_with(b"/pm2/lib/Daemon.js")))
}

/// Returns whether the daemon of pm2, if `parent` is one, restarts its children.
pub(super) fn restarter(
    parent: &Process,
    program: &Program,
    _child: &Process,
    sources: &mut dyn Sources,
) -> Option<RestartSetting> {
    if !is_daemon(parent, program) {
        return None;
    }
    let mut restarter = RestartingProcess::new(RestarterKind::Pm2, parent, program);
    restarter.name = "pm2".into();
    restarter.stop = list(parent, program, sources);
    Some(RestartSetting::Restarts(restarter.into()))
}

/// Returns the command that lists the applications. pm2 finds the daemon of the calling user by its folder. Other users
/// have no access to the folder, and commands run by root would leave files of root there.
pub(super) fn list(daemon: &Process, program: &Program, sources: &mut dyn Sources) -> Stop {
    let home = program.title.as_ref().and_then(|title| home_in_title(title.as_bytes()));
    let Some(mut words) = command(daemon, home.as_ref(), sources) else { return Stop::Unknown };
    words.extend(["pm2".into(), "list".into()]);
    Stop::FindName(words)
}

/// Returns the words before `pm2`, which select the user and the folder.
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
