//! Snapshots that were saved with `--json`.

use std::io::{self, Read};
use std::path::Path;

use super::input_is_terminal;
use crate::render::escape::escape;
use crate::render::json;
use crate::text::Text;
use crate::{Error, ErrorKind, Snapshot};

/// Reads one; `-` is standard input, which a message calls by what was typed for it.
pub(super) fn read(path: &Path, input: &str) -> Result<Snapshot, Error> {
    let name = Text::from(path);
    let shown = escape(&name);
    let error = |attempted: String| Error::new(ErrorKind::Document, attempted);
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true if input_is_terminal() => {
            return Err(error(format!("{input} reads a snapshot from standard input, which is a terminal")));
        }
        true => io::stdin().lock().read_to_end(&mut bytes),
        false => crate::os::open_file(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    read.map_err(|source| error(format!("cannot read {shown}")).because(source))?;
    json::read(&bytes).map_err(|source| error(format!("cannot understand {shown}")).because(source))
}
