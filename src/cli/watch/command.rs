//! `allears watch [TARGET]... -- COMMAND...`: runs a command, and reports what it and its descendants opened.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::events;
use super::passes::Rate;
use crate::act::watch_command::{CommandRecord, CommandWatch, Found};
use crate::cli::exit::Exit;
use crate::cli::terminal::{self, Terminal};
use crate::cli::why::write_out;
use crate::cli::{arguments, complain, fail, fail_with, query_args, say};
use crate::model::{Error, Selection, Snapshot, Text};
use crate::os::socket_events::EventBatch;
use crate::os::{self, CommandEnd, CommandSignal, RunningCommand};
use crate::render::changes::ChangesOptions;
use crate::render::command_json::{self, Ended};
use crate::render::command_report::{self, ReportOptions};
use crate::render::occurrences;
use crate::render::order::{self, Order};
use crate::render::phrases;
use crate::render::style::Palette;
use crate::render::{changes_json, json};

/// The time between two passes by default. A pass reads only the socket table if nothing has changed.
const INTERVAL: Duration = Duration::from_millis(100);

/// The statuses of env(1) and time(1) for a command that is not found, and for one that cannot be executed.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// What wakes the loop before the next pass is due.
enum Wake {
    Signal(CommandSignal),
    Sockets(EventBatch),
}

/// Runs the command, and returns its exit status.
pub(super) fn run(arguments: &arguments::Watch) -> Exit {
    if !arguments.filters.tree.is_empty() {
        complain(
            "--tree cannot be combined with a command: its own tree is watched",
            "leave out --tree, or leave out the command",
        );
        return Exit::Usage;
    }
    let query = match query_args::query(&arguments.filters, &arguments.source, false) {
        Ok(query) => query,
        Err(exit) => return exit,
    };
    let is_filtered = *query.selection() != Selection { connections: false, ..Selection::default() };
    let (sender, wakes) = mpsc::channel();
    let pass_on = sender.clone();
    let pass_on = move |batch| pass_on.send(Wake::Sockets(batch)).is_ok();
    let (coverage, reading) = match events::start_with_processes(arguments.events, pass_on) {
        Ok(started) => started,
        Err(error) => return fail_with(&error),
    };
    let mut watch = match CommandWatch::new(query, &coverage) {
        Ok(watch) => watch,
        Err(error) => return fail_with(&error),
    };
    pass_on_signals(sender);
    watch.begin();
    let began = Instant::now();
    let mut running = match RunningCommand::start(&arguments.command, arguments.ndjson) {
        Ok(running) => running,
        Err(error) => return not_started(&arguments.command, &error),
    };
    let mut events = Events { enabled: arguments.ndjson, gaps: 0, failed: None, output: Ok(()) };
    let interval = arguments.interval.unwrap_or(INTERVAL);
    watch.see_descendants();
    let end = follow(&mut running, &mut watch, &mut events, interval, &wakes);
    let elapsed = began.elapsed();
    if let Some(reading) = reading {
        reading.finish();
    }
    for wake in wakes.try_iter() {
        if let Wake::Sockets(batch) = wake {
            watch.add_events(batch);
        }
    }
    let (last, snapshot, record) = watch.finish();
    events.show(&last, &snapshot, &record.gaps);
    let command: Vec<Text> = arguments.command.iter().map(|word| Text::from(word.as_os_str())).collect();
    let ended = Ended { command: &command, pid: running.pid(), end, elapsed, at: os::now() };
    let mut out = Vec::new();
    let made = match arguments.ndjson {
        true => command_json::write_end(ended, &record, &mut out),
        false => report(arguments, ended, &record, is_filtered, &mut out),
    };
    events.write(made.map(|()| out));
    if !arguments.ndjson {
        let gaps = record.gaps.iter().map(phrases::gap);
        for unseen in phrases::watch_command::unseen(&record).into_iter().chain(gaps) {
            say("not seen", &unseen);
        }
    }
    match events.output {
        Err(error) if !is_closed(&error) => {
            let exit = fail(&format!("cannot write the answer: {error}"), None);
            if end.status() == 0 { exit } else { Exit::OfCommand(end.status()) }
        }
        _ => Exit::OfCommand(end.status()),
    }
}

/// Starts to send signals to the loop. If they cannot be handled, they end this process by themselves.
fn pass_on_signals(sender: Sender<Wake>) {
    let _ = os::on_command_signals(move |signal| {
        let _ = sender.send(Wake::Signal(signal));
    });
}

