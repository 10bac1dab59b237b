//! Completions. `allears completions` prints a script for a shell, and the script runs `allears __complete` at each Tab.
//!
//! The scripts are installed once and outlive the program, so the interface between them is fixed:
//!
//! - `__complete bash LINE WORD`: the command line up to the cursor, and what readline replaces of the last word. The
//!   answer is a line `words`, `nospace`, `files` or `directories`, and a line for each word, quoted for its place.
//! - `__complete zsh|fish WORD...`: the words after the command, the last one up to the cursor. The answer is the same
//!   line with a tab and the number of characters that every completion keeps, and a line for each completion. For fish
//!   it has the whole word and a description, for zsh a heading, what follows the kept part, and a description, with
//!   tabs between them.
//!
//! Another interface needs another first argument, and this one stays. Nothing is printed on standard error, and the
//! exit status is 0: a failed completion must not disturb the line that somebody types.

mod bash;
mod candidate;
mod listeners;
mod output;
mod place;
mod targets;
mod values;

use std::ffi::OsString;

use clap::CommandFactory;
use clap_complete::Shell;

use super::arguments::Arguments;
use super::exit::Exit;

/// The first argument that asks for completions.
const REQUEST: &str = "__complete";

const BASH: &str = include_str!("complete/allears.bash");
const ZSH: &str = include_str!("complete/allears.zsh");
const FISH: &str = include_str!("complete/allears.fish");

/// Prints the completions that a script asks for. `None` if these arguments are no such request.
pub(super) fn answer(arguments: &[OsString]) -> Option<Exit> {
    let mut arguments = arguments.iter().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    if arguments.next()? != REQUEST {
        return None;
    }
    let shell = arguments.next().unwrap_or_default();
    let words: Vec<String> = arguments.collect();
    let answer = match (shell.as_str(), words.as_slice()) {
        ("bash", [line, replaced]) => bash::Line::parse(line).and_then(|line| {
            let completion = values::complete(&line.words, &line.word, false);
            output::bash(&completion, &line, replaced)
        }),
        ("zsh", [before @ .., word]) => Some(output::zsh(&values::complete(before, word, true))),
        ("fish", [before @ .., word]) => Some(output::fish(&values::complete(before, word, true))),
        _ => None,
    };
    // If it cannot be written, the shell gets no completions.
    let _ = super::why::write_out(answer.unwrap_or_default().as_bytes());
    Some(Exit::Found)
}

/// Returns the script for a shell.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    match shell {
        Shell::Bash => BASH.into(),
        Shell::Zsh => ZSH.into(),
        Shell::Fish => FISH.into(),
        other => {
            let mut script = Vec::new();
            clap_complete::generate(other, &mut shown(&Arguments::command()), "allears", &mut script);
            script
        }
    }
}

/// Returns a command without its hidden options, which the generator would complete.
fn shown(command: &clap::Command) -> clap::Command {
    let mut copy = clap::Command::new(command.get_name().to_owned());
    if let Some(about) = command.get_about() {
        copy = copy.about(about.clone());
    }
    if let Some(version) = command.get_version() {
        copy = copy.version(version.to_owned());
    }
    // Conflicts may name an option that is left out, and have no effect on completions.
    let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set());
    copy.disable_help_subcommand(true)
        .args(arguments.cloned())
        .subcommands(command.get_subcommands().filter(|command| !command.is_hide_set()).map(shown))
}
