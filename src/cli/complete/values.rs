//! The values of arguments: which kind an argument takes, and the candidates of each kind.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, Command, CommandFactory};

use super::candidate::{Candidate, Completion, Heading, Paths, can_be_typed};
use super::listeners;
use super::place::{Place, PlaceKind};
use super::targets::{self, Accepted};
use crate::cli::arguments::Arguments;
use crate::model::{EndSignal, Protocol, Text};
use crate::os;
use crate::render::column::Column;
use crate::render::escape::escape;
use crate::render::phrases;

/// What an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Targets,
    LsofTarget,
    HolderPid,
    AnyPid,
    User,
    ProcessName,
    Columns,
    Signal,
    Command,
    Duration,
    Files,
    Directories,
    /// The names that the parser knows.
    Listed,
    /// Anything.
    Free,
}

impl Kind {
    /// Returns the kind of an argument by the name of its value in the help. `None` if the name is not known.
    fn of(argument: &Arg) -> Option<Kind> {
        if !argument.get_possible_values().is_empty() {
            return Some(Kind::Listed);
        }
        let name = argument.get_value_names().and_then(|names| names.first()).map(|name| name.as_str())?;
        Some(match name {
            "TARGET" | "PORT" | "PORT|RANGE" => Kind::Targets,
            "SPEC" => Kind::LsofTarget,
            // A tree may begin at a process that holds nothing itself.
            "PID" if argument.get_id() == "tree" => Kind::AnyPid,
            "PID" => Kind::HolderPid,
            "USER" => Kind::User,
            "TEXT" => Kind::ProcessName,
            "LIST" | "KEY" => Kind::Columns,
            "SIGNAL" => Kind::Signal,
            // The command of `watch` and its arguments.
            "COMMAND" if argument.is_last_set() => Kind::Files,
            "COMMAND" => Kind::Command,
            "DURATION" => Kind::Duration,
            "FILE" | "OLD" | "NEW" => Kind::Files,
            "DIR" => Kind::Directories,
            "N" | "PATH" => Kind::Free,
            _ => return None,
        })
    }
}

/// Returns the completions of `word` after the words `before`. `described` is whether descriptions are shown.
pub(super) fn complete(before: &[String], word: &str, described: bool) -> Completion {
    let mut root = Arguments::command();
    root.build();
    let place = Place::find(&root, before, word);
    let completion = match place.kind {
        PlaceKind::Nothing => Completion::default(),
        PlaceKind::Option => Completion::new("", word, options(&place, word)),
        PlaceKind::Value(argument, at) => {
            let (kept, begun) = word.split_at(at);
            let mut value = value(&place, argument, begun, described);
            value.kept.insert_str(0, kept);
            value
        }
    };
    // A target may begin like a command, but the command is meant far more often.
    let commands =
        if place.first { Completion::new("", word, commands(&root)) } else { Completion::default() };
    match (word.is_empty(), commands.candidates.is_empty()) {
        (_, true) => completion,
        (false, false) => commands,
        (true, false) => {
            let candidates = commands.candidates.into_iter().chain(completion.candidates).collect();
            Completion { candidates, ..completion }
        }
    }
}

fn commands(root: &Command) -> Vec<Candidate> {
    let shown = root.get_subcommands().filter(|command| !command.is_hide_set());
    let about = |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    shown.map(|command| Candidate::new(Heading::Commands, command.get_name(), &about(command))).collect()
}

/// Returns the names of the options, with their short forms after a single hyphen.
fn options(place: &Place<'_>, word: &str) -> Vec<Candidate> {
    let help = |option: &Arg| option.get_help().map(ToString::to_string).unwrap_or_default();
    let candidate =
        |name: String, option: &Arg| Candidate::new(Heading::Options, name, help(option).as_str());
    let long = |option: &Arg| Some(candidate(format!("--{}", option.get_long()?), option));
    let short = |option: &Arg| Some(candidate(format!("-{}", option.get_short()?), option));
    let mut candidates: Vec<Candidate> = place.options().filter_map(long).collect();
    if !word.starts_with("--") {
        candidates.splice(0..0, place.options().filter_map(short));
    }
    candidates
}

