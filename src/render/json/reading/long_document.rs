//! Reads a long document a listener at a time, so that its text is never in memory as a whole.
//!
//! Custom code, because serde_json reads a stream byte by byte, which takes twice as long as reading from memory. Here the
//! text of each listener is found by its braces and then read from memory; the rest, which is a document without
//! listeners, is read in the end. What is not well-formed need not be noticed here: serde_json sees every byte but the
//! blanks and commas between listeners.

use std::io::Read;
use std::ops::Range;

use super::{Document, ListenersJson, snapshot_of};
use crate::model::Snapshot;

/// The bytes that are read at a time.
const PART: u64 = 1 << 16;
/// The bytes of listeners that were read and are still kept at most, apart from a part.
const KEPT: usize = 1 << 20;

/// Reads a document. `None` if it cannot be read or is invalid: [`super::read`] finds out why.
pub(crate) fn read(from: impl Read) -> Option<Snapshot> {
    let mut text = Text { from, bytes: Vec::new(), at: 0 };
    let mut rest = Rest::default();
    let mut listeners = ListenersJson::default();
    while rest.add_up_to_listeners(&mut text)? {
        let mut is_first = true;
        while let Some(listener) = text.next_listener(is_first)? {
            listeners.add(serde_json::from_slice(text.bytes.get(listener)?).ok()?);
            is_first = false;
        }
    }
    // A second list of listeners would be refused here.
    let mut document: Document = serde_json::from_slice(&rest.bytes).ok()?;
    document.listeners = listeners;
    snapshot_of(document)
}

/// The text of a document without its listeners.
#[derive(Default)]
struct Rest {
    bytes: Vec<u8>,
    /// How many objects and arrays are open.
    depth: usize,
    /// The last string.
    string: Range<usize>,
    /// Whether the next value is that of the document's key `listeners`.
    begins_listeners: bool,
}

impl Rest {
    /// Adds what comes before and after the listeners. Returns whether a list of listeners begins, of which the brackets are
    /// added; `None` if the text cannot be read.
    fn add_up_to_listeners(&mut self, text: &mut Text<impl Read>) -> Option<bool> {
        while let Some(byte) = text.next()? {
            self.bytes.push(byte);
            let begins_listeners = std::mem::take(&mut self.begins_listeners);
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.begins_listeners = begins_listeners,
                b'"' => self.add_string(text)?,
                b':' => {
                    let key = self.bytes.get(self.string.clone()).unwrap_or_default();
                    self.begins_listeners = self.depth == 1 && key == b"listeners";
                }
                b'[' if begins_listeners => {
                    self.bytes.push(b']');
                    return Some(true);
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.checked_sub(1)?,
                _ => {}
            }
        }
        Some(false)
    }

    /// Adds a string that has begun.
    fn add_string(&mut self, text: &mut Text<impl Read>) -> Option<()> {
        let start = self.bytes.len();
        loop {
            let byte = text.next()??;
            self.bytes.push(byte);
            match byte {
                b'"' => break,
                b'\\' => self.bytes.push(text.next()??),
                _ => {}
            }
        }
        self.string = start..self.bytes.len().checked_sub(1)?;
        Some(())
    }
}

/// The text of a document, of which a part is in memory.
struct Text<R> {
    from: R,
    bytes: Vec<u8>,
    /// The place of the next byte.
    at: usize,
}

impl<R: Read> Text<R> {
    /// Returns the next byte, if there is one; `None` if the text cannot be read.
    fn next(&mut self) -> Option<Option<u8>> {
        let byte = self.peek(self.at)?;
        self.at += usize::from(byte.is_some());
        Some(byte)
    }

    /// Returns the byte at a place, if the text is that long; `None` if the text cannot be read.
    fn peek(&mut self, at: usize) -> Option<Option<u8>> {
        if at >= self.bytes.len() {
            self.bytes.try_reserve(usize::try_from(PART).ok()?).ok()?;
            self.from.by_ref().take(PART).read_to_end(&mut self.bytes).ok()?;
        }
        Some(self.bytes.get(at).copied())
    }

