//! The lines of `wait`.

use std::time::Duration;

use super::escape::escape;
use super::phrases;
use crate::act::wait::{HttpPath, WaitTarget, Waited};
use crate::act::{WaitAttempt, WaitFor};
use crate::bind_attempt::{BindRefusal, BindTarget};
use crate::model::{Listener, PathContent};
use crate::shell;

/// The most targets that a line names.
const MOST_NAMED: usize = 10;

/// The result for one target, with what its line needs.
#[derive(Debug)]
pub(crate) struct WaitLine<'a> {
    pub(crate) target: &'a WaitTarget,
    pub(crate) wanted: WaitFor,
    pub(crate) http_path: &'a HttpPath,
    pub(crate) waited: &'a Waited,
    /// Why it is not reached.
    pub(crate) reason: Option<String>,
}

/// Returns the target as a line names it: `3000/tcp on 127.0.0.1`, `/run/app.sock`.
pub(crate) fn subject(target: &WaitTarget) -> String {
    match &target.port {
        Some(port) if target.other_loopback.is_some() => {
            format!("{}/{} on localhost", port.port, port.protocol.as_str())
        }
        Some(port) => phrases::bind_target(port),
        None => target.target.to_string(),
    }
}

/// Returns the targets as a line names them: at most ten, and the number of the others.
pub(crate) fn subjects<'a>(targets: impl ExactSizeIterator<Item = &'a WaitTarget>) -> String {
    listed(targets.len(), targets.map(subject))
}

fn listed(count: usize, names: impl Iterator<Item = String>) -> String {
    let named: Vec<String> = names.take(MOST_NAMED).collect();
    match count - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Returns what is waited for, as it follows "waiting until".
pub(crate) fn wanted(wanted: WaitFor, path: &HttpPath, subject: &str) -> String {
    match wanted {
        WaitFor::Listening => format!("something listens on {subject}"),
        WaitFor::Accepts => format!("connections are accepted on {subject}"),
        WaitFor::Http => format!("GET {} is answered on {subject}", escape_path(path)),
        WaitFor::Free => format!("nothing stands in the way of {subject}"),
    }
}

/// Returns the line of a wait that goes on. `wanted` is what [`wanted`] returns.
pub(crate) fn waiting(wanted: &str) -> String {
    format!("waiting until {wanted}")
}

/// Returns why waiting cannot help: the target cannot be bound.
pub(crate) fn hopeless(line: &WaitLine<'_>) -> String {
    let reason = line.reason.as_deref().unwrap_or_default();
    format!("{} cannot be bound: {}", subject(line.target), escape(&reason.into()))
}

/// Returns what explains a target that cannot be bound. `None` if it cannot be quoted.
pub(crate) fn hopeless_help(port: &BindTarget) -> Option<String> {
    let typed = shell::quote(&port.to_string().as_str().into())?;
    Some(format!("waiting cannot help; run allears why {typed}"))
}

/// Returns why the state of a target is unknown.
pub(crate) fn undetermined(target: Option<&WaitTarget>) -> &'static str {
    match target.map(|target| &target.port) {
        Some(None) => "could not determine the state: the socket or its path cannot be seen",
        _ => "could not determine whether something listens: not every socket can be seen",
    }
}

/// Returns that a port is also in use by another protocol.
pub(crate) fn in_use_too(other: &Listener, port: u16) -> String {
    let by =
        other.head().map_or_else(String::new, |holder| format!(" by {}", phrases::process(&holder.process)));
    format!("{}/{port} is in use too{by}", other.socket.protocol)
}

/// Returns what is in the way of a bind of a Unix socket, if it is only a file.
pub(crate) fn file_in_the_way(content: PathContent) -> Option<&'static str> {
    match content {
        PathContent::AbandonedSocket => Some("its server is gone and left the file of the socket"),
        PathContent::OtherFile => Some("a file that is not a socket is there"),
        _ => None,
    }
}

/// Returns the error of a bind.
pub(crate) fn refusal(refusal: &BindRefusal) -> String {
    format!("{} ({})", refusal.message, refusal.name)
}

