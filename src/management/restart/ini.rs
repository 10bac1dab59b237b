//! Parses INI files as Python's configparser does.

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

    /// Returns the name after a kind: `web` of `program:web`.
    pub(super) fn name_of_kind(&self, kind: &str) -> Option<&str> {
        Some(self.name.strip_prefix(kind)?.strip_prefix(':')?.trim()).filter(|name| !name.is_empty())
    }
}

/// How a dialect treats `;` and `#` after a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comments {
    /// They begin a comment after a space, as in supervisord.
    Inline,
    /// They are part of the value.
    WholeLines,
}

/// Parses a configuration. Lines that are neither a section nor a value are ignored.
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
            // An indented line continues the previous value.
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

/// Returns whether a value means true.
pub(super) fn is_yes(value: &str) -> bool {
    ["true", "yes", "on", "1"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}
