//! The terminal, standard output, and signals to this process. Only the command uses it.

#[cfg_attr(unix, path = "unix/mod.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
mod sys;

pub(crate) use sys::{
    CAN_STOP, on_signals, output, output_is_closed, output_is_missing, output_takes_escapes, stop,
};

#[cfg(unix)]
pub(in crate::os) use sys::{is_ignored, on_each_signal};

/// What a signal asks of a program that runs until it is ended.
#[cfg(feature = "cli")]
#[cfg_attr(not(unix), expect(dead_code, reason = "nothing stops and continues a program there"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// To end.
    End,
    /// To stop until it is continued.
    Stop,
    /// It was stopped, and continues.
    Continue,
}