/// Returns the line of a target that is reached.
pub(crate) fn reached(line: &WaitLine<'_>) -> String {
    let WaitLine { target, waited, .. } = line;
    let (subject, after) = (subject(target), elapsed(waited.took));
    // A socket that acts for a container has its holder elsewhere.
    let holder = match target.port {
        Some(_) => waited.listeners.iter().find_map(|listener| listener.head()),
        None => waited.listeners.iter().find_map(|listener| listener.holders.first()),
    };
    let by = |word: &str| {
        holder.map_or_else(String::new, |holder| format!("{word}{}", phrases::process(&holder.process)))
    };
    match line.wanted {
        WaitFor::Free => format!("{subject} is free, {after}"),
        WaitFor::Listening => format!("{subject} is listened on{}, {after}", by(" by ")),
        WaitFor::Accepts => format!("{subject} accepts connections{}, {after}", by(", held by ")),
        WaitFor::Http => {
            let path = escape_path(line.http_path);
            let status = match waited.attempt {
                Some(WaitAttempt::Status(status)) => format!(" with status {status}"),
                _ => String::new(),
            };
            format!("{subject} answers GET {path}{status}{}, {after}", by(", held by "))
        }
    }
}

/// Returns the line of the only target, which is not reached.
pub(crate) fn missed(line: &WaitLine<'_>) -> String {
    let (subject, after) = (subject(line.target), format!("after {}", spell(line.waited.took)));
    let why = line.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    match line.wanted {
        WaitFor::Listening => format!("nothing listens on {subject} {after}"),
        WaitFor::Free => format!("{subject} is still not free {after}{why}"),
        WaitFor::Accepts => format!("{subject} still does not accept connections {after}{why}"),
        WaitFor::Http => {
            let path = escape_path(line.http_path);
            format!("{subject} still does not answer GET {path} with a status below 400 {after}{why}")
        }
    }
}

/// Returns the line that names those of several targets that are not reached.
pub(crate) fn missing(lines: &[WaitLine<'_>]) -> String {
    let missing: Vec<&WaitLine<'_>> = lines.iter().filter(|line| !line.waited.reached).collect();
    let took = missing.iter().map(|line| line.waited.took).max().unwrap_or_default();
    let reason = |line: &WaitLine<'_>| match (&line.reason, line.wanted) {
        (Some(reason), _) => reason.clone(),
        (None, WaitFor::Free) => "not free".to_owned(),
        (None, _) => "nothing listens".to_owned(),
    };
    let common = missing.first().map(|first| reason(first)).unwrap_or_default();
    let named = match missing.iter().all(|line| reason(line) == common) {
        true => format!("{common}: {}", subjects(missing.iter().map(|line| line.target))),
        false => {
            let named = missing.iter().map(|one| format!("{} ({})", subject(one.target), reason(one)));
            listed(missing.len(), named)
        }
    };
    format!("timed out after {}: {named}", spell(took))
}

/// Returns why a connection is not what was waited for.
pub(crate) fn attempt(attempt: WaitAttempt) -> Option<String> {
    Some(match attempt {
        WaitAttempt::Refused => "cannot connect".to_owned(),
        WaitAttempt::NoAnswer => "no answer in time".to_owned(),
        WaitAttempt::Closed => "the connection is closed at once".to_owned(),
        WaitAttempt::NotHttp => "the answer is not HTTP".to_owned(),
        WaitAttempt::Status(status) => format!("status {status}"),
        WaitAttempt::Open => return None,
    })
}

fn elapsed(took: Duration) -> String {
    match took.as_millis() {
        0..5 => "at once".to_owned(),
        _ => format!("after {}", spell(took)),
    }
}

fn spell(duration: Duration) -> String {
    match duration.as_millis() {
        milliseconds @ ..1000 => format!("{milliseconds} ms"),
        milliseconds @ ..60_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        milliseconds => format!("{} min {} s", milliseconds / 60_000, milliseconds / 1000 % 60),
    }
}

fn escape_path(path: &HttpPath) -> String {
    escape(&path.as_str().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Target;

    #[test]
    fn a_long_list_is_shortened() {
        let targets = WaitTarget::each(&Target::parse_list("8000-8011").unwrap()).unwrap();
        assert!(subjects(targets.iter()).ends_with("8009/tcp and 2 more"));
        let path = HttpPath::default();
        let waited = [503, 503, 404]
            .map(|status| Waited { attempt: Some(WaitAttempt::Status(status)), ..Waited::default() });
        let of = |(target, waited)| WaitLine {
            target,
            wanted: WaitFor::Http,
            http_path: &path,
            waited,
            reason: Waited::clone(waited).attempt.and_then(attempt),
        };
        let lines: Vec<WaitLine<'_>> = targets.iter().zip(&waited).map(of).collect();
        assert_eq!(missing(&lines[..2]), "timed out after 0 ms: status 503: 8000/tcp, 8001/tcp");
        assert_eq!(
            missing(&lines),
            "timed out after 0 ms: 8000/tcp (status 503), 8001/tcp (status 503), 8002/tcp (status 404)"
        );
    }
}
