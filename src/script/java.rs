//! How java finds what it runs: a jar, a module, a class or a source file. From the manual page java(1).

use super::interpreters::{Language, Start};
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

/// What java was started with.
pub(super) fn start<'a>(arguments: &'a [&'a [u8]]) -> Option<Start<'a>> {
    let mut rest = arguments;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        if VALUED.iter().any(|known| known.as_bytes() == *word) {
            rest = rest.get(1..)?;
            continue;
        }
        if *word == b"-jar" {
            let (jar, arguments) = rest.split_first()?;
            return Some(
                known(file_name(jar), arguments).unwrap_or_else(|| Start::Named(file_name(jar).to_vec())),
            );
        }
        if matches!(*word, b"-m" | b"--module") {
            let (module, arguments) = rest.split_first()?;
            return class(module, arguments);
        }
        if let Some(module) = word.strip_prefix(b"--module=") {
            return class(module, rest);
        }
        // Options in a file, which is not read.
        if word.starts_with(b"-") || word.starts_with(b"@") {
            continue;
        }
        if word.ends_with(b".java") {
            return Some(Start::File(file_name(word).to_vec()));
        }
        return class(word, rest);
    }
    None
}

/// A class by its last name, as jps(1) does it: `com.example.Shop`, `shop/com.example.Shop`.
fn class<'a>(full: &[u8], arguments: &[&[u8]]) -> Option<Start<'a>> {
    if let Some(tool) = known(full, arguments) {
        return Some(tool);
    }
    let last = full.rsplit(|byte| matches!(byte, b'.' | b'/')).next()?;
    short(last).map(|last| Start::Named(last.to_vec()))
}

fn known<'a>(name: &[u8], arguments: &[&[u8]]) -> Option<Start<'a>> {
    tools::of(Language::Java, name).map(|tool| Start::Named(tool.with(name, arguments)))
}
