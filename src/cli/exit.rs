//! Exit codes.

/// The exit codes of `allears [TARGET]`, and that of a command which allears ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// At least one listener matches.
    Found,
    /// The scan was complete and nothing matches.
    NotFound,
    /// The arguments are invalid.
    Usage,
    /// The scan failed, or was too incomplete to rule anything out.
    Unknown,
    /// That of the command which `watch` ran.
    OfCommand(u8),
}

impl Exit {
    pub(super) fn code(self) -> u8 {
        match self {
            Exit::Found => 0,
            Exit::NotFound => 1,
            Exit::Usage => 2,
            Exit::Unknown => 3,
            Exit::OfCommand(status) => status,
        }
    }
}
