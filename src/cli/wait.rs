//! `allears wait TARGET...`

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use super::arguments::Wait;
use super::exit::Exit;
use super::runtimes::runtimes;
use super::terminal::can_go_up;
use super::why::write_out;
use super::{complain, fail, fail_with, say, service_names, written};
use crate::act::WaitFor;
use crate::act::wait::{self, BindDenial, HttpPath, Observer, WaitRequest, WaitTarget, Waited};
use crate::act::why;
use crate::bind_attempt::BindTarget;
use crate::model::{Protocol, Target, TargetError};
use crate::render::escape::escape;
use crate::render::wait::{WaitLine, attempt, missed, missing, reached, subject, subjects, wanted};
use crate::render::{self, wait_json};
use crate::scan::Query;

/// Runs `allears wait`.
pub(super) fn run(arguments: &Wait) -> Exit {
    let (targets, request) = match wait_request(arguments) {
        Ok(asked) => asked,
        Err(exit) => return exit,
    };
    let is_text = !(arguments.quiet || arguments.json);
    let what = wanted(request.wanted, &request.http_path, &subjects(targets.iter()));
    let mut run = Run {
        targets: &targets,
        request: &request,
        // The line of the only target is the answer.
        prints: is_text && targets.len() > 1,
        progress: Progress::new(!is_text, what),
        write_error: None,
    };
    let waited = wait::wait(&targets, &request, &mut run);
    run.progress.clear();
    crate::os::drop_privileges();
    let write_error = run.write_error;
    let waited = match waited {
        Ok(waited) => waited,
        Err(_) if arguments.quiet => return Exit::Unknown,
        Err(error) => return fail_with(&error),
    };
    let outcome = wait::outcome(&waited, request.any);
    let exit = match outcome {
        Some(true) => Exit::Found,
        Some(false) => Exit::NotFound,
        None => Exit::Unknown,
    };
    if arguments.quiet {
        return exit;
    }
    if let Some(error) = write_error {
        return written(Err(error), exit);
    }
    let lines: Vec<WaitLine<'_>> =
        targets.iter().zip(&waited).map(|(target, waited)| line(target, &request, waited)).collect();
    if arguments.json {
        let mut out = Vec::new();
        let made = wait_json::write(&lines, outcome, &mut out);
        return written(made.and_then(|()| write_out(&out)), exit);
    }
    let line = match lines.as_slice() {
        [only] => {
            print_other_protocol(only.target);
            if exit == Exit::Found { reached(only) } else { missed(only) }
        }
        // Their lines are printed.
        _ if exit == Exit::Found => return exit,
        several => missing(several),
    };
    match exit {
        Exit::Unknown => fail_unknown(&lines, &line),
        _ => written(write_out(format!("{line}\n").as_bytes()), exit),
    }
}

/// Returns the targets and what is waited for.
fn wait_request(arguments: &Wait) -> Result<(Vec<WaitTarget>, WaitRequest), Exit> {
    let wrong = |error: TargetError| {
        complain(&error.to_string(), error.help());
        Exit::Usage
    };
    // `--http 3000` is a target after the option, and no path.
    let (path, after_http) = match arguments.http.as_ref().and_then(Option::as_ref) {
        Some(text) if text.starts_with('/') || service_names::parse_list(text).is_err() => (Some(text), None),
        Some(text) => (None, Some(text)),
        None => (None, None),
    };
    let http_path = path.map_or_else(|| Ok(HttpPath::default()), |text| HttpPath::parse(text));
    let http_path = http_path.map_err(|error| {
        complain(&error, "write --http /health, or --http for /");
        Exit::Usage
    })?;
    let wanted = match arguments {
        Wait { free: true, .. } => WaitFor::Free,
        Wait { accepts: true, .. } => WaitFor::Accepts,
        Wait { http: Some(_), .. } => WaitFor::Http,
        _ => WaitFor::Listening,
    };
    let (mut targets, mut each) = (Vec::new(), Vec::new());
    for text in arguments.targets.iter().chain(after_http) {
        let parsed: Result<Vec<Target>, TargetError> = service_names::parse_list(text).and_then(|parsed| {
            parsed
                .into_iter()
                .map(|target| super::scope::add_interface(target, Some(Protocol::Tcp)))
                .collect()
        });
        let parsed = parsed.map_err(wrong)?;
        each.extend(singles(text, &parsed, wanted)?);
        targets.extend(parsed);
    }
    WaitTarget::sort(&mut each);
    if each.is_empty() {
        complain(
            "there is no target to wait for",
            "write allears wait 3000, or allears wait 3000 --http /health",
        );
        return Err(Exit::Usage);
    }
    if !(arguments.quiet || arguments.json) {
        service_names::print_differences(&targets);
    }
    let (any, timeout, holders) = (arguments.any, arguments.timeout, !arguments.quiet);
    Ok((each, WaitRequest { wanted, http_path, any, timeout, holders }))
}

