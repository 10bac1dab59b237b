//! Writes man(7). Text that somebody may copy has ASCII hyphens, quotes and tildes; prose has typographic ones.

use std::fmt::Write as _;

/// A page under construction.
#[derive(Debug, Default)]
pub(super) struct Roff(String);

impl Roff {
    /// Returns the source.
    pub(super) fn into_source(self) -> String {
        self.0
    }

    /// Adds the title line: name, section 1, date, source, and the title of the manual.
    pub(super) fn title(&mut self, name: &str, date: &str, source: &str, manual: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, ".TH {} 1 {date} \"{source}\" \"{manual}\"", literal(name));
    }

    pub(super) fn section(&mut self, heading: &str) {
        let _ = writeln!(self.0, ".SH {heading}");
    }

    pub(super) fn subsection(&mut self, heading: &str) {
        let _ = writeln!(self.0, ".SS {heading}");
    }

    /// Adds a macro without arguments: `PP`, `TP`, `RS`, `RE`, `br`.
    pub(super) fn request(&mut self, name: &str) {
        let _ = writeln!(self.0, ".{name}");
    }

    /// Adds a line that is written in man(7) already.
    pub(super) fn line(&mut self, source: &str) {
        if source.starts_with(['.', '\'']) {
            self.0.push_str("\\&");
        }
        self.0.push_str(source);
        self.0.push('\n');
    }

    /// Adds an entry of a list: a tag that is written in man(7) already, and prose.
    pub(super) fn entry(&mut self, tag: &str, text: &str) {
        self.request("TP");
        self.line(tag);
        self.line(&prose(text));
    }
}

/// Returns text to be copied.
pub(super) fn literal(text: &str) -> String {
    let mut source = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => source.push_str("\\e"),
            '-' => source.push_str("\\-"),
            '\'' => source.push_str("\\(aq"),
            '`' => source.push_str("\\(ga"),
            '^' => source.push_str("\\(ha"),
            '~' => source.push_str("\\(ti"),
            '"' => source.push_str("\\(dq"),
            letter => source.push(letter),
        }
    }
    source
}

pub(super) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", literal(text))
}

pub(super) fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", literal(text))
}

/// Returns prose. Options in it are bold; a hyphen that joins two words stays one, others are ASCII.
pub(super) fn prose(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(word).collect();
    words.join(" ")
}

fn word(word: &str) -> String {
    let begins = word.find(|letter: char| !"(\"'[".contains(letter)).unwrap_or(word.len());
    let (before, rest) = word.split_at(begins);
    let ends = rest.trim_end_matches(|letter: char| ".,;:)]'\"".contains(letter)).len();
    let (core, after) = rest.split_at(ends);
    let is_option = core.len() > 1
        && core.starts_with('-')
        && core.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-=:".contains(&byte));
    let is_plain = |part: &str| part.len() > 1 && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let core = if is_option {
        bold(core)
    } else if !core.contains('-') || core.split('-').all(is_plain) {
        // An apostrophe within a word is no quote.
        literal(core).replace("\\(aq", "'").replace("\\-", "-")
    } else {
        // It is not divided at the end of a line.
        format!("\\%{}", literal(core))
    };
    format!("{}{core}{}", literal(before), literal(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_copied_is_ascii() {
        assert_eq!(
            literal("awk '{print ~\"\\x\"}' --a"),
            "awk \\(aq{print \\(ti\\(dq\\ex\\(dq}\\(aq \\-\\-a"
        );
    }

    #[test]
    fn prose_has_hyphens_and_bold_options() {
        for (text, source) in [
            ("the dual-stack socket", "the dual-stack socket"),
            ("with --all-namespaces, or -c.", "with \\fB\\-\\-all\\-namespaces\\fR, or \\fB\\-c\\fR."),
            ("the program's ports 8000-8010", "the program's ports \\%8000\\-8010"),
            ("Ctrl-Z suspends", "\\%Ctrl\\-Z suspends"),
            ("a  line\n that ends", "a line that ends"),
            ("(see '--help')", "(see \\(aq\\fB\\-\\-help\\fR\\(aq)"),
            ("- reads standard input", "\\%\\- reads standard input"),
        ] {
            assert_eq!(prose(text), source, "{text}");
        }
    }

    #[test]
    fn a_line_of_text_is_no_request() {
        let mut roff = Roff::default();
        roff.line(".sock");
        assert_eq!(roff.into_source(), "\\&.sock\n");
    }
}
