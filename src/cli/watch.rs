//! `allears watch [TARGET]...`: one loop that looks, and a screen or lines that show what changed.

mod lines;

use std::env;
use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::arguments;
use super::exit::Exit;
use super::query_args;
use super::terminal::{self, Terminal};
use super::{complain, fail, say, written};
use crate::act::watch::Watch;
use crate::compare::Change;
use crate::model::{Error, Gap, Snapshot};
use crate::os::Signal;
use crate::render::style::Palette;
use crate::render::{changes, table};

use crate::screen::Screen;
use crate::screen::view::WatchView;
use lines::Lines;

/// What the loop is woken by, before it is time for the next look.
pub(crate) enum LoopEvent {
    /// A key on the screen, or another size of it.
    Input(crossterm::event::Event),
    /// A signal, or the end of the terminal.
    Signal(Signal),
}

/// What a view is told.
pub(crate) enum Update<'a> {
    /// A look, with what has changed since the one before; and what could not be read and is told for the first time.
    Looked { snapshot: &'a Snapshot, changes: &'a [Change], gaps: &'a [Gap] },
    /// A look that failed.
    Failed(&'a Error),
}

/// What goes on after something was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Looks, one after another.
    Look,
    /// No looks, until a key says otherwise.
    Rest,
    /// The end.
    End,
}

