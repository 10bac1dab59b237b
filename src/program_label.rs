//! Labels of what an interpreter or launcher runs: `vite`, `manage.py runserver`, a jar. A pure function of the command line,
//! the program's file, the name and the parent. What they do not determine is `None`, never a guess.

mod interpreters;
mod java;
mod launch;
mod packages;
mod programs;
mod served_folder;
#[cfg(test)]
mod tests;
mod tools;

pub(crate) mod forwards;

use crate::model::{Process, Text};
use interpreters::Interpreter;
use launch::{Language, Start};

/// What runs in a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Label {
    /// Something with a better name than the interpreter's: a known tool, a jar, a module.
    Named(Text),
    /// A file that the interpreter was given.
    File(Text),
}

impl Label {
    /// Returns the label.
    pub(crate) fn text(&self) -> &Text {
        let (Label::Named(text) | Label::File(text)) = self;
        text
    }
}

/// A longer word is not a name.
const LONGEST_WORD: usize = 64;

/// Returns what runs in a process, if it is an interpreter or a launcher.
pub(crate) fn label(process: &Process) -> Option<Label> {
    // An empty argument and a path that ends in a separator name no file. A word that begins with a hyphen is an option,
    // which may hold a password.
    find(process).filter(|label| !label.text().is_empty() && !label.text().as_bytes().starts_with(b"-"))
}

fn find(process: &Process) -> Option<Label> {
    let command: Vec<&[u8]> = process.command.iter().flatten().map(Text::as_bytes).collect();
    if let Some(by_path) = built(process) {
        return Some(Label::Named(by_path.into()));
    }
    if let Some(by_path) = process.executable.as_ref().and_then(|path| programs::by_path(path.as_bytes())) {
        return Some(Label::Named(by_path.into()));
    }
    if let Some(applet) = applet(process, &command) {
        return Some(applet);
    }
    let interpreter = interpreter(process);
    let (first, arguments) = command.split_first()?;
    if let (true, Some(words)) = (arguments.is_empty(), title(first)) {
        // A known program that is not an interpreter may have any name.
        let may_be_any = interpreter.is_some() || process.executable.is_none();
        return tools::titled(&words, interpreter.map(|interpreter| interpreter.language))
            .filter(|_| may_be_any);
    }
    let Some(interpreter) = interpreter else {
        let own = process.executable.as_ref().map_or_else(|| file_name(first), Text::file_name);
        return programs::named(own, arguments).map(|name| Label::Named(name.into()));
    };
    if interpreter.language == Language::Elixir {
        return erlang(interpreter, arguments);
    }
    match interpreter.start(arguments)? {
        Start::Script { path, arguments } => Some(file(interpreter, path, arguments)),
        Start::Module { name, arguments } => {
            let tool = tools::named(interpreter.language, name).map(|tool| tool.with(name, arguments));
            let module = || {
                let folder = served_folder::of_module(name, arguments).unwrap_or_default();
                short(name).map(|name| [b"python -m ".as_slice(), name, &folder].concat())
            };
            tool.or_else(module).map(|text| Label::Named(text.into()))
        }
        Start::Named(name) => {
            let folder = served_folder::of_interpreter(interpreter.language, &name, arguments);
            Some(Label::Named([name, folder.unwrap_or_default()].concat().into()))
        }
        Start::File(name) => Some(Label::File(name.into())),
    }
}

/// Returns the label of an applet of a multi-call program such as busybox: the script of its shell, or its name.
fn applet(process: &Process, command: &[&[u8]]) -> Option<Label> {
    let program = process
        .executable
        .as_ref()
        .map(Text::file_name)
        .or_else(|| command.first().map(|word| file_name(word)))?;
    let (applet, arguments) = programs::applet(program, command)?.split_first()?;
    if let Some(shell) =
        interpreters::find(file_name(applet)).filter(|found| found.language == Language::Shell)
    {
        return match shell.start(arguments)? {
            Start::Script { path, arguments } => Some(file(shell, path, arguments)),
            _ => None,
        };
    }
    let folder = served_folder::of_applet(file_name(applet), arguments).unwrap_or_default();
    let applet = short(file_name(applet)).filter(|word| tools::is_plain(word))?;
    Some(Label::Named([b"busybox ".as_slice(), applet, &folder].concat().into()))
}