fn value(place: &Place<'_>, argument: &Arg, begun: &str, described: bool) -> Completion {
    let listed = |candidates: Vec<Candidate>| Completion::new("", begun, candidates);
    match Kind::of(argument).unwrap_or(Kind::Free) {
        Kind::Targets => targets::complete(begun, accepted(place), &|protocols| {
            listeners::open_ports(protocols, described)
        }),
        Kind::LsofTarget => {
            let accepted = Accepted { unix: false, ..accepted(place) };
            let read = |protocols: &[Protocol]| listeners::open_ports(protocols, described);
            match begun.strip_prefix(':') {
                Some(port) => {
                    let mut completion = targets::complete(port, accepted, &read);
                    completion.kept.insert(0, ':');
                    completion
                }
                None if begun.is_empty() => {
                    let mut completion = targets::complete(begun, accepted, &read);
                    for candidate in &mut completion.candidates {
                        candidate.value.insert(0, ':');
                    }
                    completion
                }
                None => Completion::default(),
            }
        }
        Kind::HolderPid => listed(holder_pids()),
        Kind::AnyPid => listed(all_pids()),
        Kind::User => listed(users()),
        Kind::ProcessName => listed(process_names()),
        Kind::Columns => columns(begun, argument.get_value_delimiter()),
        Kind::Signal => listed(plain(EndSignal::names())),
        Kind::Command => {
            let mut root = Arguments::command();
            root.build();
            listed(commands(&root))
        }
        Kind::Duration => listed(plain(["500ms", "1s", "2s", "5s", "30s", "1m"])),
        Kind::Files => Completion::paths("", Paths::Files),
        Kind::Directories => Completion::paths("", Paths::Directories),
        Kind::Listed => {
            let help = |value: &clap::builder::PossibleValue| {
                value.get_help().map(ToString::to_string).unwrap_or_default()
            };
            let values = argument.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
            listed(
                values
                    .map(|value| Candidate::new(Heading::Values, value.get_name(), &help(&value)))
                    .collect(),
            )
        }
        Kind::Free => Completion::default(),
    }
}

/// Returns what targets the command at the cursor takes.
fn accepted(place: &Place<'_>) -> Accepted {
    let uses = |id: &str| place.used.iter().any(|option| option.get_id() == id);
    let command = place.command.get_name();
    Accepted {
        tcp_by_default: ["why", "free", "wait", "next"].contains(&command),
        tcp: uses("tcp"),
        udp: uses("udp"),
        unix: !["why", "free", "next", "about"].contains(&command),
    }
}

fn plain<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<Candidate> {
    values.into_iter().map(|value| Candidate::new(Heading::Values, value, "")).collect()
}

/// Returns the columns, without those that a list already has.
fn columns(begun: &str, delimiter: Option<char>) -> Completion {
    let at = delimiter.and_then(|delimiter| begun.rfind(delimiter)).map_or(0, |at| at + 1);
    let (kept, begun) = begun.split_at(at);
    let listed: Vec<&str> = kept.split(',').collect();
    let columns = Column::NAMES.iter().filter(|(_, name)| !listed.contains(name));
    let candidates =
        columns.map(|(column, name)| Candidate::new(Heading::Values, *name, column.description()));
    Completion::new(kept, begun, candidates)
}

fn holder_pids() -> Vec<Candidate> {
    let candidate = |(pid, (name, ports)): (u32, (Text, BTreeSet<u16>))| {
        let ports: Vec<u16> = ports.into_iter().collect();
        let description = phrases::completion::process_and_ports(&name, &ports);
        Candidate::new(Heading::Values, pid.to_string(), &description)
    };
    listeners::processes().into_iter().map(candidate).collect()
}

fn all_pids() -> Vec<Candidate> {
    let Ok(table) = os::process_table() else { return Vec::new() };
    let candidate = |entry: &crate::model::process_table::ProcessEntry| {
        Candidate::new(Heading::Values, entry.id.pid.to_string(), &escape(&entry.name))
    };
    table.iter().filter(|entry| !entry.zombie).map(candidate).collect()
}

/// Returns the users of listeners, then all others that this machine lists.
fn users() -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let owners = listeners::users();
    for (uid, ports) in &owners {
        let name = os::user_name(*uid).and_then(|name| name.as_str().map(str::to_owned));
        let ports: Vec<u16> = ports.iter().copied().collect();
        let name = name.unwrap_or_else(|| uid.to_string());
        candidates.push(Candidate::new(Heading::Values, name, &phrases::completion::ports(&ports)));
    }
    let others = os::local_users().into_iter().filter(|(_, uid)| !owners.contains_key(uid));
    candidates.extend(
        others.map(|(name, uid)| Candidate::new(Heading::Values, name, &phrases::completion::uid(uid))),
    );
    candidates.retain(|candidate| can_be_typed(&candidate.value));
    candidates
}

fn process_names() -> Vec<Candidate> {
    let mut names: BTreeMap<Text, BTreeSet<u16>> = BTreeMap::new();
    for (name, ports) in listeners::processes().into_values() {
        names.entry(name).or_default().extend(ports);
    }
    let candidate = |(name, ports): (Text, BTreeSet<u16>)| {
        let ports: Vec<u16> = ports.into_iter().collect();
        let name = name.as_str().filter(|name| can_be_typed(name))?;
        Some(Candidate::new(Heading::Values, name, &phrases::completion::ports(&ports)))
    };
    names.into_iter().filter_map(candidate).collect()
}

#[cfg(test)]
mod tests;
