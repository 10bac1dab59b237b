//! The signals that end a process, as the system calls of Unix take them.

use crate::model::EndSignal;

impl EndSignal {
    /// Returns the signal as the system calls take it.
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
}
