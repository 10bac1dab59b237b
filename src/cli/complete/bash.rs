//! Command lines of bash: the words before the cursor, and words quoted for the place at the cursor.

/// A command line up to the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The complete words after the command, without quotes.
    pub(super) words: Vec<String>,
    /// The last word, without quotes.
    pub(super) word: String,
    /// The last word as it was typed.
    raw: String,
    /// The quote that is open at the cursor.
    quote: Option<char>,
}

impl Line {
    /// Reads a line. `None` if the cursor is in its first word or in the target of a redirection. Nothing is expanded:
    /// `$PORT` is a word like others.
    pub(super) fn parse(text: &str) -> Option<Line> {
        let mut line = Line::default();
        let mut characters = text.chars().peekable();
        let (mut in_word, mut redirected) = (false, false);
        while let Some(character) = characters.next() {
            match (line.quote, character) {
                (None, ' ' | '\t' | '\n') => {
                    line.end_word(in_word, &mut redirected);
                    in_word = false;
                    continue;
                }
                (None, '<' | '>') => {
                    // A number just before it is that of a file descriptor.
                    let is_number = line.raw.bytes().all(|byte| byte.is_ascii_digit());
                    line.end_word(in_word && !is_number, &mut redirected);
                    line.clear_word();
                    while characters.next_if(|next| matches!(next, '<' | '>' | '&' | '|')).is_some() {}
                    (in_word, redirected) = (false, true);
                    continue;
                }
                (None, '\'' | '"') => line.quote = Some(character),
                (Some(quote), _) if quote == character => line.quote = None,
                (None, '\\') => {
                    line.raw.push(character);
                    if let Some(next) = characters.next() {
                        line.raw.push(next);
                        line.word.push(next);
                    }
                    in_word = true;
                    continue;
                }
                (Some('"'), '\\') if characters.peek().is_some_and(|next| "$`\"\\".contains(*next)) => {
                    line.raw.push(character);
                    if let Some(next) = characters.next() {
                        line.raw.push(next);
                        line.word.push(next);
                    }
                    continue;
                }
                _ => line.word.push(character),
            }
            line.raw.push(character);
            in_word = true;
        }
        if redirected || line.words.is_empty() {
            return None;
        }
        line.words.remove(0);
        Some(line)
    }

    fn end_word(&mut self, in_word: bool, redirected: &mut bool) {
        if in_word && !std::mem::take(redirected) {
            self.words.push(std::mem::take(&mut self.word));
        }
        if in_word {
            self.clear_word();
        }
    }

    fn clear_word(&mut self) {
        self.word.clear();
        self.raw.clear();
    }

    /// Returns what readline inserts for `replaced`, the end of the typed word, so that the word becomes `value`. `None`
    /// if `value` does not begin with the rest of the word, or cannot be quoted here.
    pub(super) fn insertion(&self, value: &str, replaced: &str) -> Option<String> {
        let before = self.raw.strip_suffix(replaced)?;
        // The command is only there because a line has one.
        let before = Line::parse(&format!("allears {before}"))?.word;
        quote(value.strip_prefix(&before)?, self.quote)
    }
}

/// Returns a text as it is typed after this open quote, or without one. `None` if that is impossible.
fn quote(text: &str, open: Option<char>) -> Option<String> {
    match open {
        Some('\'') => Some(text.replace('\'', r"'\''")),
        // A backslash keeps bash from looking for a command of its history, but stays in the word.
        Some(_) if text.contains('!') => None,
        Some(_) => Some(with_backslashes(text, |letter| "$`\"\\".contains(letter))),
        None => Some(with_backslashes(text, |letter| {
            letter.is_ascii() && !letter.is_ascii_alphanumeric() && !"_./:,@%+=-".contains(letter)
        })),
    }
}

fn with_backslashes(text: &str, is_special: impl Fn(char) -> bool) -> String {
    let mut quoted = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_special(letter) {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(Vec<String>, String)> {
        Line::parse(text).map(|line| (line.words, line.word))
    }

    #[test]
    fn words_of_a_line() {
        for (line, words, word) in [
            ("allears ", &[][..], ""),
            ("allears 30", &[], "30"),
            ("allears why 127.0.0.1:30", &["why"], "127.0.0.1:30"),
            ("allears  -c 'a  b' \"c\\\"d", &["-c", "a  b"], "c\"d"),
            (r"allears a\ b\", &[], "a b"),
            ("allears --json 2>/dev/null 30", &["--json"], "30"),
            ("allears >a <b 30", &[], "30"),
            ("allears 2>&1 30", &[], "30"),
            ("allears '' x", &[""], "x"),
            ("allears a\"b c\"d", &[], "ab cd"),
        ] {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(parsed(line), Some((words, word.to_owned())), "{line}");
        }
        for line in ["", "allears", "allears >fi", "allears > "] {
            assert_eq!(parsed(line), None, "{line}");
        }
    }

    #[test]
    fn only_what_readline_replaces_is_inserted_and_it_is_quoted() {
        for (line, replaced, value, inserted) in [
            ("allears 127.0.0.1:30", "30", "127.0.0.1:3000", Some("3000")),
            ("allears [::1]:", "", "[::1]:3000", Some("3000")),
            ("allears [", "[", "[::1]:3000", Some(r"\[::1\]:3000")),
            ("allears \"[", "[", "[::1]:3000", Some("[::1]:3000")),
            ("allears --columns='po", "po", "--columns=port", Some("port")),
            ("allears -c ", "", "$(touch x)", Some(r"\$\(touch\ x\)")),
            ("allears -c \"", "", "$(a) \"b\"", Some("\\$(a) \\\"b\\\"")),
            ("allears -c '", "", "it's", Some(r"it'\''s")),
            ("allears -c \"", "", "a!b", None),
            ("allears -c a", "a", "ä b", None),
            ("allears -c ", "", "ä~b", Some(r"ä\~b")),
            ("allears -c x", "other", "x", None),
        ] {
            let line = Line::parse(line).unwrap();
            // The shell's own notion of a value that does not begin with the word is none of this function's.
            let begins = value.starts_with(&line.word);
            let got = line.insertion(value, replaced).filter(|_| begins);
            assert_eq!(got.as_deref(), inserted, "{line:?} {value}");
        }
    }
}
