//! First words that name no command and no target: those of other tools, and typing errors of commands.

use clap::CommandFactory;

use super::arguments::Arguments;
use super::exit::Exit;
use super::{complain, service_names};

/// Prints the command that does what a command of another tool would do. `None` if the first word is none of them.
pub(super) fn suggest_for_other_tool(arguments: &[String]) -> Option<Exit> {
    let (word, rest) = arguments.split_first()?;
    let target = || rest.iter().find(|text| can_be_shown(text)).map_or("3000", String::as_str);
    let help = match word.as_str() {
        "kill" | "stop" | "end" => format!("allears free {} ends what holds a port", target()),
        "list" | "ls" | "ps" | "show" => {
            "allears lists all listeners, allears 3000 shows what holds a port".to_owned()
        }
        "check" => {
            format!("allears why {} shows whether a port can be bound, and what prevents it", target())
        }
        _ => return None,
    };
    complain(&format!("unknown command {word}"), &help);
    Some(Exit::Usage)
}

/// Returns whether a word is a target that a terminal and a shell take as it is, and that contains no password.
fn can_be_shown(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ":.,/-".contains(letter);
    text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == ':')
        && text.chars().all(is_plain)
        && !text.contains("://")
        && service_names::parse_list(text).is_ok()
}

/// Prints the command that a target resembles. `None` if the target is one, or resembles no command.
pub(super) fn like_a_command(target: &str) -> Option<Exit> {
    let error = service_names::parse_list(target).err().filter(|error| error.part() == target)?;
    let command = nearest(target)?;
    complain(&error.to_string(), &format!("perhaps the command: allears {command}"));
    Some(Exit::Usage)
}

/// Prints that there is no such command.
pub(super) fn no_command(word: &str) -> Exit {
    if let Some(exit) = suggest_for_other_tool(&[word.to_owned()]) {
        return exit;
    }
    let help = match nearest(word) {
        Some(command) => format!("perhaps allears help {command}"),
        None => format!("the commands are {}", names().join(", ")),
    };
    complain(&format!("unknown command '{}'", crate::render::escape::escape(&word.into())), &help);
    Exit::Usage
}

/// Returns the command nearest to a word, if one is near.
fn nearest(word: &str) -> Option<String> {
    const LONGEST: usize = 16;
    if word.len() > LONGEST || !word.chars().all(|letter| letter.is_ascii_alphabetic()) {
        return None;
    }
    let word = word.to_ascii_lowercase();
    let far = (word.len() / 3).max(1);
    let distance = |name: &String| strsim::osa_distance(&word, name);
    names().into_iter().filter(|name| distance(name) <= far).min_by_key(distance)
}

/// Returns the names of the commands.
pub(super) fn names() -> Vec<String> {
    Arguments::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}
