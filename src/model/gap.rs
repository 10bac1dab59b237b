//! What could not be read: of what, why, how much, and what would help. Facts only; the sentences are made by `render`.

use super::Text;
use super::open_enum::open_enum;

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// What could not be read.
    pub what: GapKind,
    /// Why it could not.
    pub reason: GapReason,
    /// How many.
    pub count: u64,
    /// A phrase that says the same to a person.
    pub detail: Text,
    /// What would help.
    pub help: Option<Text>,
}

open_enum! {
    /// What a [`Gap`] is about.
    ///
    /// ```
    /// use allears::GapKind;
    ///
    /// assert_eq!(GapKind::SystemCalls.to_string(), "system-calls");
    /// assert_eq!("sockets".parse(), Ok(GapKind::Sockets));
    /// assert!(matches!("of-a-later-version".parse(), Ok(GapKind::Other(_))));
    /// ```
    GapKind {
        /// The command lines of processes.
        Command = "command",
        /// The containers behind listeners.
        Containers = "containers",
        /// The descriptor tables of processes.
        Descriptors = "descriptors",
        /// What the system passes on to another address or port.
        Forwarding = "forwarding",
        /// The holders of listeners, where a filter asks for some.
        Holders = "holders",
        /// The system's limits on ports.
        Limits = "limits",
        /// Network namespaces.
        Namespaces = "namespaces",
        /// What is at the paths of Unix sockets.
        Paths = "paths",
        /// Processes.
        Processes = "processes",
        /// The projects that processes run in.
        Project = "project",
        /// The services behind listeners.
        Services = "services",
        /// The snapshot itself.
        Snapshot = "snapshot",
        /// The socket table.
        Sockets = "sockets",
        /// The states of sockets.
        State = "state",
        /// The system calls that threads wait in.
        SystemCalls = "system-calls",
        /// The users of sockets and processes, where a filter asks for some.
        Users = "users",
    }
}

open_enum! {
    /// Why something could not be read.
    ///
    /// ```
    /// use allears::GapReason;
    ///
    /// assert_eq!(GapReason::HiddenProc.to_string(), "hidden-proc");
    /// assert_eq!("permission".parse(), Ok(GapReason::Permission));
    /// ```
    GapReason {
        /// Nothing answers.
        Absent = "absent",
        /// Sockets that are bound and do not listen are in no table that was read.
        Bound = "bound",
        /// It changed while it was read.
        Changed = "changed",
        /// The system returned an error.
        Error = "error",
        /// This /proc hides processes of other users.
        HiddenProc = "hidden-proc",
        /// It is on its way from one process to another.
        InFlight = "in-flight",
        /// It may be in a network namespace that cannot be seen.
        Namespace = "namespace",
        /// netlink did not answer, and a source that tells less was read.
        Netlink = "netlink",
        /// The snapshot was not asked about it.
        NotAsked = "not-asked",
        /// It was read, and its meaning is not known.
        NotUnderstood = "not-understood",
        /// This process may not read it.
        Permission = "permission",
        /// It is outside of this pid namespace.
        PidNamespace = "pid-namespace",
        /// A socket is in no table that was read.
        Socket = "socket",
        /// No thread can be started.
        Threads = "threads",
        /// No answer came in time.
        Timeout = "timeout",
        /// It is too long to keep.
        TooLong = "too-long",
        /// What was asked knows nothing of it.
        Unknown = "unknown",
        /// Its form is not known.
        Unreadable = "unreadable",
        /// Holders that were not seen decide.
        Unseen = "unseen",
        /// The system does not tell it.
        Unsupported = "unsupported",
        /// It was gone before it was read.
        Vanished = "vanished",
    }
}

impl Gap {
    pub(crate) fn new(
        what: GapKind,
        reason: GapReason,
        count: usize,
        detail: impl Into<String>,
        help: Option<&str>,
    ) -> Gap {
        Gap {
            what,
            reason,
            count: u64::try_from(count).unwrap_or(u64::MAX),
            detail: detail.into().as_str().into(),
            help: help.map(Text::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written() {
        for word in ["descriptors", "system-calls", "users", "of-a-later-version", ""] {
            assert_eq!(GapKind::from(word).to_string(), word);
        }
        assert_eq!(GapKind::from("sockets"), GapKind::Sockets);
        assert_eq!(GapReason::from("not-asked"), GapReason::NotAsked);
        assert_eq!(GapReason::from("Not-asked"), GapReason::Other("Not-asked".into()));
    }
}
