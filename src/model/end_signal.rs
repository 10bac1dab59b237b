//! The signals that end a process.

use std::fmt;
use std::str::FromStr;

use super::names::UnknownName;

/// A signal that asks a process to end, or ends it.
///
/// Windows has no signals: [`EndSignal::Terminate`] asks there, and [`EndSignal::Kill`] ends.
///
/// ```
/// use allears::EndSignal;
///
/// assert_eq!("SIGTERM".parse(), Ok(EndSignal::Terminate));
/// assert_eq!(EndSignal::Interrupt.to_string(), "INT");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum EndSignal {
    /// SIGHUP.
    #[cfg_attr(feature = "serde", serde(rename = "HUP"))]
    Hangup,
    /// SIGINT.
    #[cfg_attr(feature = "serde", serde(rename = "INT"))]
    Interrupt,
    /// SIGQUIT.
    #[cfg_attr(feature = "serde", serde(rename = "QUIT"))]
    Quit,
    /// SIGABRT.
    #[cfg_attr(feature = "serde", serde(rename = "ABRT"))]
    Abort,
    /// SIGKILL, which no program can handle.
    #[cfg_attr(feature = "serde", serde(rename = "KILL"))]
    Kill,
    /// SIGUSR1.
    #[cfg_attr(feature = "serde", serde(rename = "USR1"))]
    User1,
    /// SIGUSR2.
    #[cfg_attr(feature = "serde", serde(rename = "USR2"))]
    User2,
    /// SIGTERM.
    #[cfg_attr(feature = "serde", serde(rename = "TERM"))]
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

    /// Returns its number on Linux.
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

    /// Returns the signal of this name, with or without `SIG`, or of this number if every Unix has the same one for it.
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

    /// Returns the name without `SIG`: `TERM`.
    pub fn as_str(self) -> &'static str {
        EndSignal::NAMES.iter().find(|(signal, _)| *signal == self).map_or("TERM", |(_, name)| name)
    }

    /// Returns the known names.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        EndSignal::NAMES.iter().map(|(_, name)| *name)
    }
}

impl fmt::Display for EndSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EndSignal {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<EndSignal, UnknownName> {
        EndSignal::parse(text).ok_or_else(|| UnknownName::new("signal that ends a process", text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "serde")]
    #[test]
    fn serde_uses_the_names() {
        for (signal, name) in EndSignal::NAMES {
            let json = serde_json::to_string(&signal).unwrap();
            assert_eq!(json, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<EndSignal>(&json).unwrap(), signal);
        }
    }

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