/// Returns the label of Erlang's virtual machine: the script and the name of the node, as far as the arguments have them.
fn erlang(interpreter: &Interpreter, arguments: &[&[u8]]) -> Option<Label> {
    let script = match interpreter.start(arguments) {
        Some(Start::Script { path, arguments }) if !path.starts_with(b"-") => {
            Some(file(interpreter, path, arguments))
        }
        _ => None,
    };
    match (script, programs::erlang(arguments)) {
        (script, None) => script,
        (None, Some(node)) => Some(Label::Named(node.into())),
        (Some(script), Some(node)) => {
            Some(Label::Named([script.text().as_bytes(), b", ", &node].concat().into()))
        }
    }
}

/// Returns the file that java reads its options from, if the command line names one and no class: `java @options`.
pub(crate) fn options_file(process: &Process) -> Option<Text> {
    let command: Vec<&[u8]> = process.command.iter().flatten().map(Text::as_bytes).collect();
    let (_, arguments) = command.split_first()?;
    let java = interpreter(process).filter(|interpreter| interpreter.language == Language::Java)?;
    match java.start(arguments)? {
        Start::Named(name) => {
            name.strip_prefix(b"@").and_then(|_| java::options_file(arguments)).map(Text::from)
        }
        _ => None,
    }
}

/// Returns the label of java, from its command line and the content of [`options_file`].
pub(crate) fn with_options(process: &Process, content: &[u8]) -> Option<Text> {
    let command: Vec<&[u8]> = process.command.iter().flatten().map(Text::as_bytes).collect();
    let words = java::expanded(command.get(1..)?, content);
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    match java::start(&words)? {
        Start::Named(name) | Start::File(name) => Some(name.into()),
        Start::Script { .. } | Start::Module { .. } => None,
    }
    .filter(|name: &Text| !name.is_empty() && !matches!(name.as_bytes().first(), Some(b'-' | b'@')))
}

/// Returns the path of the script that an interpreter was given, as it was given.
pub(crate) fn script_file(process: &Process) -> Option<Text> {
    let command: Vec<&[u8]> = process.command.iter().flatten().map(Text::as_bytes).collect();
    let (_, arguments) = command.split_first()?;
    let interpreter = interpreter(process)?;
    match interpreter.start(arguments)? {
        // Node finds `server.js` for `server`.
        Start::Script { path, .. } => {
            let whole =
                interpreter.language != Language::JavaScript || stem(file_name(path)) != file_name(path);
            whole.then(|| path.into())
        }
        Start::Module { .. } | Start::Named(_) | Start::File(_) => None,
    }
}

/// Returns the script's path that an interpreter was given, or a module's name with slashes for its dots, and the
/// arguments after it. `None` if no interpreter runs, or if what it runs is code or unknown from the command line.
pub(crate) fn started(process: &Process) -> Option<(Text, Vec<Text>)> {
    let command: Vec<&[u8]> = process.command.iter().flatten().map(Text::as_bytes).collect();
    let (_, arguments) = command.split_first()?;
    match interpreter(process)?.start(arguments)? {
        Start::Script { path, arguments } => Some((path.into(), texts(arguments))),
        Start::Module { name, arguments } => {
            let path: Vec<u8> = name.iter().map(|byte| if *byte == b'.' { b'/' } else { *byte }).collect();
            Some((path.into(), texts(arguments)))
        }
        Start::Named(_) | Start::File(_) => None,
    }
}

fn texts(words: &[&[u8]]) -> Vec<Text> {
    words.iter().copied().map(Text::from).collect()
}

/// Returns whether an interpreter runs in this process.
pub(crate) fn is_interpreted(process: &Process) -> bool {
    interpreter(process).is_some()
}

/// Returns whether a shell runs in this process.
pub(crate) fn is_shell(process: &Process) -> bool {
    interpreter(process).is_some_and(|interpreter| interpreter.language == Language::Shell)
}

