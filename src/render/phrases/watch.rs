//! Phrases of `watch`.

use crate::os::socket_events::{DestroyedCoverage, EventCoverage, ProgramCoverage};

/// Returns the line after a failed scan.
pub(crate) fn retrying(error: &str) -> String {
    format!("{error}; retrying")
}

/// Returns why lines are printed instead of a screen.
pub(crate) fn no_screen(error: &std::io::Error) -> String {
    format!("cannot open a screen on this terminal, printing lines instead: {error}")
}

/// Returns what a watch notices between two passes, in a sentence.
pub(crate) fn between_passes(coverage: &EventCoverage) -> String {
    const UNNAMED: &str = "after they are gone, without their processes";
    match (&coverage.programs, &coverage.destroyed) {
        (ProgramCoverage::Functions { missing }, _) => {
            let missing = match missing.is_empty() {
                true => String::new(),
                false => format!(" (not by {})", missing.join(", ")),
            };
            format!(
                "listeners that open and close and refused binds are noticed, with their processes{missing}"
            )
        }
        (ProgramCoverage::Tracepoint { because }, destroyed) => {
            let udp = match destroyed {
                DestroyedCoverage::Unused | DestroyedCoverage::Unavailable(_) => {
                    "UDP sockets are missed".to_owned()
                }
                DestroyedCoverage::Udp | DestroyedCoverage::TcpAndUdp => format!("UDP sockets {UNNAMED}"),
            };
            format!(
                "TCP listeners that open and close are noticed, with their processes; {udp}; refused binds are missed: \
                 {because}"
            )
        }
        (ProgramCoverage::None(because), DestroyedCoverage::Udp | DestroyedCoverage::TcpAndUdp) => {
            let because = because.as_ref().map_or_else(String::new, |because| format!(": {because}"));
            format!("listeners that open and close are noticed {UNNAMED}; refused binds are missed{because}")
        }
        (ProgramCoverage::None(_), DestroyedCoverage::Unused | DestroyedCoverage::Unavailable(_)) => {
            "what opens and closes is missed".to_owned()
        }
    }
}