    /// Returns the place of the next listener of a list, if there is one; `None` if the text is invalid or cannot be read.
    fn next_listener(&mut self, is_first: bool) -> Option<Option<Range<usize>>> {
        if self.at > KEPT {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        let mut byte = self.next_visible()?;
        match (byte, is_first) {
            (b']', _) => return Some(None),
            (b',', false) => byte = self.next_visible()?,
            (_, true) => {}
            _ => return None,
        }
        if byte != b'{' {
            return None;
        }
        let start = self.at.checked_sub(1)?;
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next_of(|byte| matches!(byte, b'"' | b'{' | b'}'))? {
                b'"' => self.skip_string()?,
                b'{' => depth += 1,
                _ => depth -= 1,
            }
        }
        Some(Some(start..self.at))
    }

    fn next_visible(&mut self) -> Option<u8> {
        self.next_of(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
    }

    /// Goes to the end of a string that has begun.
    fn skip_string(&mut self) -> Option<()> {
        while self.next_of(|byte| matches!(byte, b'"' | b'\\'))? == b'\\' {
            self.next()??;
        }
        Some(())
    }

    /// Returns the next byte of a kind, and goes behind it; `None` if there is none, or the text cannot be read.
    fn next_of(&mut self, is_wanted: impl Fn(u8) -> bool) -> Option<u8> {
        loop {
            let known = self.bytes.get(self.at..).unwrap_or_default();
            if let Some(place) = known.iter().position(|byte| is_wanted(*byte)) {
                self.at += place + 1;
                return known.get(place).copied();
            }
            self.at = self.bytes.len();
            self.peek(self.at)??;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::render::json;

    fn workstation() -> String {
        std::fs::read_to_string("tests/replay/workstation.json").unwrap()
    }

    /// A text that arrives in pieces.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let length = self.1.min(into.len());
            self.0.read(into.get_mut(..length).unwrap_or_default())
        }
    }

    #[test]
    fn a_document_is_read_as_from_memory() {
        let document = workstation();
        let whole = json::read(document.as_bytes()).unwrap();
        assert!(whole.listeners.len() > 5);
        for piece in [1, 7, 1000, usize::MAX] {
            assert_eq!(read(Pieces(document.as_bytes(), piece)).unwrap(), whole);
        }
        // In one line, with the keys in another order, and with brackets in strings.
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        let mut value = value.as_object().unwrap().clone();
        let listeners = value.remove("listeners").unwrap();
        value.insert("host".into(), "a \"listeners\": [ \\".into());
        for document in [
            format!("{{\"listeners\" :\n[],{}", &serde_json::to_string(&value).unwrap()[1..]),
            format!("{{\"listeners\":{listeners},{}", &serde_json::to_string(&value).unwrap()[1..]),
            // A key of the same name within another value.
            document.replacen('{', "{\"of_later_versions\": {\"listeners\": [{}]},", 1),
        ] {
            let whole = json::read(document.as_bytes()).unwrap();
            assert_eq!(read(document.as_bytes()).unwrap(), whole);
        }
    }

    /// Nothing is accepted that [`json::read`] refuses.
    #[test]
    fn what_is_invalid_is_not_read() {
        let document = workstation();
        let list = document.find("\"listeners\": [").unwrap() + "\"listeners\": [".len();
        let (before, after) = document.split_at(list);
        for invalid in [
            format!("{before},{after}"),
            format!("{before} 1,{after}"),
            format!("{before}[],{after}"),
            format!("{before}{{}},{after}"),
            format!("{before}],\"listeners\": [{after}"),
            document.replacen("    },\n    {", "    }\n    {", 1),
            document.replacen("    },\n    {", "    },,\n    {", 1),
            document.replacen("    }\n  ]", "    },\n  ]", 1),
            document.replacen("allears/1", "allears/9", 1),
            document.replacen("\"port\": ", "\"port\": -", 1),
            document.replacen("\"protocol\": \"", "\"protocol\": \"x", 1),
            format!("{document}]"),
            document[..document.len() - 3].to_owned(),
            document[..list + 40].to_owned(),
            String::new(),
        ] {
            assert_ne!(invalid, document);
            assert!(json::read(invalid.as_bytes()).is_err(), "{invalid}");
            assert!(read(invalid.as_bytes()).is_none(), "{invalid}");
        }
    }

    proptest! {
        /// One byte of a document is another one.
        #[test]
        fn both_ways_to_read_agree(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut document = workstation().into_bytes();
            let at = at.index(document.len());
            document[at] = byte;
            prop_assert_eq!(read(document.as_slice()), json::read(&document).ok());
        }
    }
}
