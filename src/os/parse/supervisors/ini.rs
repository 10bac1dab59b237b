//! INI files as Python's configparser parses them. Pure: compiled and tested on every system.

use std::collections::BTreeMap;

/// One section: `[program:web]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) name: String,
    values: BTreeMap<String, String>,
}

impl Section {
    /// Returns a value.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// Returns the name after a kind: `web` of `program:web`.
    pub(crate) fn name_of_kind(&self, kind: &str) -> Option<&str> {
        Some(self.name.strip_prefix(kind)?.strip_prefix(':')?.trim()).filter(|name| !name.is_empty())
    }
}

/// How a dialect treats `;` and `#` after a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comments {
    /// They begin a comment after a space, as in supervisord.
    Inline,
    /// They are part of the value.
    WholeLines,
}

/// Parses a configuration. Lines that are neither a section nor a value are ignored.
pub(crate) fn parse(bytes: &[u8], comments: Comments) -> Vec<Section> {
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
pub(crate) fn is_yes(value: &str) -> bool {
    ["true", "yes", "on", "1"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_each_dialect() {
        let text = b"[program:web]\nCommand = a ; b\n  c\n# comment\nkey: a;b\n";
        let value =
            |comments, key| parse(text, comments).first().and_then(|one| one.get(key).map(str::to_owned));
        assert_eq!(value(Comments::Inline, "command").as_deref(), Some("a\nc"));
        assert_eq!(value(Comments::WholeLines, "command").as_deref(), Some("a ; b\nc"));
        assert_eq!(value(Comments::Inline, "key").as_deref(), Some("a;b"));
        let sections = parse(text, Comments::Inline);
        assert_eq!(sections.first().and_then(|one| one.name_of_kind("program")), Some("web"));
    }

    #[test]
    fn a_line_that_is_a_comment_sets_nothing() {
        let text = b"[a]\nkey = 1\n\n# key = 2\n;key = 3\n   # more\n";
        for comments in [Comments::Inline, Comments::WholeLines] {
            assert_eq!(parse(text, comments)[0].get("key"), Some("1"));
        }
    }

    #[test]
    fn values_that_mean_true() {
        assert!(["true", "Yes", "on", "1"].into_iter().all(is_yes));
        assert!(!["false", "no", "off", "0", ""].into_iter().any(is_yes));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_parsed(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            parse(&bytes, Comments::Inline);
            parse(&bytes, Comments::WholeLines);
        }
    }
}
