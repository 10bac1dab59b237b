//! Strings of the operating system. Names, arguments and paths are bytes; they are kept unchanged here, and renderers
//! escape them.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A string of the operating system: UTF-8 as a rule, any bytes in principle.
///
/// On Windows, where such strings are UTF-16, it has the bytes of Rust's own encoding of it (UTF-8 if the string is valid).
/// A clone shares the bytes: a process that holds ten thousand sockets is reported ten thousand times.
///
/// ```
/// use std::path::Path;
/// use allears::Text;
///
/// let text = Text::from("/run/app.sock");
/// assert_eq!(text.to_path(), Path::new("/run/app.sock"));
/// assert_eq!(text.as_str(), Some("/run/app.sock"));
/// assert_eq!(Text::from(&b"\xff"[..]).as_str(), None);
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(Arc<[u8]>);

impl Text {
    /// Returns the bytes, unchanged.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the text if it is valid UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Returns the text with U+FFFD for what is not valid UTF-8. Escape it before you print it: it may hold control
    /// characters.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Returns how a value is displayed.
    pub(crate) fn from_display(value: impl fmt::Display) -> Text {
        Text::from(value.to_string().as_str())
    }

    /// Returns whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the last part of a path. The separators of every system count.
    pub(crate) fn file_name(&self) -> &[u8] {
        let bytes: &[u8] = &self.0;
        let start = bytes.iter().rposition(|byte| matches!(byte, b'/' | b'\\')).map_or(0, |at| at + 1);
        bytes.get(start..).unwrap_or_default()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text(text.into_bytes().into())
    }
}

impl From<OsString> for Text {
    fn from(text: OsString) -> Self {
        Text(text.into_encoded_bytes().into())
    }
}

impl From<PathBuf> for Text {
    fn from(path: PathBuf) -> Self {
        Text::from(path.into_os_string())
    }
}

/// As a string if it is valid UTF-8, else as bytes.
#[cfg(feature = "serde")]
impl serde::Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.serialize_bytes(&self.0),
        }
    }
}

/// From a string or from bytes. The format has to be self-describing, as JSON is.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or bytes")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(text.into())
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(bytes.into())
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut bytes: A) -> Result<Text, A::Error> {
                let mut text = Vec::new();
                while let Some(byte) = bytes.next_element::<u8>()? {
                    text.push(byte);
                }
                Ok(text.into())
            }
        }

        deserializer.deserialize_any(Visitor)
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

/// Returns the items with a conjunction before the last: `a`, `a or b`, `a, b or c`.
pub(crate) fn enumerate(items: impl IntoIterator<Item = impl fmt::Display>, conjunction: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} {conjunction} {last}", rest.join(", ")),
    }
}

/// Returns a text with the characters that a terminal acts on written as `\u{1b}`.
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
