//! The command: arguments in, answer and exit status out. Only this part uses the terminal and the environment.

mod about;
mod arguments;
mod complete;
mod diff;
mod duration;
mod exit;
mod first_words;
mod free;
mod list;
mod manual;
mod namespace_hint;
mod next;
mod obstacle;
mod other_address;
mod query_args;
mod runtimes;
mod scope;
mod service_names;
mod snapshot_file;
mod terminal;
mod wait;
pub(crate) mod watch;
mod why;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use clap::{CommandFactory, FromArgMatches};

use arguments::{Arguments, Command, List, plain};
use exit::Exit;

use crate::model::Error;
use crate::model::text::acts_on_terminal;
use crate::os;
pub use crate::os::memory::Allocator;
use crate::render::escape::escape;
use crate::render::schema;

/// Runs the command with these arguments, the first of which is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    os::memory::exit_when_out_of_memory(Exit::Unknown.code());
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(done) = os::ctrl_c_helper(&arguments) {
        return if done { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if let Some(exit) = complete::answer(&arguments) {
        return ExitCode::from(exit.code());
    }
    crate::shell::set_program(os::path_for_sudo);
    let exit = match parse(&arguments) {
        Ok(parsed) if prints_answer(&parsed) && os::output_is_missing() => {
            // Without an output there is no point in a scan.
            fail("cannot write the answer: standard output is closed", None)
        }
        Ok(parsed) => match parsed.command {
            None => list::run(parsed.list),
            Some(Command::Why(arguments)) => why::run(&arguments),
            Some(Command::Free(arguments)) => free::run(&arguments),
            Some(Command::Wait(arguments)) => wait::run(&arguments),
            Some(Command::Next(arguments)) => next::run(&arguments),
            Some(Command::Watch(watch)) if watch.command.is_empty() && ends_options(&arguments) => {
                complain("no command after --", "write allears watch -- COMMAND, or leave out --");
                Exit::Usage
            }
            Some(Command::Watch(arguments)) => watch::run(&arguments),
            Some(Command::Diff(arguments)) => diff::run(&arguments),
            Some(Command::About(arguments)) => about::run(&arguments),
            Some(Command::Schema { name }) => schema(name.as_deref()),
            Some(Command::Completions { shell }) => print(&complete::script(shell)),
            Some(Command::Man { directory }) => manual::run(directory.as_deref()),
            Some(Command::Help { command }) => help(&arguments, command),
        },
        Err(exit) => exit,
    };
    ExitCode::from(exit.code())
}

/// Returns whether the last argument is the one that separates options from a command.
fn ends_options(arguments: &[OsString]) -> bool {
    arguments.last().is_some_and(|last| last == "--")
}

/// Returns whether the command prints an answer.
fn prints_answer(arguments: &Arguments) -> bool {
    match &arguments.command {
        None => !arguments.list.quiet,
        Some(Command::Wait(wait)) => !wait.quiet,
        Some(Command::Man { directory }) => directory.is_none(),
        // The command is run whether or not its report can be written.
        Some(Command::Watch(watch)) => watch.command.is_empty(),
        Some(_) => true,
    }
}

fn parse(arguments: &[OsString]) -> Result<Arguments, Exit> {
    if let Some(list) = parse_plain(arguments) {
        return Ok(Arguments { command: None, list });
    }
    let words: Vec<String> =
        arguments.iter().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    if let Some(exit) = first_words::suggest_for_other_tool(&words) {
        return Err(exit);
    }
    let matches = Arguments::command().try_get_matches_from(arguments);
    match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(parsed) => Ok(parsed),
        Err(error) => {
            // Help and version come this way too.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Found };
            if arguments.iter().any(|argument| argument.to_string_lossy().contains(acts_on_terminal)) {
                // The message quotes an argument that a terminal would act on.
                for line in error.render().to_string().lines() {
                    let _ = writeln!(io::stderr().lock(), "{}", escape(&line.into()));
                }
                return Err(exit);
            }
            if error.use_stderr() {
                // A closed standard error cannot be reported.
                let _ = error.print();
                return Err(exit);
            }
            let text = match AutoStream::choice(&io::stdout()) {
                ColorChoice::Never => error.render().to_string(),
                _ => error.render().ansi().to_string(),
            };
            Err(print(text.as_bytes()))
        }
    }
}

/// Parses the command lines that need no clap.
fn parse_plain(arguments: &[OsString]) -> Option<List> {
    let words: Option<Vec<&str>> = arguments.get(1..)?.iter().map(|argument| argument.to_str()).collect();
    plain::parse(words?.into_iter())
}

/// Prints the help of the program, or of a command, as `--help` does.
fn help(arguments: &[OsString], command: Option<String>) -> Exit {
    if let Some(command) = command.as_ref().filter(|command| !first_words::names().contains(command)) {
        return first_words::no_command(command);
    }
    let program = arguments.first().cloned().unwrap_or_else(|| "allears".into());
    let words = std::iter::once(program).chain(command.map(OsString::from)).chain(["--help".into()]);
    parse(&words.collect::<Vec<OsString>>()).err().unwrap_or(Exit::Found)
}

/// Prints the schema of a document, or the list of documents.
fn schema(name: Option<&str>) -> Exit {
    // The parser accepts only names that have one.
    let text = name.map_or_else(|| Some(schema::list()), schema::schema).unwrap_or_default();
    print(text.as_bytes())
}

fn print(bytes: &[u8]) -> Exit {
    written(why::write_out(bytes), Exit::Found)
}

/// Returns the exit status after writing. A reader that closes its end of a pipe or socket has read enough.
fn written(result: io::Result<()>, exit: Exit) -> Exit {
    use io::ErrorKind::{BrokenPipe, ConnectionReset};
    match result {
        Ok(()) => exit,
        Err(error) if matches!(error.kind(), BrokenPipe | ConnectionReset) => Exit::Found,
        Err(error) => fail(&format!("cannot write the answer: {error}"), None),
    }
}

/// Prints an error that is not one of the arguments.
fn fail(what: &str, help: Option<&str>) -> Exit {
    say("error", what);
    if let Some(help) = help {
        say("help", help);
    }
    Exit::Unknown
}

/// Prints an error of the library with its sources and with what helps.
fn fail_with(error: &Error) -> Exit {
    fail(&os::describe_chain(error), error.help().map(ToString::to_string).as_deref())
}

/// Prints an error of the arguments, with the correct form.
fn complain(what: &str, help: &str) {
    say("error", what);
    say("help", help);
}

/// Prints a line on standard error. A closed standard error is ignored.
fn say(kind: &str, text: &str) {
    let _ = writeln!(io::stderr().lock(), "{kind}: {text}");
}

/// Returns whether standard input is a terminal.
fn input_is_terminal() -> bool {
    io::stdin().is_terminal()
}
