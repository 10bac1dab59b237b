//! Matches processes to the programs of supervisord by its configuration, and determines whether supervisord restarts
//! them.

mod programs;

use std::time::Duration;

use super::parent_role::RestartSetting;
use super::program::Program;
use super::{Certainty, RestarterKind, RestartingProcess, Sources, Stop, Trigger};
use crate::model::{Process, Text};
use crate::os::parse::supervisors::ini::{self, Section};
use crate::os::parse::supervisors::supervisord::{http_url, matches_pattern, sections};

/// It starts programs once a second, and waits one second more if a program ended before it counted as started.
const DELAY: Duration = Duration::from_secs(2);

/// The most included files that are read.
const MOST_INCLUDED: usize = 256;

/// A configuration.
pub(super) struct Config {
    /// Its path, absolute.
    pub(super) path: Text,
    pub(super) sections: Vec<Section>,
    /// Whether everything it includes could be read.
    complete: bool,
}

/// Returns whether a program is supervisord.
pub(super) fn is_supervisord(program: &Program) -> bool {
    program.name() == b"supervisord"
}

/// Returns whether supervisord, if `parent` is one, restarts `child`.
pub(super) fn restarter(
    parent: &Process,
    program: &Program,
    child: &Process,
    sources: &mut dyn Sources,
) -> Option<RestartSetting> {
    if !is_supervisord(program) {
        return None;
    }
    let mut restarter = RestartingProcess::new(RestarterKind::Supervisord, parent, program);
    restarter.trigger = Trigger::Failure;
    restarter.delay = Some(DELAY);
    // Another implementation has other commands.
    if !program.interpreted {
        restarter.stop = Stop::Unknown;
        restarter.certainty = Certainty::Likely;
        return Some(RestartSetting::Restarts(restarter.into()));
    }
    let config = config(parent, program, sources);
    let described = config.as_ref().and_then(|config| config.describe(child, parent, sources));
    let names = described.as_ref().map(|described| described.names.clone()).unwrap_or_default();
    let section = described.map(|described| described.section);
    restarter.program = names.first().cloned();
    match section.map(|section| section.get("autorestart").unwrap_or("unexpected")) {
        Some(value) if value.eq_ignore_ascii_case("unexpected") => {}
        Some(value) if ini::is_yes(value) => restarter.trigger = Trigger::End,
        Some(_) => return Some(RestartSetting::LeavesDown),
        None => restarter.certainty = Certainty::Likely,
    }
    restarter.stop = stop(parent, program, &names, config.as_ref(), sources);
    Some(RestartSetting::Restarts(restarter.into()))
}

/// Returns the command that stops these programs, or lists all programs if `names` is empty.
pub(super) fn stop(
    daemon: &Process,
    program: &Program,
    names: &[Text],
    config: Option<&Config>,
    sources: &mut dyn Sources,
) -> Stop {
    let Some(address) = config.and_then(Config::address) else { return Stop::Unknown };
    let mut words = vec![program.companion(daemon, "supervisorctl", sources)];
    words.extend(address);
    match names {
        [] => {
            words.push("status".into());
            Stop::FindName(words)
        }
        names => {
            words.push("stop".into());
            words.extend_from_slice(names);
            Stop::Command(words)
        }
    }
}

