//! How java finds what it runs: a jar, a module, a class or a source file. From the manual page java(1).

use super::launch::{Language, Start};
use super::{file_name, short, tools};

/// Options that take the next word as their value.
const VALUED: [&str; 16] = [
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--add-opens",
    "--add-exports",
    "--add-reads",
    "--limit-modules",
    "--patch-module",
    "--enable-native-access",
    "--source",
    "-d",
    "--describe-module",
];

/// Returns what java runs.
pub(super) fn start<'a>(arguments: &'a [&'a [u8]]) -> Option<Start<'a>> {
    let mut rest = arguments;
    let mut file = None;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        if VALUED.iter().any(|known| known.as_bytes() == *word) {
            rest = rest.get(1..)?;
            continue;
        }
        if *word == b"-jar" {
            let (jar, arguments) = rest.split_first()?;
            return Some(
                tool_start(file_name(jar), arguments)
                    .unwrap_or_else(|| Start::Named(file_name(jar).to_vec())),
            );
        }
        if matches!(*word, b"-m" | b"--module") {
            let (module, arguments) = rest.split_first()?;
            return class(module, arguments);
        }
        if let Some(module) = word.strip_prefix(b"--module=") {
            return class(module, rest);
        }
        // An options file may name the class.
        if word.len() > 1 && word.starts_with(b"@") {
            file.get_or_insert(*word);
        }
        if matches!(word.first(), Some(b'-' | b'@')) {
            continue;
        }
        if word.ends_with(b".java") {
            return Some(Start::File(file_name(word).to_vec()));
        }
        return class(word, rest);
    }
    file.map(|word| [b"@".as_slice(), file_name(word.strip_prefix(b"@").unwrap_or(word))].concat())
        .map(Start::Named)
}

/// Returns the first options file among the arguments.
pub(super) fn options_file<'a>(arguments: &[&'a [u8]]) -> Option<&'a [u8]> {
    arguments.iter().find_map(|word| word.strip_prefix(b"@").filter(|path| !path.is_empty()))
}

/// Returns the arguments with the first options file replaced by its content. Such a file has words between white space; a
/// word may be quoted, with a backslash before special characters; `#` begins a comment.
pub(super) fn expanded(arguments: &[&[u8]], content: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut done = false;
    for word in arguments {
        match !done && word.starts_with(b"@") && word.len() > 1 {
            true => {
                words.append(&mut words_of(content));
                done = true;
            }
            false => words.push(word.to_vec()),
        }
    }
    words
}

fn words_of(content: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = content.iter().copied();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(open), close) if open == close => quote = None,
            (Some(_), b'\\') => word
                .get_or_insert_default()
                .extend(bytes.next().filter(|next| !matches!(next, b'\r' | b'\n'))),
            (None, b'"' | b'\'') => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (None, b' ' | b'\t' | b'\r' | b'\n' | 0x0c) => words.extend(word.take()),
            (None, b'#') if word.is_none() => {
                bytes.by_ref().find(|next| *next == b'\n');
            }
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

/// Names of classes that need their package to be specific.
const COMMON_CLASSES: [&str; 14] = [
    "App",
    "Application",
    "Boot",
    "Bootstrap",
    "Cli",
    "Launcher",
    "Main",
    "MainKt",
    "Program",
    "Run",
    "Runner",
    "Server",
    "Start",
    "Starter",
];

/// Returns the label of a class, its last name as in jps(1): `com.example.Shop`, `shop/com.example.Shop`. A common name keeps
/// its package: `shop.Main`.
fn class<'a>(full: &[u8], arguments: &[&[u8]]) -> Option<Start<'a>> {
    if let Some(tool) = tool_start(full, arguments) {
        return Some(tool);
    }
    let mut parts = full.rsplit(|byte| matches!(byte, b'.' | b'/'));
    let last = parts.next().and_then(short)?;
    let package = parts.next().filter(|_| COMMON_CLASSES.iter().any(|common| common.as_bytes() == last));
    Some(Start::Named(match package.and_then(short) {
        Some(package) => [package, b".", last].concat(),
        None => last.to_vec(),
    }))
}

fn tool_start<'a>(name: &[u8], arguments: &[&[u8]]) -> Option<Start<'a>> {
    tools::exact(Language::Java, name).map(|tool| Start::Named(tool.with(name, arguments)))
}
