//! Snapshots that were saved with `--json`.

use std::io::{self, Read};
use std::path::Path;

use super::input_is_terminal;
use crate::model::Text;
use crate::model::{Error, ErrorKind, Snapshot};
use crate::os;
use crate::render::escape::escape;
use crate::render::json;

/// The longest document that is read: a million listeners at about one kilobyte each.
const LONGEST: u64 = 1 << 30;

/// From this many bytes on a file is parsed while it is read.
const LONG: u64 = 32 << 20;

/// The bytes that are read at a time.
const PART: u64 = 1 << 16;

/// Reads a snapshot. `-` is standard input, which messages call `input`. A file is opened with the caller's rights, and
/// parsed without capabilities.
pub(super) fn read(path: &Path, input: &str) -> Result<Snapshot, Error> {
    let name = Text::from(path);
    let shown = escape(&name);
    let error = |attempted: String| Error::new(ErrorKind::Document, attempted);
    let read = match path.as_os_str() == "-" {
        true if input_is_terminal() => {
            return Err(error(format!("{input} reads a snapshot from standard input, which is a terminal")));
        }
        true => read_document(io::stdin().lock(), LONGEST),
        false => match os::open_file(path) {
            Ok((file, Some(length))) if length >= LONG => match parse_while_read(file) {
                Some(snapshot) => return Ok(snapshot),
                None => os::open_file(path).and_then(|(file, _)| read_document(file, LONGEST)),
            },
            opened => opened.and_then(|(file, _)| read_document(file, LONGEST)),
        },
    };
    let bytes = read.map_err(|source| {
        let verb = if source.kind() == io::ErrorKind::InvalidData { "parse" } else { "read" };
        error(format!("cannot {verb} {shown}")).because(source)
    })?;
    os::without_capabilities(|| json::read(&bytes)).map_err(|source| {
        let help = source.help().cloned();
        let mut error = error(format!("cannot parse {shown}")).because(source);
        error.help = help;
        error
    })
}

/// Reads a snapshot without keeping its text. `None` if that fails for any reason; the text can be read again to find out
/// which.
fn parse_while_read(from: impl Read) -> Option<Snapshot> {
    let checked = Checked { from, length: 0, longest: LONGEST, begins: false };
    os::without_capabilities(|| json::long_document::read(checked))
}

/// Reads a JSON object to its end.
fn read_document(from: impl Read, longest: u64) -> io::Result<Vec<u8>> {
    let mut from = Checked { from, length: 0, longest, begins: false };
    let mut bytes = Vec::new();
    loop {
        let known = bytes.len();
        bytes.try_reserve(usize::try_from(PART).unwrap_or(usize::MAX)).map_err(io::Error::from)?;
        from.by_ref().take(PART).read_to_end(&mut bytes)?;
        if bytes.len() == known {
            return Ok(bytes);
        }
    }
}

/// A JSON object that is read. Other input is rejected as early as possible, so that an endless device or pipe does not
/// fill the memory.
struct Checked<R> {
    from: R,
    /// The bytes that were read.
    length: u64,
    longest: u64,
    /// Whether more than whitespace was read.
    begins: bool,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let refused = |why: String| Err(io::Error::new(io::ErrorKind::InvalidData, why));
        let length = self.from.read(into)?;
        let part = into.get(..length).unwrap_or_default();
        // JSON has no other control characters, not even in its strings. All bytes are looked at, which is faster than to
        // stop at the first one.
        let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
        if part.iter().fold(false, |found, byte| found | is_control(byte)) {
            return refused("this is not a JSON document: it has control characters".to_owned());
        }
        self.length = self.length.saturating_add(length.try_into().unwrap_or(u64::MAX));
        if !self.begins {
            match part.iter().find(|byte| !byte.is_ascii_whitespace()) {
                Some(b'{') => self.begins = true,
                Some(_) => {
                    return refused("this is not a JSON document: it does not begin with {".to_owned());
                }
                None if self.length < PART => {}
                None => {
                    return refused(
                        "this is not a JSON document: it starts with 64 KiB of whitespace".to_owned(),
                    );
                }
            }
        }
        if self.length > self.longest {
            return refused(format!("it is longer than {} MiB, which no snapshot is", self.longest >> 20));
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// An input without an end, and how much of it was read.
    struct Endless<'a>(&'a [u8], usize, &'a Cell<u64>);

    impl Read for Endless<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            for byte in into.iter_mut() {
                *byte = self.0[self.1.min(self.0.len() - 1)];
                self.1 += 1;
            }
            self.2.set(self.2.get() + into.len() as u64);
            Ok(into.len())
        }
    }

    #[test]
    fn no_input_is_read_for_ever() {
        for (text, most, expected) in [
            (&b"\0"[..], PART, "control characters"),
            (b"y", PART, "does not begin with {"),
            (b" ", PART, "64 KiB of whitespace"),
            (b"\x7fELF\x02\0", PART, "control characters"),
            (b"{ ", 5 << 20, "longer than 4 MiB"),
            (b"{\"schema\":\"a", 5 << 20, "longer than 4 MiB"),
        ] {
            let read = Cell::new(0);
            let error = read_document(Endless(text, 0, &read), 4 << 20).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(read.get() <= most, "{expected}: {} bytes were read", read.get());
        }
    }

    #[test]
    fn a_long_snapshot_is_read_whole() {
        let mut document = std::fs::read("tests/replay/workstation.json").unwrap();
        document.resize(3 << 20, b' ');
        let read = read_document(document.as_slice(), 4 << 20).unwrap();
        assert_eq!(read.len(), 3 << 20);
        assert!(json::read(&read).is_ok());
        assert_eq!(read_document(&b""[..], 9).unwrap(), b"");
    }

    #[test]
    fn a_long_file_is_parsed_while_it_is_read() {
        let path = std::env::temp_dir().join(format!("allears-long-snapshot-{}", std::process::id()));
        let document = std::fs::read("tests/replay/workstation.json").unwrap();
        let write = |text: &[u8]| {
            let mut file = std::fs::File::create(&path).unwrap();
            let padding = vec![b' '; usize::try_from(LONG).unwrap()];
            file.write_all(text).and_then(|()| file.write_all(&padding)).unwrap();
        };
        write(&document);
        assert_eq!(os::open_file(&path).unwrap().1, Some(LONG + u64::try_from(document.len()).unwrap()));
        assert_eq!(read(&path, "--from").ok(), json::read(&document).ok());
        // What is invalid is explained as it is in a short file.
        let text = String::from_utf8(document).unwrap();
        let newer = text.replace("allears/1", "allears/9");
        write(newer.as_bytes());
        let error = read(&path, "--from").unwrap_err();
        let why = std::error::Error::source(&error).unwrap().to_string();
        assert!(why.contains("written by another version"), "{why}");
        for invalid in [newer, format!("{text}\0"), format!("{text}]")] {
            assert_eq!(parse_while_read(invalid.as_bytes()), None);
        }
        std::fs::remove_file(path).unwrap();
    }

    proptest! {
        #[test]
        fn nothing_that_is_a_snapshot_is_refused(blanks in "[ \t\r\n]{0,9}", host in "\\PC{0,8}\u{7f}?") {
            let host = serde_json::to_string(&host).unwrap();
            let document = format!("{blanks}{{\"host\":{host}}}{blanks}");
            prop_assert_eq!(read_document(document.as_bytes(), 1 << 20).unwrap(), document.into_bytes());
        }
    }
}