/// Reads the configuration of a supervisord: the file in its arguments, or the first one at the default paths.
pub(super) fn config(process: &Process, program: &Program, sources: &mut dyn Sources) -> Option<Config> {
    let absolute = |path: &[u8]| -> Option<Text> {
        if path.starts_with(b"/") {
            return Some(path.into());
        }
        Some([process.directory.as_ref()?.as_bytes(), b"/", path].concat().into())
    };
    let given = program.value(&["--configuration", "-c"]).map(absolute);
    let candidates = given.map_or_else(
        || {
            let path = program.path.as_bytes();
            let mut parts = path.rsplitn(3, |byte| *byte == b'/').skip(2);
            let above = parts.next().map(|above| [above, b"/"].concat()).unwrap_or_default();
            [
                [&above, &b"etc/supervisord.conf"[..]].concat(),
                [&above, &b"supervisord.conf"[..]].concat(),
                b"supervisord.conf".to_vec(),
                b"etc/supervisord.conf".to_vec(),
                b"/etc/supervisord.conf".to_vec(),
                b"/etc/supervisor/supervisord.conf".to_vec(),
            ]
            .iter()
            .map(|path| absolute(path))
            .collect::<Vec<_>>()
        },
        |given| vec![given],
    );
    let (path, bytes) = candidates
        .into_iter()
        .flatten()
        .find_map(|path| sources.file(process.id, &path).map(|bytes| (path, bytes)))?;
    let sections = sections(&bytes, folder_of(path.as_bytes()));
    let mut config = Config { sections, path, complete: true };
    config.include(process, sources);
    Some(config)
}

impl Config {
    /// Adds what its `[include]` names: paths relative to it, whose last part may be a pattern.
    fn include(&mut self, process: &Process, sources: &mut dyn Sources) {
        let included = self.sections.iter().find(|section| section.name == "include");
        let files = included.and_then(|section| section.get("files")).unwrap_or_default().to_owned();
        let here = folder_of(self.path.as_bytes()).to_vec();
        let mut read = 0;
        for pattern in files.split_whitespace() {
            if pattern.contains("%(") {
                self.complete = false;
                continue;
            }
            let path = match pattern.starts_with('/') {
                true => pattern.as_bytes().to_vec(),
                false => [&here, &b"/"[..], pattern.as_bytes()].concat(),
            };
            let Some(paths) = matching(&path, process, sources) else {
                self.complete = false;
                continue;
            };
            for path in paths {
                read += 1;
                let bytes = sources.file(process.id, &path).filter(|_| read <= MOST_INCLUDED);
                match bytes {
                    Some(bytes) => self.sections.extend(sections(&bytes, folder_of(path.as_bytes()))),
                    None => self.complete = false,
                }
            }
        }
    }

    /// Returns the options with which supervisorctl reaches it.
    fn address(&self) -> Option<Vec<Text>> {
        let section = |name: &str| self.sections.iter().find(|section| section.name == name);
        let client = section("supervisorctl");
        let from_file = || vec!["-c".into(), self.path.clone()];
        if client.is_some_and(|client| client.get("serverurl").is_some()) {
            return Some(from_file());
        }
        let file = section("unix_http_server").and_then(|server| server.get("file"));
        let port = || section("inet_http_server").and_then(|server| server.get("port"));
        let url = file.map(|file| format!("unix://{file}")).or_else(|| http_url(port()?));
        match (client, url) {
            // The section has other settings too, such as a user name.
            (Some(_), Some(url)) => Some([from_file(), vec!["-s".into(), url.as_str().into()]].concat()),
            (Some(_), None) => Some(from_file()),
            (None, Some(url)) if !url.contains("%(") => Some(vec!["-s".into(), url.as_str().into()]),
            (None, _) => None,
        }
    }
}

fn folder_of(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').and_then(|at| path.get(..at)).unwrap_or_default()
}

/// Returns the paths that match a pattern whose last part may have `*` and `?`. `None` if they cannot be determined.
fn matching(pattern: &[u8], process: &Process, sources: &mut dyn Sources) -> Option<Vec<Text>> {
    let is_special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[');
    let folder = folder_of(pattern);
    let last = pattern.get(folder.len() + 1..)?;
    if folder.iter().any(is_special) || last.contains(&b'[') {
        return None;
    }
    if !last.iter().any(is_special) {
        return Some(vec![pattern.into()]);
    }
    let names = sources.folder(process.id, &folder.into())?;
    // A hidden file matches only a pattern that begins with a dot.
    let is_shown = |name: &[u8]| !name.starts_with(b".") || last.starts_with(b".");
    let names = names.iter().map(Text::as_bytes).filter(|name| is_shown(name) && matches_pattern(last, name));
    Some(names.map(|name| [folder, b"/", name].concat().into()).collect())
}
