//! `allears watch [TARGET]...`: a loop that scans, and a screen or lines that show what changed. With a command, `command`
//! runs it instead.

mod command;
mod events;
mod lines;
mod passes;
mod requests;

use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::arguments;
use super::exit::Exit;
use super::query_args;
use super::terminal::{self, Terminal};
use super::{complain, fail_with, say, written};
use crate::act::watch::Watch;
use crate::os::Signal;
use crate::os::socket_events::EventCoverage;
use crate::render::style::Palette;
use crate::render::{changes, phrases, table};
use crate::scan::Query;
use crate::screen::Screen;
use crate::screen::event::{Flow, LoopEvent, Request, View};
use crate::screen::view::{Setup, WatchView};
use lines::Lines;
use passes::Passes;

/// The time between two passes by default.
const INTERVAL: Duration = Duration::from_secs(1);

/// Watches until the user quits, a signal arrives, or the output is closed.
pub(super) fn run(arguments: &arguments::Watch) -> Exit {
    if arguments.from.is_some() {
        complain(
            "watch scans this machine repeatedly; a saved snapshot does not change",
            "allears diff FILE shows what changed since then",
        );
        return Exit::Usage;
    }
    if !arguments.command.is_empty() {
        return command::run(arguments);
    }
    let query = match query_args::query(&arguments.filters, &arguments.source, false) {
        Ok(query) => query,
        Err(exit) => return exit,
    };
    let mut watch = Watch::new(query);
    let (sender, events) = mpsc::channel();
    let pass_on = sender.clone();
    let pass_on = move |batch| pass_on.send(LoopEvent::Sockets(batch)).is_ok();
    let (coverage, _reading) = match events::start(arguments.events, pass_on) {
        Ok(started) => started,
        Err(error) => return fail_with(&error),
    };
    if let Err(error) = watch.poll() {
        return fail_with(&error);
    }
    let mut passes = Passes::new(&coverage, watch);
    let interval = arguments.interval.unwrap_or(INTERVAL);
    let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    if io::stdout().is_terminal() && !arguments.ndjson && !dumb {
        match screen(arguments, passes.watch.query(), &coverage, &sender) {
            Ok(mut view) => {
                let end = follow(&mut passes, &mut view, interval, (&sender, &events));
                let summary = view.close();
                return written(end.and_then(|()| print(&summary)), Exit::Found);
            }
            Err(error) => say("note", &phrases::watch::no_screen(&error)),
        }
    }
    // If signals cannot be handled, they end the process by themselves.
    let _ = send_signals(false, &sender);
    let terminal = Terminal::resolve(arguments.color);
    let palette = Palette { color: terminal.color };
    let options = changes::ChangesOptions { width: None, palette, current_user: terminal::current_user() };
    let mut view = Lines::new(arguments, options);
    written(follow(&mut passes, &mut view, interval, (&sender, &events)), Exit::Found)
}

/// Prints what happened while the screen was open.
fn print(summary: &[String]) -> io::Result<()> {
    let mut out = crate::os::output();
    summary.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    out.flush()
}

fn screen(
    arguments: &arguments::Watch,
    query: &Query,
    coverage: &EventCoverage,
    sender: &Sender<LoopEvent>,
) -> io::Result<Screen> {
    let terminal = Terminal::resolve(arguments.color);
    let targets = [&arguments.filters.targets[..], &arguments.filters.internet].concat();
    let options = table::TableOptions {
        columns: arguments.rows.columns.clone(),
        states: arguments.filters.all,
        header: !arguments.rows.no_header,
        width: None,
        palette: Palette { color: terminal.color },
        current_user: terminal::current_user(),
        ..table::TableOptions::default()
    };
    let view = WatchView::new(Setup {
        what: targets.join(" "),
        selection: query.selection().clone(),
        interval: arguments.interval.unwrap_or(INTERVAL),
        order: arguments.rows.order(),
        options,
        zone: crate::os::time_zone(),
        coverage: phrases::watch::between_passes(coverage),
    });
    let screen = Screen::open(view)?;
    // Without signals and input nothing could end the screen and restore the terminal.
    send_signals(true, sender)?;
    crate::screen::read_input(sender.clone())?;
    Ok(screen)
}

/// Starts to send signals to the loop.
fn send_signals(stops: bool, sender: &Sender<LoopEvent>) -> io::Result<()> {
    let sender = sender.clone();
    crate::os::on_signals(stops, move |signal| {
        let _ = sender.send(LoopEvent::Signal(signal));
    })
}

/// Scans and shows each result, until the view or a signal ends the loop or the output is closed.
fn follow(
    passes: &mut Passes,
    view: &mut impl View,
    interval: Duration,
    (sender, events): (&Sender<LoopEvent>, &Receiver<LoopEvent>),
) -> io::Result<()> {
    passes.show_first(view)?;
    let mut next = Instant::now() + interval;
    let mut flow = Flow::Scan;
    loop {
        let now = Instant::now();
        let due = Some(next).filter(|_| flow == Flow::Scan);
        let event = match due.into_iter().chain(view.redraw_at()).min() {
            _ if due.is_some_and(|due| passes.is_overdue(due, now)) => Err(RecvTimeoutError::Timeout),
            Some(until) => events.recv_timeout(until.saturating_duration_since(now)),
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let now = Instant::now();
        match event {
            Ok(LoopEvent::Input(input)) => {
                let before = flow;
                let reaction = view.input(&input, now)?;
                flow = reaction.flow;
                if before == Flow::Pause && flow == Flow::Scan {
                    next = now;
                }
                match reaction.request {
                    Some(Request::Select(selection)) => {
                        passes.select(selection);
                        // Also while it is paused: the user asked for it.
                        passes.make(view, now)?;
                    }
                    Some(request) => requests::start(request, passes.watch.query(), sender),
                    None => {}
                }
            }
            Ok(LoopEvent::Answered(answer)) => {
                view.answer(answer, now)?;
                // Something may have been ended.
                next = now;
            }
            Ok(LoopEvent::Sockets(batch)) => {
                if passes.add_events(batch) {
                    next = next.min(passes.soonest(now));
                }
            }
            Ok(LoopEvent::Signal(Signal::End)) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(LoopEvent::Signal(signal)) => {
                view.signal(signal, now)?;
                // Shows at once what changed while the process was stopped.
                next = now;
            }
            Err(RecvTimeoutError::Timeout) if flow == Flow::Scan && now >= next => {
                passes.make(view, now)?;
                // A closed pipe ends the loop even if nothing changes.
                if crate::os::output_is_closed() {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                // A scan that took longer than the interval does not trigger a burst of scans.
                next = (next + interval).max(Instant::now());
            }
            Err(RecvTimeoutError::Timeout) => view.redraw(now)?,
        }
        if flow == Flow::Quit {
            return Ok(());
        }
    }
}
