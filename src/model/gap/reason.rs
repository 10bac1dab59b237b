//! What a gap is about, and its reason.

use crate::model::open_enum::open_enum;

open_enum! {
    /// What a [`Gap`](crate::Gap) is about.
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
        /// Connections that the system forwards to another address or port.
        Forwarding = "forwarding",
        /// The holders of listeners, if a filter depends on them.
        Holders = "holders",
        /// The system's limits on ports.
        Limits = "limits",
        /// Network namespaces.
        Namespaces = "namespaces",
        /// The files at the paths of Unix sockets.
        Paths = "paths",
        /// Processes.
        Processes = "processes",
        /// The projects that processes run in.
        Project = "project",
        /// The services behind listeners.
        Services = "services",
        /// Listeners that open and close between two passes of a watch.
        ShortLived = "short-lived",
        /// The snapshot itself.
        Snapshot = "snapshot",
        /// The socket table.
        Sockets = "sockets",
        /// The states of sockets.
        State = "state",
        /// The system calls that threads wait in.
        SystemCalls = "system-calls",
        /// The users of sockets and processes, if a filter depends on them.
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
        /// It is in a message from one process to another.
        InFlight = "in-flight",
        /// It may be in a network namespace that cannot be seen.
        Namespace = "namespace",
        /// netlink failed, and a source that reports less was read.
        Netlink = "netlink",
        /// The snapshot was not taken for it.
        NotAsked = "not-asked",
        /// It was read and could not be interpreted.
        NotUnderstood = "not-understood",
        /// The permission to read it is missing.
        Permission = "permission",
        /// The system reported more than could be read in time.
        Overrun = "overrun",
        /// It is outside of this pid namespace.
        PidNamespace = "pid-namespace",
        /// A socket is in no table that was read.
        Socket = "socket",
        /// No thread can be started.
        Threads = "threads",
        /// No answer came in time.
        Timeout = "timeout",
        /// It is too long to store.
        TooLong = "too-long",
        /// The program that was queried does not know it.
        Unknown = "unknown",
        /// Its format is unknown.
        Unreadable = "unreadable",
        /// It depends on holders that could not be observed.
        Unseen = "unseen",
        /// The system does not report it.
        Unsupported = "unsupported",
        /// It was gone before it was read.
        Vanished = "vanished",
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
