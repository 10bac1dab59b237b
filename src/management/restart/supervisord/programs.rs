//! The processes in a configuration of supervisord, matched to running processes. The name of a process is only in its
//! environment, which is not read, so its command line and working directory decide.

use std::collections::BTreeMap;

use super::Config;
use crate::management::restart::command_match::{Fit, fit};
use crate::management::restart::{Sources, is_plain};
use crate::model::{Process, Text};
use crate::os::parse::supervisors::ANY;
use crate::os::parse::supervisors::ini::Section;
use crate::os::parse::supervisors::supervisord::{Value, expand, tcp_port};

/// The kinds of sections that describe programs.
const KINDS: [&str; 3] = ["program", "fcgi-program", "eventlistener"];

/// The most processes of one configuration that are compared.
const MOST_PROCESSES: i64 = 1024;

/// A process in a configuration.
struct ConfiguredProcess<'a> {
    section: &'a Section,
    group: &'a str,
    /// `None` if its name depends on something unknown.
    name: Option<String>,
    /// The command, with [`ANY`] for unknown text.
    command: String,
    directory: Option<String>,
}

/// The part of a configuration that describes a process.
pub(super) struct ProgramSection<'a> {
    /// The section of its program.
    pub(super) section: &'a Section,
    /// The names that supervisorctl has to stop. Empty if they are unknown.
    pub(super) names: Vec<Text>,
}

impl ConfiguredProcess<'_> {
    /// Returns the name that supervisorctl takes.
    fn full_name(&self) -> Option<Text> {
        let name = self.name.as_deref()?;
        let full = match name == self.group {
            true => Text::from(name),
            false => [self.group, ":", name].concat().as_str().into(),
        };
        Some(full).filter(is_plain)
    }
}

impl Config {
    /// Returns the description of `child`, if exactly one program matches.
    pub(super) fn describe(
        &self,
        child: &Process,
        parent: &Process,
        sources: &mut dyn Sources,
    ) -> Option<ProgramSection<'_>> {
        let all = self.processes().filter(|_| self.complete)?;
        let mut known: BTreeMap<&str, Option<Fit>> = BTreeMap::new();
        for one in &all {
            known.entry(&one.command).or_insert_with(|| fit(&one.command, child, parent, sources));
        }
        let fits: Vec<_> =
            all.iter().map(|one| (known.get(one.command.as_str()).copied().flatten(), one)).collect();
        let best = fits.iter().map(|(fit, _)| *fit).max().flatten();
        // If no command is equal, a process that replaced itself in an unknown way may be any of them.
        let mut matching: Vec<&ConfiguredProcess<'_>> = match best {
            Some(Fit::Arguments) => {
                fits.iter().filter(|(fit, _)| *fit == best).map(|(_, one)| *one).collect()
            }
            Some(Fit::Title) => fits.iter().filter(|(fit, _)| fit.is_some()).map(|(_, one)| *one).collect(),
            None => all.iter().collect(),
        };
        if best.is_some() && matching.len() > 1 {
            let own = |one: &&&ConfiguredProcess<'_>| {
                self.starts_in(one, parent).as_ref() == child.directory.as_ref()
            };
            let there: Vec<_> = matching.iter().filter(own).copied().collect();
            if child.directory.is_some() && !there.is_empty() {
                matching = there;
            }
        }
        let section = matching.first()?.section;
        if matching.iter().any(|one| one.section != section) {
            return None;
        }
        // All processes of a FastCGI program share one socket.
        let names = match (section.name_of_kind("fcgi-program"), matching.as_slice()) {
            (Some(_), _) => self.all_names(section),
            (None, [only]) => only.full_name().into_iter().collect(),
            (None, _) => Vec::new(),
        };
        Some(ProgramSection { section, names })
    }

    /// Returns the names that supervisorctl takes for all processes of the FastCGI program with this port.
    pub(in crate::management::restart) fn names_with_port(&self, port: u16) -> Vec<Text> {
        let has_port = |section: &&Section| {
            let own = section.get("socket").and_then(tcp_port);
            section.name_of_kind("fcgi-program").is_some() && own == Some(port)
        };
        self.sections.iter().find(has_port).map(|section| self.all_names(section)).unwrap_or_default()
    }

    /// Returns the names of all processes of a section. Empty if one of them is unknown.
    fn all_names(&self, section: &Section) -> Vec<Text> {
        let Some(all) = self.processes() else { return Vec::new() };
        let own: Vec<_> = all.iter().filter(|one| one.section == section).collect();
        if let ([first, _, ..], Some(program)) = (own.as_slice(), program_of(section))
            && first.group == program
        {
            return Some(Text::from(format!("{program}:*").as_str())).filter(is_plain).into_iter().collect();
        }
        own.iter().map(|one| one.full_name()).collect::<Option<_>>().unwrap_or_default()
    }

    /// Returns all processes of the configuration. `None` if they are too many or their number is unknown.
    fn processes(&self) -> Option<Vec<ConfiguredProcess<'_>>> {
        let mut found = Vec::new();
        for section in &self.sections {
            let Some(program) = program_of(section) else { continue };
            let number =
                |key, default| section.get(key).map_or(Some(default), |value| value.trim().parse().ok());
            let (count, start): (i64, i64) = (number("numprocs", 1)?, number("numprocs_start", 0)?);
            let left = MOST_PROCESSES - i64::try_from(found.len()).ok()?;
            if count < 0 || count > left {
                return None;
            }
            let mut groups: Vec<&str> = self.groups_of(program).collect();
            if groups.is_empty() {
                groups.push(program);
            }
            for group in groups {
                for number in start..start.checked_add(count)? {
                    let expand = |text: &str| {
                        expand(text, &|name| match name {
                            "program_name" => Some(Value::Text(program)),
                            "group_name" => Some(Value::Text(group)),
                            "process_num" => Some(Value::Number(number)),
                            "numprocs" => Some(Value::Number(count)),
                            _ => None,
                        })
                    };
                    let name = expand(section.get("process_name").unwrap_or("%(program_name)s"));
                    found.push(ConfiguredProcess {
                        section,
                        group,
                        name: Some(name).filter(|name| !name.contains(ANY)),
                        command: expand(section.get("command").unwrap_or_default()),
                        directory: section.get("directory").map(expand),
                    });
                }
            }
        }
        Some(found)
    }

    fn groups_of(&self, program: &str) -> impl Iterator<Item = &str> {
        self.sections.iter().filter_map(move |section| {
            let group = section.name_of_kind("group")?;
            let mut members = section.get("programs")?.split(',');
            members.any(|member| member.trim() == program).then_some(group)
        })
    }

    /// Returns the folder that a process of the configuration is started in. `None` if it is unknown.
    fn starts_in(&self, process: &ConfiguredProcess<'_>, parent: &Process) -> Option<Text> {
        let folder = match &process.directory {
            Some(folder) => folder.as_str().into(),
            None => parent.directory.clone()?,
        };
        let bytes = folder.as_bytes();
        Some(bytes.strip_suffix(b"/").filter(|rest| !rest.is_empty()).unwrap_or(bytes).into())
    }
}

fn program_of(section: &Section) -> Option<&str> {
    KINDS.iter().find_map(|kind| section.name_of_kind(kind))
}
