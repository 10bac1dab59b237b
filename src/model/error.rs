//! The library's one error: what was attempted, what the system reported, and what would help.

use std::error::Error as StdError;
use std::fmt;

use super::Help;
use super::names::names;

/// The kind of an error.
///
/// ```
/// use allears::{ErrorKind, Target};
///
/// let range: Target = "80-90".parse().expect("it is a range");
/// assert_eq!(allears::why(&range).unwrap_err().kind(), ErrorKind::Usage);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The socket table could not be read.
    SocketTable,
    /// The processes of this machine could not be listed.
    Processes,
    /// A saved snapshot is invalid.
    Document,
    /// This system or this build does not support the request.
    Unsupported,
    /// The request is invalid.
    Usage,
}

/// An error of this library. Its text states what was attempted, and on what; [`source`](StdError::source) what the system
/// reported.
///
/// ```
/// use allears::{ErrorKind, Target};
///
/// let error = allears::why(&"80-90".parse::<Target>().expect("it is a range")).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Usage);
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    attempted: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    pub(crate) help: Option<Help>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, attempted: impl Into<String>) -> Self {
        Error { kind, attempted: attempted.into(), source: None, help: None }
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns what would help, if that is known.
    pub fn help(&self) -> Option<&Help> {
        self.help.as_ref()
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attempted)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

names! { ErrorKind, "kind of error":
    SocketTable => "socket-table",
    Processes => "processes",
    Document => "document",
    Unsupported => "unsupported",
    Usage => "usage",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_not_part_of_the_text() {
        let error = Error::new(ErrorKind::SocketTable, "cannot read the table").because("no such thing");
        assert_eq!(error.to_string(), "cannot read the table");
        assert_eq!(error.source().unwrap().to_string(), "no such thing");
    }
}
