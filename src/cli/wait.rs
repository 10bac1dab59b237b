//! `allears wait TARGET`

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::arguments::Wait;
use super::exit::Exit;
use super::runtimes::runtimes;
use super::terminal::can_go_up;
use super::why::{one_port, write_out};
use super::{fail, fail_with, say, service_names, written};
use crate::act::wait::{self, Refused};
use crate::act::why;
use crate::bind_attempt::BindTarget;
use crate::model::Target;
use crate::render::escape::escape;
use crate::render::{phrases, why_and_free, why_and_free_json};
use crate::shell;

/// Runs `allears wait`.
pub(super) fn run(arguments: &Wait) -> Exit {
    let wanted = if arguments.free { wait::WaitFor::Free } else { wait::WaitFor::Listening };
    if let Ok([target]) = Target::parse_list(&arguments.target).as_deref()
        && target.is_unix()
        && target.names_one()
    {
        return super::wait_unix::run(arguments, target, wanted);
    }
    let target = match one_port("wait", &arguments.target) {
        Ok(target) => target,
        Err(exit) => return exit,
    };
    if !(arguments.quiet || arguments.json) {
        service_names::print_differences([&target]);
    }
    let result = why::bind_target(&target).and_then(|asked| {
        let subject = why_and_free::subject(&asked);
        let mut progress = Progress::new(arguments.quiet || arguments.json, subject.clone(), wanted);
        let waited =
            wait::wait(&target, &asked, wanted, arguments.timeout, &mut |took| progress.update(took));
        progress.clear();
        let waited = waited?;
        let found = match waited.reached && wanted == wait::WaitFor::Listening && !arguments.quiet {
            true => wait::found(&target, &asked)?,
            false => Vec::new(),
        };
        Ok((asked, subject, waited, found))
    });
    let (asked, subject, waited, found) = match result {
        Ok(result) => result,
        Err(_) if arguments.quiet => return Exit::Unknown,
        Err(error) => return fail_with(&error),
    };
    let exit = match (waited.reached, waited.complete && !waited.is_hopeless) {
        (true, _) => Exit::Found,
        (false, true) => Exit::NotFound,
        (false, false) => Exit::Unknown,
    };
    // Why a bind is refused although no listener has the port.
    let refused = waited.refused.as_ref().filter(|_| !arguments.quiet);
    let reason = refused.map(|refused| reason(&asked, refused));
    if arguments.quiet {
        return exit;
    }
    let mut out = Vec::new();
    if arguments.json {
        let refused = refused.zip(reason.as_deref());
        let waited = (waited.reached, waited.took);
        let made = why_and_free_json::wait(&asked, wanted.as_str(), waited, refused, &found, &mut out);
        return written(made.and_then(|()| write_out(&out)), exit);
    }
    if let Ok(others) = why::listeners_of_other_protocol(&asked)
        && let Some(other) = others.first()
    {
        let by = other
            .head()
            .map_or_else(String::new, |holder| format!(" by {}", phrases::process(&holder.process)));
        say("note", &format!("{}/{} is in use too{by}", other.socket.protocol.as_str(), asked.port));
    }
    let after = match waited.took.as_millis() {
        0..5 => "at once".to_owned(),
        _ => format!("after {}", spell(waited.took)),
    };
    let line = match (exit, wanted) {
        (Exit::Found, wait::WaitFor::Free) => format!("{subject} is free, {after}"),
        (Exit::Found, wait::WaitFor::Listening) => {
            let holder = found.iter().find_map(|listener| listener.head());
            let by = holder
                .map_or_else(String::new, |holder| format!(" by {}", phrases::process(&holder.process)));
            format!("{subject} is listened on{by}, {after}")
        }
        (Exit::Unknown, wait::WaitFor::Free) => {
            let why = reason.unwrap_or_default();
            let help = shell::quote(&asked.to_string().as_str().into());
            let help = help.map(|typed| format!("waiting cannot help; run allears why {typed}"));
            return fail(
                &format!("{subject} cannot be bound: {}", escape(&why.as_str().into())),
                help.as_deref(),
            );
        }
        (Exit::Unknown, wait::WaitFor::Listening) => {
            return fail("could not determine whether something listens: not every socket can be seen", None);
        }
        (_, wait::WaitFor::Free) => {
            let why = reason.map_or_else(String::new, |reason| format!(": {reason}"));
            format!("{subject} is still not free {after}{why}")
        }
        (_, wait::WaitFor::Listening) => format!("nothing listens on {subject} {after}"),
    };
    written(write_out(format!("{line}\n").as_bytes()), exit)
}

/// Returns why a bind is refused. If sockets may be in the way, the verdict names them.
fn reason(asked: &BindTarget, refused: &Refused) -> String {
    let refusal = &refused.refusal;
    if let Some(hindrance) = &refused.hindrance {
        return crate::render::hindrance(hindrance, asked);
    }
    let verdict = why::verdict_for(asked, &runtimes()).ok();
    let verdict =
        verdict.filter(|it| it.can_bind == Some(false) && it.error.as_deref() == Some(refusal.name.as_str()));
    verdict.map_or_else(|| format!("{} ({})", refusal.says, refusal.name), |it| it.reason.to_string())
}

pub(super) fn spell(duration: Duration) -> String {
    match duration.as_millis() {
        milliseconds @ ..1000 => format!("{milliseconds} ms"),
        milliseconds @ ..60_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        milliseconds => format!("{} min {} s", milliseconds / 60_000, milliseconds / 1000 % 60),
    }
}

/// A progress line, on terminals only. The cursor stays at the start of the line below it, so that a shell prompt after an
/// interrupt is on its own line.
pub(super) struct Progress {
    text: Option<String>,
    /// The last second that was shown.
    shown_seconds: Option<u64>,
    /// Whether the terminal can move the cursor up.
    moves: bool,
}

impl Progress {
    pub(super) fn new(silent: bool, subject: String, wanted: wait::WaitFor) -> Progress {
        let wanted = match wanted {
            wait::WaitFor::Listening => "something listens on",
            wait::WaitFor::Free => "nothing stands in the way of",
        };
        let shown = !silent && io::stderr().is_terminal();
        Progress {
            text: shown.then(|| format!("waiting until {wanted} {subject}")),
            shown_seconds: None,
            moves: shown && can_go_up(),
        }
    }

    pub(super) fn update(&mut self, took: Duration) {
        let Some(text) = &self.text else { return };
        // A state that is reached at once needs no line.
        if took < Duration::from_millis(100) || self.shown_seconds == Some(took.as_secs()) {
            return;
        }
        if self.shown_seconds.is_some() && !self.moves {
            return;
        }
        let up = if self.shown_seconds.is_some() { "\x1b[A\r\x1b[K" } else { "" };
        let _ = writeln!(io::stderr().lock(), "{up}{text} ({} s)", took.as_secs());
        self.shown_seconds = Some(took.as_secs());
    }

    pub(super) fn clear(&mut self) {
        if self.shown_seconds.take().is_some() && self.moves {
            let _ = write!(io::stderr().lock(), "\x1b[A\r\x1b[K");
        }
    }
}