/// Returns the name of the interpreter or launcher itself.
///
/// The process may have another name: the kernel uses that of a script, and a program can set any.
pub(crate) fn interpreter_name(process: &Process) -> Text {
    let first = process.command.iter().flatten().next();
    let names = [Some(&process.name), process.executable.as_ref(), first];
    let known =
        names.into_iter().flatten().map(Text::file_name).find(|name| interpreters::find(name).is_some());
    known.map_or_else(|| process.name.clone(), Text::from)
}

/// Returns whether `script` is more specific than the process's name, and may replace it.
pub(crate) fn replaces_name(process: &Process) -> bool {
    match (label(process), &process.script) {
        // The label of java's options file was made from more than the command line.
        (Some(Label::Named(text)), Some(script)) => text == *script || text.as_bytes().starts_with(b"@"),
        _ => false,
    }
}

/// Returns the interpreter, by the program's file, or by the first argument if the file is unknown.
fn interpreter(process: &Process) -> Option<&'static Interpreter> {
    let executable = process.executable.as_ref().map(Text::file_name);
    let first = || process.command.iter().flatten().next().map(Text::file_name);
    executable.and_then(interpreters::find).or_else(|| interpreters::find(first()?))
}

/// Returns the tool that built a program right before it ran it, by the program's path.
///
/// On Unix `cargo run` becomes the program that it built, like one that was started by hand; if it stays, it is the parent.
/// Tests, which it starts too, are in `deps`.
fn built(process: &Process) -> Option<&'static str> {
    let path = process.executable.as_ref()?.as_bytes();
    let mut folders = path.rsplit(|byte| is_separator(*byte)).skip(1);
    let (last, before, above) = (folders.next()?, folders.next()?, folders.next().unwrap_or_default());
    let parent = process.parents.first().map(|parent| plain_name(&parent.name));
    let is_profile = matches!(last, b"debug" | b"release");
    if is_profile && parent.as_deref() == Some(b"cargo") && [before, above].contains(&b"target".as_slice()) {
        return Some("cargo run");
    }
    // Only `go run` links into such a folder.
    (last == b"exe" && before.starts_with(b"b0") && above.starts_with(b"go-build")).then_some("go run")
}

/// Returns the label of a script by its path: a known tool, a command of a package, or a file.
fn file(interpreter: &Interpreter, path: &[u8], arguments: &[&[u8]]) -> Label {
    let named = packages::named(interpreter.language, path).unwrap_or(path);
    if let Some(tool) = tools::named(interpreter.language, named) {
        return Label::Named(tool.with(file_name(path), arguments).into());
    }
    // For a compiled program, such as a jar, the interpreter's name adds nothing.
    match named == path && interpreter.language != Language::Dotnet {
        true => Label::File(file_name(path).into()),
        false => Label::Named(if named == path { file_name(path) } else { named }.into()),
    }
}

/// Returns the words of a title that replaced the command line of a process.
fn title(only: &[u8]) -> Option<Vec<&[u8]>> {
    let words: Vec<&[u8]> = only.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
    let first = words.first()?;
    // A path with a space is not a title.
    (words.len() > 1 && !first.iter().any(|byte| is_separator(*byte))).then_some(words)
}

/// Returns a word if it can be part of a label.
fn short(word: &[u8]) -> Option<&[u8]> {
    (!word.is_empty() && word.len() <= LONGEST_WORD && !word.starts_with(b"-")).then_some(word)
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| is_separator(*byte)).next().unwrap_or(path)
}

/// Returns a file name without its extension.
fn stem(name: &[u8]) -> &[u8] {
    match name.iter().rposition(|byte| *byte == b'.') {
        Some(at) if at > 0 => name.get(..at).unwrap_or(name),
        _ => name,
    }
}

/// Returns a program's name in lower case, without `.exe`.
fn plain_name(name: &Text) -> Vec<u8> {
    let lower = file_name(name.as_bytes()).to_ascii_lowercase();
    lower.strip_suffix(b".exe").map(<[u8]>::to_vec).unwrap_or(lower)
}