/// What shows the news.
pub(crate) trait View {
    fn show(&mut self, news: &Update<'_>, now: Instant) -> io::Result<()>;

    fn input(&mut self, _input: &crossterm::event::Event, _now: Instant) -> io::Result<Flow> {
        Ok(Flow::Look)
    }

    /// Stops until the process is continued, or draws again after it was.
    fn signal(&mut self, _signal: Signal, _now: Instant) -> io::Result<()> {
        Ok(())
    }

    /// When it has to be drawn again though nothing is new.
    fn stale(&self) -> Option<Instant> {
        None
    }

    fn refresh(&mut self, _now: Instant) -> io::Result<()> {
        Ok(())
    }
}

/// Watches until the user has seen enough.
pub(super) fn run(arguments: arguments::Watch) -> Exit {
    if arguments.from.is_some() {
        complain(
            "watch looks at this machine again and again; a saved snapshot stays as it is",
            "allears diff FILE tells what is different now",
        );
        return Exit::Usage;
    }
    let query = match query_args::query(&arguments.filters, &arguments.source, false) {
        Ok(query) => query,
        Err(exit) => return exit,
    };
    let mut watch = Watch::new(query);
    if let Err(error) = watch.look() {
        return fail(&error.to_string(), None);
    }
    let (sender, wakes) = mpsc::channel();
    let interval = arguments.interval;
    let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    if io::stdout().is_terminal() && !arguments.ndjson && !dumb {
        match screen(&arguments, &sender) {
            Ok(mut view) => {
                let end = follow(&mut watch, &mut view, interval, &wakes);
                drop(view);
                return written(end, Exit::Found);
            }
            Err(error) => say("note", &format!("no screen on this terminal, but lines: {error}")),
        }
    }
    // If signals cannot be handled, they end the process by themselves.
    let _ = send_signals(false, &sender);
    let terminal = Terminal::resolve(arguments.color);
    let palette = Palette { color: terminal.color };
    let options = changes::Options { width: None, palette, asker: terminal::asker() };
    let mut view = Lines::new(&arguments, options);
    written(follow(&mut watch, &mut view, interval, &wakes), Exit::Found)
}

fn screen(arguments: &arguments::Watch, sender: &Sender<LoopEvent>) -> io::Result<Screen> {
    let terminal = Terminal::resolve(arguments.color);
    let targets = [&arguments.filters.targets[..], &arguments.filters.internet].concat();
    let options = table::Options {
        columns: arguments.rows.columns.clone(),
        states: arguments.filters.all,
        header: !arguments.rows.no_header,
        width: None,
        palette: Palette { color: terminal.color },
        asker: terminal::asker(),
    };
    let board = WatchView::new(targets.join(" "), arguments.interval, arguments.rows.sort, options);
    let screen = Screen::open(board)?;
    // Without these two nothing could end the screen and give the terminal back.
    send_signals(true, sender)?;
    crate::screen::read_input(sender.clone())?;
    Ok(screen)
}

/// Sends signals to the loop.
fn send_signals(stops: bool, sender: &Sender<LoopEvent>) -> io::Result<()> {
    let sender = sender.clone();
    crate::os::on_signals(stops, move |signal| {
        let _ = sender.send(LoopEvent::Signal(signal));
    })
}

/// Looks and shows, until it is told to end or what it writes to is closed.
fn follow(
    watch: &mut Watch,
    view: &mut impl View,
    interval: Duration,
    wakes: &Receiver<LoopEvent>,
) -> io::Result<()> {
    let mut known = Gaps::default();
    if let Some(snapshot) = watch.last() {
        let gaps = known.new_among(&snapshot.gaps);
        view.show(&Update::Looked { snapshot, changes: &[], gaps: &gaps }, Instant::now())?;
    }
    let mut next = Instant::now() + interval;
    let mut then = Flow::Look;
    loop {
        let now = Instant::now();
        let due = Some(next).filter(|_| then == Flow::Look);
        let wake = match due.into_iter().chain(view.stale()).min() {
            Some(until) => wakes.recv_timeout(until.saturating_duration_since(now)),
            None => wakes.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let now = Instant::now();
        match wake {
            Ok(LoopEvent::Input(input)) => {
                let before = then;
                then = view.input(&input, now)?;
                if before == Flow::Rest && then == Flow::Look {
                    next = now;
                }
            }
            Ok(LoopEvent::Signal(Signal::End)) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(LoopEvent::Signal(signal)) => {
                view.signal(signal, now)?;
                // What happened while it was stopped shows at once.
                next = now;
            }
            Err(RecvTimeoutError::Timeout) if then == Flow::Look && now >= next => {
                match watch.look() {
                    Ok(changes) => {
                        let Some(snapshot) = watch.last() else { continue };
                        let gaps = known.new_among(&snapshot.gaps);
                        view.show(&Update::Looked { snapshot, changes: &changes, gaps: &gaps }, now)?;
                    }
                    Err(error) => view.show(&Update::Failed(&error), now)?,
                }
                // Whoever closed a pipe need not wait until something happens.
                if crate::os::output_is_closed() {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                // A look that took longer than the interval does not make the next ones come at once.
                next = (next + interval).max(Instant::now());
            }
            Err(RecvTimeoutError::Timeout) => view.refresh(now)?,
        }
        if then == Flow::End {
            return Ok(());
        }
    }
}

/// The gaps of the look before, by what they are about; their counts come and go.
#[derive(Default)]
pub(crate) struct Gaps(Vec<(crate::model::Text, crate::model::Text)>);

impl Gaps {
    /// Those that the look before did not have.
    fn new_among(&mut self, gaps: &[Gap]) -> Vec<Gap> {
        let key = |gap: &Gap| (gap.what.clone(), gap.reason.clone());
        let new = gaps.iter().filter(|gap| !self.0.contains(&key(gap))).cloned().collect();
        self.0 = gaps.iter().map(key).collect();
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_new_once() {
        let gap = |reason: &str, count| Gap::new("descriptors", reason, count, "some", None);
        let mut known = Gaps::default();
        assert_eq!(known.new_among(&[gap("permission", 5)]).len(), 1);
        assert_eq!(known.new_among(&[gap("permission", 6)]), []);
        assert_eq!(known.new_among(&[gap("permission", 6), gap("vanished", 1)]).len(), 1);
        assert_eq!(known.new_among(&[]), []);
        assert_eq!(known.new_among(&[gap("permission", 5)]).len(), 1);
    }
}
