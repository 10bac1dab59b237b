//! A string from outside. Names, arguments and paths are bytes to the operating systems; nothing is lost here
//! and nothing is made safe here: that is the renderers' work.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A string as the operating system gave it: UTF-8 as a rule, any bytes in principle.
///
/// On Windows, where such strings are UTF-16, these are the bytes of Rust's own encoding of it (UTF-8 wherever
/// the string was valid). A clone shares them: of a process that holds ten thousand sockets each is told ten thousand
/// times.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(Arc<[u8]>);

impl Text {
    /// The bytes, unchanged.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, where it is valid UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The text with U+FFFD for what is not valid UTF-8. Not fit for a terminal: it may hold control characters.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Returns how a value is displayed.
    pub(crate) fn from_display(value: impl fmt::Display) -> Text {
        Text::from(value.to_string().as_str())
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The last part of a path, by the separators of this and the other systems.
    pub(crate) fn file_name(&self) -> &[u8] {
        let bytes: &[u8] = &self.0;
        let start = bytes.iter().rposition(|byte| matches!(byte, b'/' | b'\\')).map_or(0, |at| at + 1);
        bytes.get(start..).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&OsStr> for Text {
    fn from(text: &OsStr) -> Self {
        Text(text.as_encoded_bytes().into())
    }
}

impl From<&Path> for Text {
    fn from(path: &Path) -> Self {
        Text::from(path.as_os_str())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text(text.as_bytes().into())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Text(bytes.into())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Text(bytes.into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// A text with what a terminal would act on written as `\u{1b}`.
pub(crate) fn visible(text: &str) -> String {
    let show = |character: char| match acts_on_terminal(character) {
        true => character.escape_unicode().to_string(),
        false => character.to_string(),
    };
    text.chars().map(show).collect()
}

/// Characters that are invisible, or that a terminal acts on instead of showing them: controls, marks of writing
/// direction, zero-width characters and tags.
pub(crate) fn acts_on_terminal(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_shares_its_bytes() {
        let text = Text::from("node");
        assert!(std::ptr::eq(text.as_bytes(), text.clone().as_bytes()));
        assert_eq!(Text::default(), Text::from(""));
    }
}