/// Returns the single ports and Unix sockets of one argument.
fn singles(text: &str, targets: &[Target], wanted: WaitFor) -> Result<Vec<WaitTarget>, Exit> {
    let each = WaitTarget::each(targets).map_err(|_| {
        complain(
            &format!("'{}' selects every Unix socket; wait needs the path of one", text.escape_debug()),
            "write the path of one: allears wait ./app.sock",
        );
        Exit::Usage
    })?;
    if matches!(wanted, WaitFor::Accepts | WaitFor::Http)
        && let Some(other) = each.iter().find(|target| !target.is_tcp())
    {
        complain(
            &format!(
                "cannot connect to {}: --{wanted} is for TCP ports",
                escape(&subject(other).as_str().into())
            ),
            "leave it out to wait until something listens",
        );
        return Err(Exit::Usage);
    }
    // A server at one address of localhost is enough. Both must be free.
    let is_localhost = wanted != WaitFor::Free && text.to_ascii_lowercase().contains("localhost");
    Ok(if is_localhost { WaitTarget::join_localhost(each) } else { each })
}

fn line<'a>(target: &'a WaitTarget, request: &'a WaitRequest, waited: &'a Waited) -> WaitLine<'a> {
    let reason = match (&target.port, &waited.refused) {
        _ if waited.reached => None,
        (Some(port), Some(refused)) => Some(reason(port, refused)),
        (None, _) if request.wanted == WaitFor::Free => obstacle(&target.target).map(str::to_owned),
        _ => waited.attempt.and_then(attempt),
    };
    WaitLine { target, wanted: request.wanted, http_path: &request.http_path, waited, reason }
}

/// Prints why the state could not be determined, or cannot be reached by waiting. `line` names what is missing.
fn fail_unknown(lines: &[WaitLine<'_>], line: &str) -> Exit {
    if let Some(hopeless) = lines.iter().find(|line| line.waited.is_hopeless)
        && let Some(port) = &hopeless.target.port
    {
        return fail(&render::wait::hopeless(hopeless), render::wait::hopeless_help(port).as_deref());
    }
    let uncertain = lines.iter().find(|line| !line.waited.reached && !line.waited.complete);
    let what = render::wait::undetermined(uncertain.map(|line| line.target));
    match lines.len() {
        1 => fail(what, None),
        _ => fail(&format!("{what}; {line}"), None),
    }
}

/// Prints that the port is also in use by the other protocol.
fn print_other_protocol(target: &WaitTarget) {
    let Some(port) = &target.port else { return };
    if let Ok(others) = why::listeners_of_other_protocol(port)
        && let Some(other) = others.first()
    {
        say("note", &render::wait::in_use_too(other, port.port));
    }
}

/// Returns why a bind is refused. If sockets may be in the way, the verdict names them.
fn reason(port: &BindTarget, refused: &BindDenial) -> String {
    let refusal = &refused.refusal;
    if let Some(hindrance) = &refused.hindrance {
        return render::hindrance(hindrance, port);
    }
    let verdict = why::verdict_for(port, &runtimes()).ok();
    let verdict = verdict.filter(|it| it.can_bind == Some(false) && it.error.as_ref() == Some(&refusal.name));
    verdict.map_or_else(|| render::wait::refusal(refusal), |it| it.reason.to_string())
}

/// Returns what is in the way of a bind of a Unix socket, if it is only a file.
fn obstacle(target: &Target) -> Option<&'static str> {
    let table = Query::new().target(target.clone()).table();
    let content = table.ok().and_then(|table| table.paths.first().map(|path| path.holds));
    content.and_then(render::wait::file_in_the_way)
}

/// Prints while waiting.
struct Run<'a> {
    targets: &'a [WaitTarget],
    request: &'a WaitRequest,
    /// Whether each target that is reached gets a line at once.
    prints: bool,
    progress: Progress,
    /// Why a line could not be written.
    write_error: Option<io::Error>,
}

impl Observer for Run<'_> {
    fn passed(&mut self, took: Duration) {
        self.progress.update(took);
    }

    fn reached(&mut self, at: usize, waited: &Waited) -> ControlFlow<()> {
        let Some(target) = self.targets.get(at).filter(|_| self.prints) else {
            return ControlFlow::Continue(());
        };
        self.progress.clear();
        let line = reached(&line(target, self.request, waited));
        match write_out(format!("{line}\n").as_bytes()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.write_error = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

/// A progress line, on terminals only. The cursor stays at the start of the line below it, so that a shell prompt after an
/// interrupt is on its own line.
struct Progress {
    text: Option<String>,
    /// The last second that was shown.
    shown_seconds: Option<u64>,
    /// Whether the terminal can move the cursor up.
    moves: bool,
}

impl Progress {
    fn new(silent: bool, wanted: String) -> Progress {
        let shown = !silent && io::stderr().is_terminal();
        Progress {
            text: shown.then(|| render::wait::waiting(&wanted)),
            shown_seconds: None,
            moves: shown && can_go_up(),
        }
    }

    fn update(&mut self, took: Duration) {
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

    fn clear(&mut self) {
        if self.shown_seconds.take().is_some() && self.moves {
            let _ = write!(io::stderr().lock(), "\x1b[A\r\x1b[K");
        }
    }
}