/// Makes passes until the command has ended.
fn follow(
    running: &mut RunningCommand,
    watch: &mut CommandWatch,
    events: &mut Events,
    interval: Duration,
    wakes: &Receiver<Wake>,
) -> CommandEnd {
    let mut next = Instant::now() + interval;
    let mut rate = Rate::default();
    loop {
        if let Some(end) = running.poll(|| watch.see_descendants()) {
            return end;
        }
        let now = Instant::now();
        let wake = match rate.is_overdue(next, now) {
            true => Err(RecvTimeoutError::Timeout),
            false => wakes.recv_timeout(next.saturating_duration_since(now)),
        };
        match wake {
            Ok(Wake::Signal(CommandSignal::ChildEnded)) => continue,
            Ok(Wake::Signal(CommandSignal::PassOn(signal))) => {
                running.pass_on(signal);
                continue;
            }
            Ok(Wake::Sockets(batch)) => {
                if watch.add_events(batch) {
                    next = next.min(rate.soonest(Instant::now()));
                }
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
            // There is no thread for signals.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        }
        let began = Instant::now();
        let found = watch.poll();
        rate.add_pass(began);
        events.show(&found, watch.snapshot(), watch.gaps());
        // A pass that took longer than the interval does not trigger a burst of passes.
        next = (next + interval).max(Instant::now());
    }
}

/// The lines of events, and the standard output that they are written to.
struct Events {
    enabled: bool,
    /// The number of gaps written so far.
    gaps: usize,
    /// The error of the last pass, so that it is not repeated.
    failed: Option<String>,
    /// The first error of standard output. Nothing is written after it: the command goes on.
    output: io::Result<()>,
}

impl Events {
    /// Writes the changes of a pass and the gaps that are new.
    fn show(&mut self, found: &Result<Found, Error>, snapshot: &Snapshot, gaps: &[crate::model::Gap]) {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                let text = os::describe_chain(error);
                if self.failed.as_ref() != Some(&text) {
                    say("error", &phrases::watch::retrying(&text));
                    self.failed = Some(text);
                }
                return;
            }
        };
        self.failed = None;
        if !self.enabled {
            return;
        }
        let mut out = Vec::new();
        let at = os::now();
        let mut occurrences = found.occurrences.iter();
        let written = occurrences.try_for_each(|it| changes_json::occurrence(it, &mut out));
        let mut changes = found.changes.iter();
        let written =
            written.and_then(|()| changes.try_for_each(|change| changes_json::event(change, at, &mut out)));
        let new = gaps.get(self.gaps..).unwrap_or_default();
        let written =
            written.and_then(|()| new.iter().try_for_each(|gap| json::write_gap(gap, snapshot, &mut out)));
        self.gaps = gaps.len();
        self.write(written.map(|()| out));
    }

    fn write(&mut self, made: io::Result<Vec<u8>>) {
        if self.output.is_ok() {
            self.output = made.and_then(|bytes| if bytes.is_empty() { Ok(()) } else { write_out(&bytes) });
        }
    }
}

/// Returns whether nobody reads the output any more.
fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Writes the report for people.
fn report(
    arguments: &arguments::Watch,
    ended: Ended<'_>,
    record: &CommandRecord,
    is_filtered: bool,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    use io::Write as _;
    let terminal = Terminal::resolve(arguments.color);
    let palette = Palette { color: terminal.color };
    let current_user = terminal::current_user();
    let options = ReportOptions {
        columns: arguments.rows.columns.clone(),
        header: !arguments.rows.no_header,
        at: ended.at,
        lines: ChangesOptions { width: terminal.width, palette, current_user },
    };
    let mut sockets: Vec<_> = record.sockets.iter().collect();
    if arguments.rows.order() != Order::default() {
        order::sort(&mut sockets, arguments.rows.order(), |socket| &socket.listener);
    }
    if !sockets.is_empty() {
        command_report::write(&sockets, &options, out)?;
    }
    let program = ended.command.first().cloned().unwrap_or_default();
    let summary = phrases::watch_command::summary(&program, ended.end, ended.elapsed, record, is_filtered);
    writeln!(out, "{summary}")?;
    record.refused.iter().try_for_each(|refusal| writeln!(out, "{}.", occurrences::refused(refusal)))?;
    match record.running.as_deref().and_then(phrases::watch_command::still_running) {
        Some(running) => writeln!(out, "{running}"),
        None => Ok(()),
    }
}

/// Reports that the command could not be started.
fn not_started(command: &[OsString], error: &io::Error) -> Exit {
    let program = command.first().map(OsString::as_os_str).unwrap_or_default();
    let is_missing = error.kind() == io::ErrorKind::NotFound;
    let is_path = Path::new(program).components().count() > 1;
    let lacks_interpreter = is_missing && is_path && Path::new(program).exists();
    say("error", &phrases::watch_command::not_started(&program.into(), error, lacks_interpreter));
    Exit::OfCommand(if is_missing { NOT_FOUND } else { NOT_EXECUTABLE })
}
