//! Makes text from outside safe to show: nothing in it reaches a terminal as anything but visible characters.

use std::fmt::Write;

use crate::model::Text;
use crate::model::text::acts_on_terminal;
use crate::shell;

/// Returns the text with control characters, bidi marks and invisible characters written as `\n`, `\x1b`, `\u{202e}`, and
/// bytes that are not UTF-8 as `\xff`.
pub(crate) fn escape(text: &Text) -> String {
    let bytes = text.as_bytes();
    // Nearly every text is only printable ASCII.
    let is_plain = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    if let (true, Ok(plain)) = (is_plain, std::str::from_utf8(bytes)) {
        return plain.to_owned();
    }
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            push(&mut shown, character);
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

fn push(shown: &mut String, character: char) {
    // Writing to a string cannot fail.
    let _ = match character {
        '\n' => write!(shown, "\\n"),
        '\r' => write!(shown, "\\r"),
        '\t' => write!(shown, "\\t"),
        character if !acts_on_terminal(character) => return shown.push(character),
        character if character.is_ascii() => write!(shown, "\\x{:02x}", u32::from(character)),
        character => write!(shown, "\\u{{{:x}}}", u32::from(character)),
    };
}

/// Returns a command line as one could type it in sh: arguments that need it are quoted.
/// Arguments that no command line can hold are escaped as in [`escape`].
pub(crate) fn command_line(arguments: &[Text]) -> String {
    let quote = |argument: &Text| {
        if let Some(quoted) = shell::quote_for(shell::Shell::Posix, argument) {
            return quoted;
        }
        let shown = escape(argument);
        let plain = |character: char| !character.is_whitespace() && !"'\"`$&|;<>()*?!#".contains(character);
        match !shown.is_empty() && shown.chars().all(plain) {
            true => shown,
            false => format!("'{}'", shown.replace('\'', "'\\''")),
        }
    };
    match arguments {
        // A title that a process gave itself is no command line to be quoted.
        [title] => escape(title),
        arguments => arguments.iter().map(quote).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_become_visible() {
        let escaped = |bytes: &[u8]| escape(&Text::from(bytes));
        assert_eq!(escaped(b"a)\n\x1b[31m"), "a)\\n\\x1b[31m");
        assert_eq!(escaped("\u{202e}x\u{200b}\u{9b}".as_bytes()), "\\u{202e}x\\u{200b}\\u{9b}");
        assert_eq!(escaped(b"\xff\xc3"), "\\xff\\xc3");
        assert_eq!(escaped("größe 日本 👍".as_bytes()), "größe 日本 👍");
    }

    #[test]
    fn arguments_are_quoted_where_they_need_it() {
        let line = |arguments: &[&str]| {
            command_line(&arguments.iter().map(|text| Text::from(*text)).collect::<Vec<_>>())
        };
        assert_eq!(line(&["node", "server.js", "--port=1"]), "node server.js --port=1");
        assert_eq!(line(&["sh", "-c", "a b", ""]), "sh -c 'a b' ''");
        assert_eq!(line(&["nginx: master process"]), "nginx: master process");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_is_inert(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(!escape(&Text::from(bytes.as_slice())).contains(acts_on_terminal));
        }
    }
}
