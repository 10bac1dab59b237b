//! Phrases of `watch`.

/// Returns the line after a failed scan.
pub(crate) fn retrying(error: &str) -> String {
    format!("{error}; retrying")
}

/// Returns why lines are printed instead of a screen.
pub(crate) fn no_screen(error: &std::io::Error) -> String {
    format!("cannot open a screen on this terminal, printing lines instead: {error}")
}
