//! Determines whether a process runs a command of a supervisor's configuration: the command itself, a script with its
//! interpreter, or a program that replaced a shell. Pure: script files come from [`Sources`].

use super::Sources;
use crate::model::{Process, Text};
use crate::os::parse::shell_code::{is_shell, is_shell_script, replacements};
use crate::os::parse::supervisors::ANY;

/// The most arguments that are compared with a command that has unknown text.
const MOST_ARGUMENTS: usize = 256;

/// The most words before the command of a program that replaces itself, such as the program and its options.
const MOST_SKIPPED: usize = 32;

/// The longest script that is parsed. Scripts that only prepare and start a program are short.
const LONGEST_SCRIPT: usize = 16 * 1024;

/// Programs that replace themselves with the command in their arguments.
const REPLACES_ITSELF: &[&str] = &[
    "env",
    "nice",
    "ionice",
    "nohup",
    "setsid",
    "stdbuf",
    "chpst",
    "setuidgid",
    "gosu",
    "su-exec",
    "setpriv",
    "softlimit",
    "authbind",
    "exec",
];

/// How well a process matches a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// The process replaced its command line with a title that names the command's program.
    Title,
    /// The command lines are equal.
    Arguments,
}

/// Returns whether `process` runs `command`, and how well they match. Files are read as its parent `starter` sees them.
pub(super) fn fit(
    command: &str,
    process: &Process,
    starter: &Process,
    sources: &mut dyn Sources,
) -> Option<Fit> {
    let words = shlex::split(command)?;
    let arguments = process.command.as_deref().unwrap_or_default();
    if is_direct(&words, arguments) || is_after_shell(&words, arguments, process, starter, sources) {
        return Some(Fit::Arguments);
    }
    title_fit(&words, process)
}

/// Returns whether a process runs these words, directly, with an interpreter, or through a program that replaces itself.
fn is_direct(words: &[String], arguments: &[Text]) -> bool {
    let replaces = words.first().is_some_and(|program| REPLACES_ITSELF.contains(&file_name(program)));
    let most = if replaces { MOST_SKIPPED } else { 0 };
    (0..=most).any(|from| words.get(from..).is_some_and(|words| is_run(words, arguments)))
}

/// Returns whether a process runs these words, directly or with an interpreter.
fn is_run(words: &[String], arguments: &[Text]) -> bool {
    let Some((program, rest)) = words.split_first() else { return false };
    if all_equal(words, arguments) {
        return true;
    }
    // A script with a `#!` line: an interpreter, at most one option, the script's path.
    [1, 2].into_iter().any(|at| {
        let is_script = arguments.get(at).is_some_and(|script| match program.contains('/') {
            true => is_equal(program, script),
            false => is_equal(program, &script.file_name().into()),
        });
        is_script && all_equal(rest, arguments.get(at + 1..).unwrap_or_default())
    })
}

/// Returns whether a process runs a program that replaces the shell of these words.
fn is_after_shell(
    words: &[String],
    arguments: &[Text],
    process: &Process,
    starter: &Process,
    sources: &mut dyn Sources,
) -> bool {
    let Some((program, rest)) = words.split_first() else { return false };
    if is_shell(program) {
        let code = rest.iter().position(|word| word.starts_with('-') && word.ends_with('c'));
        if let Some(code) = code.and_then(|at| rest.get(at + 1)) {
            return replacements(code, true).iter().any(|words| is_direct(words, arguments));
        }
        let script = rest.iter().find(|word| !word.starts_with('-'));
        return script.is_some_and(|path| script_fits(path, arguments, process, starter, sources));
    }
    script_fits(program, arguments, process, starter, sources)
}

fn script_fits(
    path: &str,
    arguments: &[Text],
    process: &Process,
    starter: &Process,
    sources: &mut dyn Sources,
) -> bool {
    let path = match path.starts_with('/') {
        true => Text::from(path),
        // A name without a folder is searched for in an unknown PATH.
        false if !path.contains('/') => return false,
        false => match &process.directory {
            Some(folder) => [folder.as_bytes(), b"/", path.as_bytes()].concat().into(),
            None => return false,
        },
    };
    let bytes = sources.file(starter.id, &path).filter(|bytes| bytes.len() <= LONGEST_SCRIPT);
    let Some(bytes) = bytes else { return false };
    let code = String::from_utf8_lossy(&bytes);
    is_shell_script(&code) && replacements(&code, false).iter().any(|words| is_direct(words, arguments))
}

/// Returns the match if a process has a title that names the program of these words.
fn title_fit(words: &[String], process: &Process) -> Option<Fit> {
    let [title] = process.command.as_deref()? else { return None };
    let title = title.as_str().filter(|title| title.contains(' ') && !title.starts_with('/'))?;
    // nginx appends its command line.
    let appended = title.split_once(": master process ").map(|(_, command)| command.trim_end());
    if appended == Some(words.join(" ").as_str()) {
        return Some(Fit::Arguments);
    }
    let named = title.split([':', ' ']).next().unwrap_or_default();
    let file = process.executable.as_ref().map(Text::file_name);
    let is_program = |word: &String| {
        let name = file_name(word);
        name == named || Some(name.as_bytes()) == file
    };
    words.iter().take(4).any(is_program).then_some(Fit::Title)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Returns whether the words equal the arguments. A word with [`ANY`] may stand for no or several arguments.
fn all_equal(words: &[String], arguments: &[Text]) -> bool {
    if !words.iter().any(|word| word.contains(ANY)) {
        return words.len() == arguments.len()
            && words.iter().zip(arguments).all(|(word, argument)| word.as_bytes() == argument.as_bytes());
    }
    if arguments.len() > MOST_ARGUMENTS || words.len() > MOST_ARGUMENTS {
        return false;
    }
    // The numbers of arguments that the words so far may stand for.
    let mut taken = vec![0];
    for word in words {
        let mut next = Vec::new();
        for &at in &taken {
            let rest = arguments.get(at..).unwrap_or_default();
            let longest = if word.contains(ANY) { rest.len() } else { 1 };
            next.extend(
                (0..=longest).filter(|count| stands_for(word, rest.get(..*count))).map(|count| at + count),
            );
        }
        next.sort_unstable();
        next.dedup();
        taken = next;
    }
    taken.contains(&arguments.len())
}

/// Returns whether a word stands for exactly these arguments.
fn stands_for(word: &str, arguments: Option<&[Text]>) -> bool {
    match arguments {
        None => false,
        Some([]) => word.chars().all(|character| character == ANY),
        Some([only]) => is_equal(word, only),
        Some([first, .., last]) => {
            let (before, after) =
                (word.split(ANY).next().unwrap_or_default(), word.rsplit(ANY).next().unwrap_or_default());
            first.as_bytes().starts_with(before.as_bytes()) && last.as_bytes().ends_with(after.as_bytes())
        }
    }
}

/// Returns whether a word equals an argument, with [`ANY`] for any text.
fn is_equal(word: &str, argument: &Text) -> bool {
    let Some((before, rest)) = word.split_once(ANY) else { return word.as_bytes() == argument.as_bytes() };
    let Some(argument) = argument.as_bytes().strip_prefix(before.as_bytes()) else { return false };
    let (middle, last) = rest.rsplit_once(ANY).unwrap_or(("", rest));
    let Some(mut argument) = argument.strip_suffix(last.as_bytes()) else { return false };
    middle.split(ANY).filter(|part| !part.is_empty()).all(|part| {
        let at = argument.windows(part.len()).position(|window| window == part.as_bytes());
        at.and_then(|at| argument.get(at + part.len()..)).inspect(|rest| argument = rest).is_some()
    })
}
