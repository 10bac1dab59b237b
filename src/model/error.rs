//! The library's one error: what was attempted, and what the system said.

use std::error::Error as StdError;
use std::fmt;

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The socket table could not be read.
    SocketTable,
    /// The processes of this machine could not be listed.
    Processes,
    /// A saved snapshot could not be understood.
    Document,
    /// The request asks for what this system or this build does not have.
    Unsupported,
    /// The request itself has no meaning.
    Usage,
}

/// An error of this library. Its text is a sentence: what was attempted, on what, and what the system said.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    attempted: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, attempted: impl Into<String>) -> Self {
        Error { kind, attempted: attempted.into(), source: None }
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attempted)?;
        match &self.source {
            Some(source) => {
                write!(f, ": {source}")?;
                let io = source.downcast_ref::<std::io::Error>();
                io.and_then(crate::os::too_many_files).map_or(Ok(()), |limit| write!(f, ": {limit}"))
            }
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
