//! The parts of the shell language by which scripts start programs: words, loops, simple commands. Pure: compiled and
//! tested on every system.

use std::time::Duration;

use super::supervisors::ANY;

/// Shells, whose code is parsed.
const SHELLS: &[&str] = &["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh"];

/// The deepest nesting of loops that is searched.
const DEEPEST: usize = 32;

/// Returns whether a path names a shell.
pub(crate) fn is_shell(path: &str) -> bool {
    SHELLS.iter().any(|shell| shell.as_bytes() == file_name(path.as_bytes()))
}

/// Returns whether the `#!` line of a script names a shell, directly or as an argument of `env`.
pub(crate) fn is_shell_script(code: &str) -> bool {
    let first = code.lines().next().unwrap_or_default();
    first.strip_prefix("#!").is_some_and(|line| line.split_whitespace().take(3).any(is_shell))
}

/// Returns the commands that replace the shell: those after `exec`, and with `with_last` (for `sh -c`) the last one.
pub(crate) fn replacements(code: &str, with_last: bool) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut last = None;
    for line in code.replace("\\\n", " ").lines() {
        let Some(words) = shlex::split(line) else { continue };
        let mut words = words.as_slice();
        while !words.is_empty() {
            let end = words.iter().position(|word| word.ends_with(';') || is_operator(word));
            let (command, rest) = match end.and_then(|end| words.split_at_checked(end + 1)) {
                Some((command, rest)) => (command, rest),
                None => (words, &[][..]),
            };
            words = rest;
            let (is_exec, command) = simple_command(command);
            if command.is_empty() {
                continue;
            }
            if is_exec {
                found.push(command);
                last = None;
            } else {
                last = Some(command);
            }
        }
    }
    found.extend(last.filter(|_| with_last));
    found
}

fn is_operator(word: &str) -> bool {
    matches!(word, "&&" | "||" | "&" | "|" | "{" | "}" | "(" | ")" | "then" | "do" | "else" | "fi" | "done")
}

/// Returns whether a simple command begins with `exec`, and its words without `exec`, assignments and redirections.
fn simple_command(words: &[String]) -> (bool, Vec<String>) {
    let mut command: Vec<String> = Vec::new();
    let mut is_exec = false;
    let mut words = words.iter().filter(|word| !is_operator(word));
    while let Some(word) = words.next() {
        let word = word.trim_end_matches(';');
        let redirection =
            word.trim_start_matches(|character: char| character.is_ascii_digit() || character == '&');
        if redirection.starts_with(['<', '>']) {
            if redirection.ends_with(['<', '>']) {
                words.next();
            }
            continue;
        }
        let is_assignment = word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|character| character.is_alphanumeric() || character == '_')
        });
        if word.is_empty() || (command.is_empty() && is_assignment) {
            continue;
        }
        if command.is_empty() && !is_exec && word == "exec" {
            is_exec = true;
            continue;
        }
        // The value of a variable or a command substitution is unknown, and may be several words.
        command.push(match word.split_once(['$', '`']) {
            Some((before, _)) => format!("{before}{ANY}"),
            None => word.to_owned(),
        });
    }
    (is_exec, command)
}

/// Returns the bodies of the loops, each when it ends. A keyword counts only at the beginning of a command.
pub(crate) fn loop_bodies(words: &[Vec<u8>]) -> Vec<&[Vec<u8>]> {
    let mut bodies = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if at > 0 && !words.get(at - 1).is_some_and(|before| opens_command(before)) {
            continue;
        }
        match word.as_slice() {
            b"do" => open.push(at + 1),
            b"done" => {
                let is_deep = open.len() > DEEPEST;
                bodies.extend(open.pop().filter(|_| !is_deep).and_then(|start| words.get(start..at)));
            }
            _ => {}
        }
    }
    bodies
}

/// Returns whether the next word begins a command.
pub(crate) fn opens_command(word: &[u8]) -> bool {
    const OPENING: [&[u8]; 16] = [
        b";", b"\n", b"&", b"|", b"&&", b"||", b"(", b"{", b"do", b"then", b"else", b"elif", b"if", b"while",
        b"until", b"!",
    ];
    OPENING.contains(&word)
}

/// Returns how long a loop's body sleeps, if all its `sleep` commands have numbers.
pub(crate) fn pause(body: &[Vec<u8>]) -> Option<Duration> {
    let mut whole = Duration::ZERO;
    for (at, word) in body.iter().enumerate() {
        if file_name(word) == b"sleep" {
            whole = whole.checked_add(sleep_argument(body.get(at + 1)?)?)?;
        }
    }
    Some(whole)
}

/// Parses an argument of sleep(1): a number, and a letter for its unit.
pub(crate) fn sleep_argument(word: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(word).ok()?;
    let number = text.trim_end_matches(['s', 'm', 'h', 'd']);
    let unit = match text.get(number.len()..)? {
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number * unit).ok()
}

/// Returns the file name of a path.
pub(crate) fn file_name(word: &[u8]) -> &[u8] {
    word.rsplit(|byte| *byte == b'/').next().unwrap_or(word)
}

