//! supervisord: which of its programs a process is, by the variables it gives to what it starts or by its
//! configuration, and whether it starts that again.

use std::time::Duration;

use super::ini::{self, Comments, Section};
use super::program::Program;
use super::roles::Found;
use super::{Certainty, Restarter, RestarterKind, Sources, Stop, Trigger, is_plain};
use crate::{Process, ProcessId, Text};

/// It starts programs once in a second, and waits a second more where one ended before it counted as started.
const DELAY: Duration = Duration::from_secs(2);

/// The most files that are read because a configuration includes them.
const MOST_INCLUDED: usize = 256;

/// The kinds of sections that describe programs.
const KINDS: [&str; 3] = ["program", "fcgi-program", "eventlistener"];

/// A configuration.
pub(super) struct Config {
    /// Its path, absolute.
    pub(super) path: Text,
    pub(super) sections: Vec<Section>,
    /// Whether everything it includes could be read.
    complete: bool,
}

/// Whether a process is supervisord.
pub(super) fn is_supervisord(program: &Program) -> bool {
    program.name() == b"supervisord"
}

/// Determines whether supervisord started a process, and starts it again.
pub(super) fn restarter(
    parent: &Process,
    program: &Program,
    child: &Process,
    sources: &mut dyn Sources,
) -> Option<Found> {
    if !is_supervisord(program) {
        return None;
    }
    let mut restarter = Restarter::new(RestarterKind::Supervisord, parent, program);
    restarter.trigger = Trigger::Failure;
    restarter.delay = Some(DELAY);
    // A program of another origin with that name has other commands.
    if !program.interpreted {
        restarter.stop = Stop::Unknown;
        restarter.certainty = Certainty::Likely;
        return Some(Found::Restarts(restarter.into()));
    }
    let config = config(parent, program, sources);
    let told = told(child, sources);
    let section = config.as_ref().and_then(|config| config.section(told.as_ref(), child));
    let name = match (&told, config.as_ref().zip(section)) {
        // One socket for all of its processes: each of them has the port.
        (Some(told), Some((_, section)))
            if told.process != told.group && section.of_kind("fcgi-program").is_some() =>
        {
            Some([told.group.as_bytes(), b":*"].concat().into())
        }
        (Some(told), _) => Some(told.full_name()),
        (None, Some((config, section))) => config.full_name(section),
        (None, None) => None,
    };
    restarter.program = name.filter(is_plain);
    match section.map(|section| section.get("autorestart").unwrap_or("unexpected")) {
        Some(value) if value.eq_ignore_ascii_case("unexpected") => {}
        Some(value) if ini::is_yes(value) => restarter.trigger = Trigger::End,
        Some(_) => return Some(Found::LeavesDown),
        None => restarter.certainty = Certainty::Likely,
    }
    restarter.stop = stop(restarter.program.as_ref(), config.as_ref(), Some(child.id), sources);
    Some(Found::Restarts(restarter.into()))
}

/// What supervisord tells a program about itself.
struct Told {
    process: Text,
    group: Text,
}

fn told(child: &Process, sources: &mut dyn Sources) -> Option<Told> {
    let process = sources.variable(child.id, "SUPERVISOR_PROCESS_NAME")?;
    let group = sources.variable(child.id, "SUPERVISOR_GROUP_NAME")?;
    Some(Told { process, group })
}

impl Told {
    /// The name that supervisorctl takes.
    fn full_name(&self) -> Text {
        match self.process == self.group {
            true => self.process.clone(),
            false => [self.group.as_bytes(), b":", self.process.as_bytes()].concat().into(),
        }
    }
}

/// The command that stops a program, through the configuration or the address that supervisord gave to it.
pub(super) fn stop(
    name: Option<&Text>,
    config: Option<&Config>,
    child: Option<ProcessId>,
    sources: &mut dyn Sources,
) -> Stop {
    let mut words: Vec<Text> = vec!["supervisorctl".into()];
    match config.filter(|config| config.is_for_supervisorctl()) {
        Some(config) => words.extend(["-c".into(), config.path.clone()]),
        None => match child.and_then(|child| sources.variable(child, "SUPERVISOR_SERVER_URL")) {
            Some(url) => words.extend(["-s".into(), url]),
            None => return Stop::Unknown,
        },
    }
    match name {
        Some(name) => {
            words.extend(["stop".into(), name.clone()]);
            Stop::Command(words)
        }
        None => {
            words.push("status".into());
            Stop::FindName(words)
        }
    }
}

