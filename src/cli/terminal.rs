//! The terminal: every "auto" is resolved here, once.

use std::env;
use std::io::{self, IsTerminal, StderrLock};

use anstream::{AutoStream, ColorChoice};
use terminal_size::terminal_size_of;

use super::arguments::When;
use crate::model::Text;
use crate::render::current_user::CurrentUser;

/// The terminals that standard output and standard error are connected to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal {
    /// The width of the terminal, if standard output is one. `None` for a pipe or file.
    pub(super) width: Option<usize>,
    /// Whether standard output takes colours.
    pub(super) color: bool,
    /// Whether standard error takes colours.
    pub(super) error_color: bool,
    /// Whether standard error is a terminal.
    pub(super) person: bool,
}

impl Terminal {
    pub(super) fn resolve(when: When) -> Terminal {
        let out = io::stdout();
        let err = io::stderr();
        // Some terminals do not report their width.
        let width = out.is_terminal().then(|| match terminal_size_of(&out) {
            Some((width, _)) if width.0 > 0 => usize::from(width.0),
            _ => 80,
        });
        Terminal {
            width,
            color: wants_color(when, AutoStream::choice(&out)),
            error_color: wants_color(when, AutoStream::choice(&err)),
            person: err.is_terminal(),
        }
    }
}

/// Returns standard error for text with colours.
pub(super) fn errors() -> AutoStream<StderrLock<'static>> {
    AutoStream::always(io::stderr().lock())
}

/// Returns whether the cursor can be moved up on standard error.
pub(super) fn can_go_up() -> bool {
    env::var_os("TERM").is_none_or(|term| term != "dumb")
        && errors().current_choice() == ColorChoice::AlwaysAnsi
}

/// Returns whether to use colours, by the flag, the environment (NO_COLOR, CLICOLOR_FORCE, TERM), then the terminal.
fn wants_color(when: When, automatic: ColorChoice) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => !matches!(automatic, ColorChoice::Never),
    }
}

/// Returns the home folder and uid of the calling user.
pub(super) fn current_user() -> CurrentUser {
    CurrentUser { home: home().map(|home| Text::from(home.as_os_str())), uid: crate::os::own_uid() }
}

/// Returns the home folder of the calling user.
fn home() -> Option<std::ffi::OsString> {
    env::var_os("HOME").or_else(|| env::var_os("USERPROFILE")).filter(|home| !home.is_empty())
}
