//! What a probe by a connection found.

use crate::model::{Listener, Probe, ProbeOutcome};

/// Returns the result of a probe: `accepts (0.2 ms)`.
pub(crate) fn probe(probe: &Probe) -> String {
    let milliseconds = probe.took.as_secs_f64() * 1e3;
    let digits = if milliseconds < 10.0 { 1 } else { 0 };
    format!("{} ({milliseconds:.digits$} ms)", probe.outcome.as_str())
}

/// Returns what a probe means together with the socket table.
pub(crate) fn probe_meaning(listener: &Listener) -> Option<String> {
    let probe_of = listener.probe.as_ref()?;
    let outcome = probe(probe_of);
    let queue = listener.socket.queue;
    let full = queue.is_some_and(|queue| queue.limit.is_some_and(|limit| queue.waiting > limit));
    let waiting = queue.map_or(0, |queue| queue.waiting);
    let meaning = match probe_of.outcome {
        ProbeOutcome::Connects => "; the kernel connects, and no holder runs to accept".to_owned(),
        ProbeOutcome::Accepts if waiting > 0 => {
            let wait = match waiting {
                1 => "1 connection waits".to_owned(),
                many => format!("{many} connections wait"),
            };
            format!("; the kernel connects, but {wait} for the program to take them")
        }
        ProbeOutcome::Accepts => String::new(),
        ProbeOutcome::Refuses => {
            "; the socket table lists it as listening: it closed since, or a firewall rejects the connection"
                .to_owned()
        }
        ProbeOutcome::Silent if full => {
            "; it listens, but its queue is full: the program does not take connections".to_owned()
        }
        ProbeOutcome::Silent => {
            "; it listens, but nothing came back: its queue is full, or a firewall drops what comes"
                .to_owned()
        }
        ProbeOutcome::Failed => "; the connection could not be attempted".to_owned(),
    };
    Some(format!("{outcome}{meaning}"))
}