/// Reads the configuration of a supervisord: the one it was given, or the first of those it looks for.
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
    let mut config = Config { sections: ini::parse(&bytes, Comments::Inline), path, complete: true };
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
            let pattern = pattern.replace("%(here)s", &String::from_utf8_lossy(&here));
            if pattern.contains("%(") {
                self.complete = false;
                continue;
            }
            let path = match pattern.starts_with('/') {
                true => pattern.into_bytes(),
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
                    Some(bytes) => self.sections.extend(ini::parse(&bytes, Comments::Inline)),
                    None => self.complete = false,
                }
            }
        }
    }

    /// Whether supervisorctl finds an address in it.
    fn is_for_supervisorctl(&self) -> bool {
        self.sections.iter().any(|section| section.name == "supervisorctl")
    }

    pub(super) fn programs(&self) -> impl Iterator<Item = (&Section, &str)> {
        let name = |section: &'_ Section| -> Option<usize> {
            KINDS.iter().position(|kind| section.of_kind(kind).is_some())
        };
        self.sections.iter().filter_map(move |section| {
            let kind = KINDS.get(name(section)?)?;
            Some((section, section.of_kind(kind)?))
        })
    }

    /// The section of the program that a process is: by the names it was told, by its command, or because there is only
    /// one. `None` where several would do.
    fn section<'a>(&'a self, told: Option<&Told>, child: &Process) -> Option<&'a Section> {
        if let Some(told) = told {
            let named = |name: &Text| {
                self.programs().find(|(_, known)| known.as_bytes() == name.as_bytes()).map(|(found, _)| found)
            };
            if let Some(section) = named(&told.process).or_else(|| named(&told.group)) {
                return Some(section);
            }
        }
        let command = child.command.as_deref().unwrap_or_default();
        let only = |matching: Vec<&'a Section>| match matching.as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        let by_command = self.programs().filter(|(section, _)| {
            section.get("command").is_some_and(|known| ini::is_command(known, command))
        });
        let by_command: Vec<&Section> = by_command.map(|(section, _)| section).collect();
        if !by_command.is_empty() {
            return only(by_command).filter(|_| self.complete);
        }
        only(self.programs().map(|(section, _)| section).collect()).filter(|_| self.complete)
    }

    /// The name that supervisorctl takes for all processes of the FastCGI program whose socket has this port.
    pub(super) fn program_with_port(&self, port: u16) -> Option<Text> {
        let has_port = |section: &(&Section, &str)| {
            let socket = section.0.get("socket").and_then(|socket| socket.strip_prefix("tcp://"));
            let number = socket.and_then(|socket| socket.rsplit(':').next()?.trim().parse().ok());
            number == Some(port)
        };
        let (section, name) = self.programs().find(has_port)?;
        let all = || Text::from(format!("{name}:*").as_str());
        Some(self.full_name(section).unwrap_or_else(all)).filter(is_plain)
    }

    /// The name that supervisorctl takes for the process of a section, if it has only one.
    fn full_name(&self, section: &Section) -> Option<Text> {
        let (_, name) = self.programs().find(|(known, _)| *known == section)?;
        let many = section.get("numprocs").is_some_and(|count| count.trim() != "1");
        let renamed = section.get("process_name").is_some_and(|name| name != "%(program_name)s");
        if many || renamed {
            return None;
        }
        let group = self.sections.iter().find_map(|group| {
            let members = group.get("programs")?;
            let has = members.split(',').any(|member| member.trim() == name);
            group.of_kind("group").filter(|_| has)
        });
        Some(group.map_or_else(|| name.into(), |group| format!("{group}:{name}").as_str().into()))
    }
}

fn folder_of(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').and_then(|at| path.get(..at)).unwrap_or_default()
}

/// The paths that match a pattern whose last part may hold `*` and `?`; `None` where that cannot be said.
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
    let names = names.iter().map(Text::as_bytes).filter(|name| is_shown(name) && fits(last, name));
    Some(names.map(|name| [folder, b"/", name].concat().into()).collect())
}

/// Whether a name fits a pattern of `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    // Where the last star was, and how much of the name it has taken.
    let (mut at, mut of_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(of_name) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of_name));
                at += 1;
            }
            Some(known) if *known == b'?' || known == byte => {
                at += 1;
                of_name += 1;
            }
            _ => match star {
                Some((position, taken)) => {
                    star = Some((position, taken + 1));
                    at = position + 1;
                    of_name = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}
