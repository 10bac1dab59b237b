//! Metrics in the text that OpenMetrics 1.0 and Prometheus (0.0.4) share: only gauges, no timestamps, a `# UNIT` that
//! Prometheus reads as a comment, and `# EOF` at the end, by which a reader recognises that the text is whole.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use super::escape::escape;
use crate::model::{Endpoint, Listener, Snapshot, Text};

/// Labels with their values, in the order in which they are printed.
type Labels = Vec<(&'static str, String)>;

/// Writes a snapshot as metrics. `took` is how long the scan took; `None` for a saved snapshot.
pub(crate) fn write(snapshot: &Snapshot, took: Option<Duration>, out: &mut dyn Write) -> io::Result<()> {
    let mut held = BTreeMap::new();
    let mut unseen = BTreeMap::new();
    for listener in snapshot.listeners.iter().filter(|listener| listener.socket.is_listener()) {
        for series in series(listener) {
            *held.entry(series).or_insert(0) += 1;
        }
        if let Some(hidden) = &listener.unseen {
            let mut labels = place(listener);
            labels.push(("reason", hidden.reason.as_str().to_owned()));
            *unseen.entry(labels).or_insert(0) += 1;
        }
    }
    family(
        out,
        "allears_listeners",
        None,
        "Listening sockets that a program of this name and user holds.",
        held,
    )?;
    let help = "Listening sockets of which not every holder could be seen.";
    family(out, "allears_listeners_unseen", None, help, unseen)?;
    let mut gaps = BTreeMap::new();
    for gap in &snapshot.gaps {
        let labels = vec![("what", gap.what.to_string()), ("reason", gap.reason.to_string())];
        *gaps.entry(labels).or_insert(0) += gap.count;
    }
    family(out, "allears_gaps", None, "Things that could not be read.", gaps)?;
    let single = |value: u64| BTreeMap::from([(Labels::new(), value)]);
    let help = "Whether every socket of the query is counted (1), or some may be missing (0).";
    family(out, "allears_scan_complete", None, help, single(snapshot.complete.into()))?;
    let help = "Whether the scan ran as root, or elevated (1).";
    family(out, "allears_scan_privileged", None, help, single(snapshot.privileged.into()))?;
    if let Some(took) = took {
        let value = BTreeMap::from([(Labels::new(), format!("{:.6}", took.as_secs_f64()))]);
        let help = "How long the scan took.";
        family(out, "allears_scan_duration_seconds", Some("seconds"), help, value)?;
    }
    let at = BTreeMap::from([(Labels::new(), snapshot.taken_at.as_second())]);
    let help = "When the scan began, in seconds since 1970.";
    family(out, "allears_scan_timestamp_seconds", Some("seconds"), help, at)?;
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    let help = "The version of allears.";
    family(out, "allears_build_info", None, help, BTreeMap::from([(version, 1)]))?;
    out.write_all(b"# EOF\n")
}

/// Writes a metric with its samples. Without a sample nothing is written: Prometheus has no empty metrics.
fn family(
    out: &mut dyn Write,
    name: &str,
    unit: Option<&str>,
    help: &str,
    samples: BTreeMap<Labels, impl ToString>,
) -> io::Result<()> {
    if samples.is_empty() {
        return Ok(());
    }
    writeln!(out, "# TYPE {name} gauge")?;
    if let Some(unit) = unit {
        writeln!(out, "# UNIT {name} {unit}")?;
    }
    writeln!(out, "# HELP {name} {help}")?;
    for (labels, value) in samples {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", quoted(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(out, "{name}{labels} {}", value.to_string())?;
    }
    Ok(())
}

/// Returns a value for between the quotes of a label. Line ends are escaped already, as in all text from outside.
fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Returns the labels of the place where a socket listens.
fn place(listener: &Listener) -> Labels {
    let socket = &listener.socket;
    let mut labels = vec![("protocol", socket.protocol.as_str().to_owned())];
    match &socket.endpoint {
        Endpoint::Ip { port, .. } => labels.push(("port", port.to_string())),
        Endpoint::Unix { path } => labels.push(("path", path.as_ref().map(escape).unwrap_or_default())),
    }
    labels.push(("exposure", socket.exposure().as_str().to_owned()));
    labels
}

/// Returns the name of a user, or else the number.
fn user(name: &Option<Text>, uid: Option<u32>) -> Option<String> {
    name.as_ref().map(escape).or_else(|| uid.map(|uid| uid.to_string()))
}

/// Returns the labels of the series that count a socket: one for each name and user of its holders, or one with the
/// socket's user if no holder is visible.
fn series(listener: &Listener) -> Vec<Labels> {
    let labels = |process: String, user: Option<String>| {
        let mut labels = place(listener);
        labels.extend([("process", process), ("user", user.unwrap_or_default())]);
        labels
    };
    let held = listener.holders.iter().map(|holder| {
        let process = &holder.process;
        labels(escape(&process.name), user(&process.user, process.uid))
    });
    let mut all: Vec<Labels> = held.collect();
    all.sort();
    all.dedup();
    if all.is_empty() {
        all.push(labels(String::new(), user(&listener.socket.user, listener.socket.uid)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_value_cannot_end_its_quotes_or_its_line() {
        let name = Text::from(&b"a\"b\\c\nd\x1b\xff}"[..]);
        assert_eq!(quoted(&escape(&name)), "a\\\"b\\\\c\\\\nd\\\\x1b\\\\xff}");
    }
}
