//! Configurations in sections, as Python's configparser reads them.

use std::collections::BTreeMap;

/// One section: `[program:web]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: String,
    values: BTreeMap<String, String>,
}

impl Section {
    /// Returns a value.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// What follows a prefix in its name: `web` of `program:web`.
    pub(super) fn of_kind(&self, kind: &str) -> Option<&str> {
        Some(self.name.strip_prefix(kind)?.strip_prefix(':')?.trim()).filter(|name| !name.is_empty())
    }
}

/// How a dialect treats `;` and `#` after a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comments {
    /// They begin a comment after a space, as supervisord has it.
    Inline,
    /// They belong to the value.
    WholeLines,
}

/// Parses a configuration. What is no section and no value is left out.
pub(super) fn parse(bytes: &[u8], comments: Comments) -> Vec<Section> {
    let text = String::from_utf8_lossy(bytes);
    let mut sections: Vec<Section> = Vec::new();
    let mut key: Option<String> = None;
    for line in text.lines() {
        let line = match comments {
            Comments::Inline => without_comment(line),
            Comments::WholeLines => line,
        };
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let (true, Some(section), Some(key)) =
            (line.starts_with([' ', '\t']), sections.last_mut(), key.as_ref())
        {
            // A line that is indented goes on with the value before it.
            let value = section.values.entry(key.clone()).or_default();
            value.push('\n');
            value.push_str(trimmed);
        } else if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            sections.push(Section { name: name.0.trim().to_owned(), values: BTreeMap::new() });
            key = None;
        } else if let Some((name, value)) = trimmed.split_once(['=', ':']) {
            let name = name.trim().to_lowercase();
            if let Some(section) = sections.last_mut() {
                section.values.insert(name.clone(), value.trim().to_owned());
            }
            key = Some(name);
        }
    }
    sections
}

fn without_comment(line: &str) -> &str {
    let mut space = true;
    for (at, character) in line.char_indices() {
        if space && matches!(character, ';' | '#') {
            return line.get(..at).unwrap_or(line);
        }
        space = character.is_whitespace();
    }
    line
}

/// Whether a word of a configuration stands for yes.
pub(super) fn is_yes(value: &str) -> bool {
    ["true", "yes", "on", "1"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

/// Whether a command of a configuration is what a process runs. Where a script was started by its first line, the
/// process has its interpreter and its path in the place of its name. `$` and `%` stand for anything.
pub(super) fn is_command(command: &str, arguments: &[crate::Text]) -> bool {
    let Some(words) = shlex::split(command) else { return false };
    let Some((program, rest)) = words.split_first() else { return false };
    let equal = |word: &String, argument: &crate::Text| {
        word.contains("%(") || word.contains("$(") || word.as_bytes() == argument.as_bytes()
    };
    let all_equal = |words: &[String], arguments: &[crate::Text]| {
        words.len() == arguments.len()
            && words.iter().zip(arguments).all(|(word, argument)| equal(word, argument))
    };
    if all_equal(&words, arguments) {
        return true;
    }
    let name = program.rsplit('/').next().unwrap_or(program);
    // An interpreter, at most one option of its own, and the script.
    [1, 2].into_iter().any(|at| {
        let script = arguments.get(at).filter(|script| script.file_name() == name.as_bytes());
        let given = arguments.get(at + 1..).unwrap_or_default();
        script.is_some() && all_equal(rest, given)
    })
}