/// Splits shell code into words and operators. Quotes and comments are removed. Quoted text is split into words too,
/// because it may be code of `sh -c`, but has no operators. Nothing else of the language is parsed.
pub(crate) fn words(code: &[u8]) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut word: Vec<u8> = Vec::new();
    let mut quote: Option<u8> = None;
    let mut bytes = code.iter().copied().peekable();
    let finish = |word: &mut Vec<u8>, words: &mut Vec<Vec<u8>>| {
        if !word.is_empty() {
            words.push(std::mem::take(word));
        }
    };
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\\', None | Some(b'"')) => match bytes.next() {
                // A continued line.
                Some(b'\n') | None => {}
                Some(escaped) => word.push(escaped),
            },
            (byte, Some(open)) if byte == open => quote = None,
            (b' ' | b'\t' | b'\n', Some(_)) => finish(&mut word, &mut words),
            (byte, Some(_)) => word.push(byte),
            (b'\'' | b'"', None) => quote = Some(byte),
            (b'#', None) if word.is_empty() => while bytes.next_if(|byte| *byte != b'\n').is_some() {},
            (b' ' | b'\t' | b'\r', None) => finish(&mut word, &mut words),
            (b'(', None) if word == b"$" => word.push(b'('),
            (b'\n' | b';' | b'(' | b')' | b'{' | b'}' | b'&' | b'|', None) if !is_variable(&word, byte) => {
                finish(&mut word, &mut words);
                let mut operator = vec![byte];
                if matches!(byte, b'&' | b'|') && bytes.next_if_eq(&byte).is_some() {
                    operator.push(byte);
                }
                words.push(operator);
            }
            (byte, None) => word.push(byte),
        }
    }
    finish(&mut word, &mut words);
    words
}

/// Returns whether a brace belongs to a word, as in `${name}`.
fn is_variable(word: &[u8], byte: u8) -> bool {
    match byte {
        b'{' => word.ends_with(b"$"),
        b'}' => word.windows(2).any(|part| part == b"${"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(code: &str) -> Vec<String> {
        words(code.as_bytes()).iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    #[test]
    fn words_and_operators() {
        assert_eq!(joined("a 'b c';d&&e # f\n\"g\""), ["a", "b", "c", ";", "d", "&&", "e", "\n", "g"]);
        assert_eq!(joined("echo ${name} $(run)"), ["echo", "${name}", "$(run", ")"]);
        assert_eq!(joined("{web}"), ["{", "web", "}"]);
        assert_eq!(joined("(echo a#b)"), ["(", "echo", "a#b", ")"], "a comment begins where a word could");
    }

    #[test]
    fn loops() {
        let words = words(b"while true; do until x; do sleep 2; web; done; sleep 1m; done; echo done");
        let pauses: Vec<_> = loop_bodies(&words).into_iter().map(pause).collect();
        assert_eq!(pauses, [Some(Duration::from_secs(2)), Some(Duration::from_secs(62))]);
        let words = super::words(b"while x; do echo done; sleep 3; done");
        let body = joined("echo done; sleep 3;");
        assert_eq!(loop_bodies(&words), [body.iter().map(|word| word.as_bytes()).collect::<Vec<_>>()]);
    }

    #[test]
    fn the_innermost_of_too_many_loops_are_skipped() {
        for (depth, found) in [(DEEPEST, DEEPEST), (DEEPEST + 1, DEEPEST)] {
            let code = format!("{}x;{}", "do ".repeat(depth), "done;".repeat(depth));
            assert_eq!(loop_bodies(&words(code.as_bytes())).len(), found);
        }
    }

    #[test]
    fn commands_that_replace_the_shell() {
        let commands = |code, with_last| -> Vec<String> {
            replacements(code, with_last).iter().map(|words| words.join(" ")).collect()
        };
        assert_eq!(commands("cd /srv\nA=1 exec web --port 1 2>&1\n", false), ["web --port 1"]);
        assert_eq!(commands("cd /srv && web $PORT", true), [format!("web {ANY}")]);
        assert_eq!(commands("MY_PORT=1 web", true), ["web"]);
        assert_eq!(commands("my-web=1 x", true), ["my-web=1 x"], "a name of a variable has no hyphen");
        assert_eq!(commands("echo exec web", true), ["echo exec web"]);
        assert_eq!(commands("exec exec web", false), ["exec web"]);
        assert!(commands("cd /srv && web", false).is_empty());
    }

    #[test]
    fn scripts_of_shells() {
        assert!(is_shell_script("#!/bin/sh -e\n") && is_shell_script("#!/usr/bin/env bash\n"));
        assert!(!is_shell_script("#!/usr/bin/python3\n") && !is_shell_script("sh"));
    }

    #[test]
    fn arguments_of_sleep() {
        assert_eq!(sleep_argument(b"1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(sleep_argument(b"2h"), Some(Duration::from_secs(7200)));
        assert_eq!(sleep_argument(b"1d"), Some(Duration::from_secs(24 * 60 * 60)));
        assert_eq!(sleep_argument(b"$DELAY"), None);
        assert_eq!(sleep_argument(b"-1"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_code_is_parsed(code: String) {
            let words = words(code.as_bytes());
            for body in loop_bodies(&words) {
                pause(body);
            }
            replacements(&code, true);
            is_shell_script(&code);
            sleep_argument(code.as_bytes());
        }
    }
}
