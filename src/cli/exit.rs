//! What the exit status means.

/// The exit statuses of `allears [TARGET]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// At least one listener matches.
    Found,
    /// The look was complete and nothing matches.
    NotFound,
    /// The arguments cannot be meant.
    Usage,
    /// The look failed, or was too incomplete to deny anything.
    Unknown,
}

impl Exit {
    pub(super) fn code(self) -> u8 {
        match self {
            Exit::Found => 0,
            Exit::NotFound => 1,
            Exit::Usage => 2,
            Exit::Unknown => 3,
        }
    }
}
