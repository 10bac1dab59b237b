//! The folder that a file server serves, if its arguments name one: `python -m http.server -d dist`. Pure. From the help
//! of http.server (Python 3.13), php 8.4 and busybox 1.37, the documentation of ruby's httpd and of Caddy 2, and
//! darkhttpd(8).

use super::launch::Language;
use super::{LONGEST_WORD, file_name};

/// Returns the label of a file server that is no interpreter: `caddy file-server --root dist`, `darkhttpd dist`.
pub(super) fn label(program: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>> {
    match program.strip_suffix(b".exe").unwrap_or(program) {
        b"caddy" if arguments.first() == Some(&b"file-server".as_slice()) => {
            let folder = option(arguments, b"-r", b"--root").map(|folder| words(b"--root", folder));
            Some([b"caddy file-server".as_slice(), &folder.unwrap_or_default()].concat())
        }
        b"darkhttpd" => {
            let folder = arguments.first().filter(|word| !word.starts_with(b"-"))?;
            Some([b"darkhttpd ".as_slice(), short_path(folder)].concat())
        }
        _ => None,
    }
}

/// Returns the words that name the folder of `python -m http.server`.
pub(super) fn of_module(module: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>> {
    let folder = || option(arguments, b"-d", b"--directory").map(|folder| words(b"-d", folder));
    (module == b"http.server").then(folder).flatten()
}

/// Returns the words that name the folder of busybox's httpd.
pub(super) fn of_applet(applet: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>> {
    let folder = || option(arguments, b"-h", b"").map(|folder| words(b"-h", folder));
    (applet == b"httpd").then(folder).flatten()
}

/// Returns the words that name the folder of an interpreter's own server: `php -S`, `ruby -run -e httpd`.
pub(super) fn of_interpreter(language: Language, name: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>> {
    match (language, name) {
        (Language::Php, b"php -S") => {
            option(arguments, b"-t", b"--docroot").map(|folder| words(b"-t", folder))
        }
        (Language::Ruby, b"ruby -run -e httpd") => {
            let at = arguments.iter().position(|word| word.ends_with(b"httpd"))?;
            let mut rest = arguments.get(at + 1..)?.iter().copied();
            while let Some(word) = rest.next() {
                match word {
                    b"--" => {}
                    word if !word.starts_with(b"-") => return Some(words(b"", word)),
                    // `-p 8000`, `--port 8000`; `-p8000` and `--port=8000` have their value.
                    word if word.len() == 2 || (word.starts_with(b"--") && !word.contains(&b'=')) => {
                        rest.next();
                    }
                    _ => {}
                }
            }
            None
        }
        _ => None,
    }
}

/// Returns the value of an option: `-d dist`, `-ddist`, `--directory dist`, `--directory=dist`.
fn option<'a>(arguments: &[&'a [u8]], letter: &[u8], long: &[u8]) -> Option<&'a [u8]> {
    let mut words = arguments.iter().copied();
    while let Some(word) = words.next() {
        if word == b"--" {
            return None;
        }
        if word == letter || (!long.is_empty() && word == long) {
            return words.next();
        }
        let attached = word.strip_prefix(letter).filter(|_| !word.starts_with(b"--"));
        let given =
            word.strip_prefix(long).and_then(|rest| rest.strip_prefix(b"=")).filter(|_| !long.is_empty());
        if let Some(value) = given.or(attached) {
            return Some(value);
        }
    }
    None
}

/// Returns an option and a folder, each after a space. The working directory has a line of its own.
fn words(option: &[u8], folder: &[u8]) -> Vec<u8> {
    if folder == b"." {
        return Vec::new();
    }
    let option = if option.is_empty() { Vec::new() } else { [b" ", option].concat() };
    [option.as_slice(), b" ", short_path(folder)].concat()
}

/// Returns the path, or its last part if it is long.
fn short_path(path: &[u8]) -> &[u8] {
    if path.len() <= LONGEST_WORD { path } else { file_name(path) }
}
