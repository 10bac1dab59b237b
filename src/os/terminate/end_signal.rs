//! The signals by which a process is asked to end.

/// A signal that asks a process to end, or ends it. Windows has no signals: there only the two that stand for asking and
/// for ending are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndSignal {
    Hangup,
    Interrupt,
    Quit,
    Abort,
    Kill,
    User1,
    User2,
    Terminate,
}

impl EndSignal {
    const NAMES: [(EndSignal, &'static str); 8] = [
        (EndSignal::Terminate, "TERM"),
        (EndSignal::Interrupt, "INT"),
        (EndSignal::Hangup, "HUP"),
        (EndSignal::Quit, "QUIT"),
        (EndSignal::Abort, "ABRT"),
        (EndSignal::User1, "USR1"),
        (EndSignal::User2, "USR2"),
        (EndSignal::Kill, "KILL"),
    ];

    /// The signal as this system has it.
    #[cfg(unix)]
    pub(in crate::os) fn signal(self) -> rustix::process::Signal {
        use rustix::process::Signal;
        match self {
            EndSignal::Hangup => Signal::HUP,
            EndSignal::Interrupt => Signal::INT,
            EndSignal::Quit => Signal::QUIT,
            EndSignal::Abort => Signal::ABORT,
            EndSignal::Kill => Signal::KILL,
            EndSignal::User1 => Signal::USR1,
            EndSignal::User2 => Signal::USR2,
            EndSignal::Terminate => Signal::TERM,
        }
    }

    /// The number that Linux has for it.
    pub(crate) fn number(self) -> i32 {
        match self {
            EndSignal::Hangup => 1,
            EndSignal::Interrupt => 2,
            EndSignal::Quit => 3,
            EndSignal::Abort => 6,
            EndSignal::Kill => 9,
            EndSignal::User1 => 10,
            EndSignal::User2 => 12,
            EndSignal::Terminate => 15,
        }
    }

    /// The signal of this name, with or without `SIG`, or of this number where every Unix has the same one for it.
    pub(crate) fn parse(text: &str) -> Option<EndSignal> {
        let by_number = match text {
            "1" => "HUP",
            "2" => "INT",
            "3" => "QUIT",
            "6" => "ABRT",
            "9" => "KILL",
            "15" => "TERM",
            name => name,
        };
        let upper = by_number.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        EndSignal::NAMES.iter().find(|(_, known)| *known == name).map(|(signal, _)| *signal)
    }

    /// The names that are known.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        EndSignal::NAMES.iter().map(|(_, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, signal) in [
            ("TERM", Some(EndSignal::Terminate)),
            ("sigint", Some(EndSignal::Interrupt)),
            ("9", Some(EndSignal::Kill)),
            ("SIGHUP", Some(EndSignal::Hangup)),
            // Stopping a server frees no port, and number 10 is another signal on each system.
            ("STOP", None),
            ("10", None),
            ("0", None),
            ("", None),
        ] {
            assert_eq!(EndSignal::parse(text), signal, "{text}");
        }
        assert!(EndSignal::names().all(|name| EndSignal::parse(name).is_some()));
    }
}
