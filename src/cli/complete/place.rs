//! Where the cursor is: in an option, in the value of an option or in a positional argument. It follows the rules of the
//! parser, and ignores what the parser would refuse.

use clap::{Arg, ArgAction, Command};

/// The place of a word.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The command that the word belongs to.
    pub(super) command: &'a Command,
    /// Whether the word may be the name of a command.
    pub(super) first: bool,
    /// The options before it.
    pub(super) used: Vec<&'a Arg>,
    pub(super) kind: PlaceKind<'a>,
}

#[derive(Debug)]
pub(super) enum PlaceKind<'a> {
    /// The name of an option.
    Option,
    /// The value of an argument, after so many bytes of the word.
    Value(&'a Arg, usize),
    /// No argument can be here.
    Nothing,
}

impl<'a> Place<'a> {
    /// Returns the place of `word` after the words `before`. The command must be built.
    pub(super) fn find(root: &'a Command, before: &[String], word: &str) -> Place<'a> {
        let mut place =
            Place { command: root, first: before.is_empty(), used: Vec::new(), kind: PlaceKind::Nothing };
        let mut pending: Option<&Arg> = None;
        let (mut only_positionals, mut positionals) = (false, 0);
        for (number, text) in before.iter().enumerate() {
            if pending.take().is_some() && !looks_like_option(text) {
                continue;
            }
            if only_positionals || !looks_like_option(text) {
                match root.find_subcommand(text).filter(|_| number == 0) {
                    Some(command) => place.command = command,
                    None => positionals += 1,
                }
            } else if text == "--" {
                only_positionals = true;
            } else if let Some(long) = text.strip_prefix("--") {
                let (name, value) =
                    long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                let option = long_option(place.command, name);
                place.used.extend(option);
                pending = option.filter(|option| takes_value(option) && value.is_none());
            } else {
                let (options, value) = short_options(place.command, text);
                pending = value.filter(|(_, at)| *at == text.len()).and(options.last().copied());
                place.used.extend(options);
            }
        }
        place.kind = match pending {
            Some(option) if !word.starts_with('-') => PlaceKind::Value(option, 0),
            _ if only_positionals => {
                last(place.command).unwrap_or_else(|| positional(place.command, positionals))
            }
            _ if !word.starts_with('-') => positional(place.command, positionals),
            _ => option_or_value(place.command, word),
        };
        place
    }

    /// Returns the options that can follow those before the cursor.
    pub(super) fn options(&self) -> impl Iterator<Item = &'a Arg> {
        let repeatable = |option: &Arg| matches!(option.get_action(), ArgAction::Append | ArgAction::Count);
        let conflicts = |one: &'a Arg, other: &'a Arg| {
            self.command.get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == other.get_id())
                || self.exclude_each_other(one, other)
        };
        let options = self.command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set());
        options.filter(move |option| {
            self.used.iter().all(|used| match used.get_id() == option.get_id() {
                true => repeatable(option),
                false => !conflicts(option, used) && !conflicts(used, option),
            })
        })
    }

    /// Returns whether two options are in a group of which only one may be used.
    fn exclude_each_other(&self, one: &Arg, other: &Arg) -> bool {
        self.command.get_groups().any(|group| {
            let has = |arg: &Arg| group.get_args().any(|id| id == arg.get_id());
            has(one) && has(other) && !group.clone().is_multiple()
        })
    }
}

fn looks_like_option(text: &str) -> bool {
    text.len() > 1 && text.starts_with('-')
}

fn takes_value(option: &Arg) -> bool {
    option.get_action().takes_values()
}

fn long_option<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| arg.get_long() == Some(name))
}

/// Returns the options of a word such as `-tuc`, and the last one with the place of its value, if it takes one.
fn short_options<'a>(command: &'a Command, word: &str) -> (Vec<&'a Arg>, Option<(&'a Arg, usize)>) {
    let mut options = Vec::new();
    for (at, letter) in word.char_indices().skip(1) {
        let Some(option) = command.get_arguments().find(|arg| arg.get_short() == Some(letter)) else { break };
        options.push(option);
        if takes_value(option) {
            return (options, Some((option, at + letter.len_utf8())));
        }
    }
    (options, None)
}

/// Returns the place of a word that begins with `-`.
fn option_or_value<'a>(command: &'a Command, word: &str) -> PlaceKind<'a> {
    let value = match word.strip_prefix("--") {
        Some(long) => {
            let name = long.split('=').next().unwrap_or_default();
            let begins = word.contains('=').then_some(name.len() + 3);
            begins.and_then(|at| Some((long_option(command, name).filter(|arg| takes_value(arg))?, at)))
        }
        None => short_options(command, word).1.filter(|(_, at)| *at < word.len()),
    };
    match value {
        Some((option, at)) => PlaceKind::Value(option, at),
        None if word.contains('=') => PlaceKind::Nothing,
        None => PlaceKind::Option,
    }
}

/// Returns the positional argument after so many others. One that takes many values takes all that follow. What only
/// stands after `--` is none of them.
fn positional(command: &Command, number: usize) -> PlaceKind<'_> {
    let many = |arg: &&Arg| matches!(arg.get_action(), ArgAction::Append);
    let positionals: Vec<&Arg> = command.get_positionals().filter(|arg| !arg.is_last_set()).collect();
    let found = positionals.get(number).copied().or_else(|| positionals.last().copied().filter(many));
    found.map_or(PlaceKind::Nothing, |arg| PlaceKind::Value(arg, 0))
}

/// Returns the argument that takes all words after `--`, if the command has one.
fn last(command: &Command) -> Option<PlaceKind<'_>> {
    let found = command.get_positionals().find(|arg| arg.is_last_set());
    found.map(|arg| PlaceKind::Value(arg, 0))
}
