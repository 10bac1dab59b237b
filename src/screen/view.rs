//! The state of the screen, what keys do with it, and its lines. Pure: the time is an argument, and what needs the
//! machine is a [`Request`] that the loop carries out.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::event::{Answer, Content, Flow, Reaction, Request, Update};
use super::history::History;
use super::keys::{Focus, KeyAction};
use super::line::Line;
use super::list::List;
use super::pane::{Pane, Shown, Surroundings, is_question};
use super::row_actions::{bind_target, copied, url};
use crate::model::{Listener, Selection};
use crate::render::escape::escape;
use crate::render::occurrences::EventLine;
use crate::render::order::Order;
use crate::render::phrases;
use crate::render::style::TextRole;
use crate::render::{changes, free, table};

/// The step in which the age of an event grows.
const AGE_STEP: Duration = Duration::from_secs(1);
/// The time for which a message is shown.
const MESSAGE: Duration = Duration::from_secs(5);

/// What a view needs from the start.
pub(crate) struct Setup {
    /// The targets as they were typed.
    pub(crate) what: String,
    pub(crate) selection: Selection,
    pub(crate) interval: Duration,
    pub(crate) order: Order,
    pub(crate) options: table::TableOptions,
    pub(crate) zone: TimeZone,
    /// What is noticed between two passes, for the help.
    pub(crate) coverage: String,
}

/// The screen without its terminal.
pub(crate) struct WatchView {
    what: String,
    interval: Duration,
    zone: TimeZone,
    coverage: String,
    list: List,
    history: History,
    scanned_at: Timestamp,
    /// When that was.
    scanned: Option<Instant>,
    started: Option<Instant>,
    unseen: usize,
    error: Option<String>,
    message: Option<(String, Instant)>,
    paused: bool,
    focus: Focus,
    pane: Option<Pane>,
    /// The number of the last request.
    requests: u64,
    /// When the list was last drawn with an event.
    event_drawn: Option<Instant>,
}

impl WatchView {
    pub(crate) fn new(setup: Setup) -> WatchView {
        WatchView {
            what: escape(&setup.what.as_str().into()),
            interval: setup.interval,
            zone: setup.zone,
            coverage: setup.coverage,
            list: List::new(setup.selection, setup.order, setup.options),
            history: History::default(),
            scanned_at: Timestamp::UNIX_EPOCH,
            scanned: None,
            started: None,
            unseen: 0,
            error: None,
            message: None,
            paused: false,
            focus: Focus::List,
            pane: None,
            requests: 0,
            event_drawn: None,
        }
    }

    /// Takes over the results of a scan.
    pub(crate) fn take(&mut self, update: &Update<'_>, at: Timestamp, now: Instant) {
        self.started.get_or_insert(now);
        match update {
            Update::Scanned { snapshot, fresh, changes, occurrences, .. } => {
                if *fresh {
                    self.list.rows.set_present(&snapshot.listeners);
                    self.unseen = self.list.rows.unseen();
                }
                self.list.rows.mark(changes, now);
                let user = &self.list.options.current_user;
                let happened = occurrences.iter().flat_map(|it| EventLine::of_occurrence(it, user));
                let changed = changes.iter().filter_map(|it| EventLine::of_change(it, at, user));
                happened.chain(changed).for_each(|line| self.history.add(line, now));
                (self.scanned_at, self.scanned, self.error) = (at, Some(now), None);
            }
            Update::Failed(error) => {
                self.error = Some(escape(&crate::os::describe_chain(*error).as_str().into()))
            }
        }
    }

    /// Shows the answer to a request. Drops it if the pane that asked is closed.
    pub(crate) fn answer(&mut self, answer: Answer, now: Instant) {
        if let Content::Opened(text) = answer.content {
            return self.say(text, now);
        }
        let Some(pane) = self.pane.as_mut().filter(|pane| pane.number == answer.number) else { return };
        pane.show(match answer.content {
            Content::Card(snapshot, automatic) => Shown::Card(snapshot, automatic),
            Content::Why(verdict) => Shown::Why(verdict),
            Content::Plan(plans) => Shown::Plan(plans, String::new()),
            Content::Freed(plans, outcomes) => Shown::Freed(plans, outcomes),
            Content::Failed(why) => Shown::Failed(escape(&why.as_str().into())),
            Content::Progress(text) => match &pane.shown {
                Shown::Freeing(plans, _) => Shown::Freeing(plans.clone(), Some(text)),
                _ => return,
            },
            Content::Opened(_) => return,
        });
    }

    /// Returns what has the keyboard.
    pub(crate) fn focus(&self) -> Focus {
        self.pane.as_ref().map_or(self.focus, Pane::focus)
    }

    /// Applies a key's action.
    pub(crate) fn apply(&mut self, action: KeyAction, now: Instant) -> Reaction {
        if action == KeyAction::Quit {
            return Flow::Quit.into();
        }
        let request = match (action, self.focus()) {
            (action, Focus::Pane | Focus::Question) => self.apply_to_pane(action, now),
            (KeyAction::Back, Focus::List) if self.list.filter.is_empty() => return Flow::Quit.into(),
            (action, _) => self.apply_to_list(action, now),
        };
        Reaction { flow: self.flow(), request }
    }

    fn apply_to_pane(&mut self, action: KeyAction, now: Instant) -> Option<Request> {
        let pane = self.pane.as_mut()?;
        let busy = pane.is_busy();
        match (action, &mut pane.shown) {
            (KeyAction::Move(by), _) => pane.scroll(by),
            (KeyAction::Page(by), _) => pane.scroll(by.saturating_mul(pane.page())),
            (KeyAction::Top, _) => pane.scroll(isize::MIN),
            (KeyAction::Bottom, _) => pane.scroll(isize::MAX),
            _ if busy => {}
            (KeyAction::Type(letter), Shown::Plan(_, answer)) if answer.len() < 10 => {
                answer.extend(letter.is_ascii_alphabetic().then_some(letter));
            }
            (KeyAction::Erase, Shown::Plan(_, answer)) => drop(answer.pop()),
            (KeyAction::Clear, Shown::Plan(_, answer)) => answer.clear(),
            (KeyAction::Accept, Shown::Plan(plans, answer)) if free::is_yes(answer) && is_question(plans) => {
                let plans = plans.clone();
                pane.show(Shown::Freeing(plans.clone(), None));
                return Some(Request::CarryOut(pane.number, plans));
            }
            (KeyAction::Accept, _) | (KeyAction::Back, Shown::Plan(..)) => {
                self.pane = None;
                self.say(phrases::release::NOTHING_DONE.to_owned(), now);
            }
            (KeyAction::Back, _) => self.pane = None,
            (KeyAction::Why | KeyAction::Free | KeyAction::Help | KeyAction::History, _) => {
                return self.open_pane(action, now);
            }
            _ => {}
        }
        None
    }

    fn apply_to_list(&mut self, action: KeyAction, now: Instant) -> Option<Request> {
        match action {
            KeyAction::Pause => self.paused = !self.paused,
            KeyAction::Sort => self.list.next_order(),
            KeyAction::Reverse => self.list.reverse(),
            KeyAction::Move(by) => self.list.move_by(by),
            KeyAction::Page(by) => self.list.move_by(by.saturating_mul(self.list.page())),
            KeyAction::Top => self.list.move_by(isize::MIN),
            KeyAction::Bottom => self.list.move_by(isize::MAX),
            KeyAction::Toggle(toggle) => return self.list.toggle(toggle).map(Request::Select),
            KeyAction::StartFilter => {
                self.list.start_filter();
                self.focus = Focus::Filter;
            }
            KeyAction::StartCopy => self.focus = Focus::Copy,
            KeyAction::Accept => self.focus = Focus::List,
            KeyAction::Back if self.focus == Focus::Copy => self.focus = Focus::List,
            KeyAction::Type(_) | KeyAction::Erase | KeyAction::Clear | KeyAction::Back => {
                match action {
                    KeyAction::Type(character) => self.list.filter.push(character),
                    KeyAction::Erase => self.list.filter.pop(),
                    _ => self.list.filter.clear(),
                }
                if action == KeyAction::Back {
                    self.focus = Focus::List;
                }
                self.list.rows.filter_again();
            }
            KeyAction::Copy(what) => {
                self.focus = Focus::List;
                let text = self.of_selected(|listener| copied(listener, what), now)?;
                self.say(format!("copied: {}", escape(&text.as_str().into())), now);
                return Some(Request::Copy(text));
            }
            KeyAction::Open => {
                let url = self.of_selected(url, now)?;
                self.requests += 1;
                return Some(Request::Open(self.requests, url));
            }
            KeyAction::Card | KeyAction::Why | KeyAction::Free | KeyAction::Help | KeyAction::History => {
                return self.open_pane(action, now);
            }
            KeyAction::Quit => {}
        }
        None
    }

    /// Opens a pane, and returns the request for what it shows.
    fn open_pane(&mut self, action: KeyAction, now: Instant) -> Option<Request> {
        let number = self.requests + 1;
        let (title, shown, request) = match action {
            KeyAction::Help => ("Keys".to_owned(), Shown::Help, None),
            KeyAction::History => ("Events, the latest first".to_owned(), Shown::History, None),
            KeyAction::Card => {
                let sockets: Vec<_> = self.list.all_selected().map(|one| one.socket.clone()).collect();
                let title = self.of_selected(|listener| Ok(place(listener)), now)?;
                (title, Shown::Waiting("scanning...".to_owned()), Some(Request::Card(number, sockets)))
            }
            KeyAction::Why | KeyAction::Free => {
                let of = |listener: &Listener| Ok((bind_target(listener)?, place(listener)));
                let (target, place) = self.of_selected(of, now)?;
                let (name, waiting) = match action {
                    KeyAction::Why => ("why", "testing whether the port can be bound..."),
                    _ => ("free", "planning; nothing is done yet..."),
                };
                let title = format!("{name} {place}");
                let request = match action {
                    KeyAction::Why => Request::Why(number, target),
                    _ => Request::Plan(number, target),
                };
                (title, Shown::Waiting(waiting.to_owned()), Some(request))
            }
            _ => return None,
        };
        self.requests = number;
        self.pane = Some(Pane::new(title, shown, number));
        request
    }

    /// Returns a fact of the selected listener, or shows why there is none.
    fn of_selected<T>(
        &mut self,
        fact: impl FnOnce(&Listener) -> Result<T, String>,
        now: Instant,
    ) -> Option<T> {
        let fact = self.list.selected().map_or_else(|| Err("no row is selected".to_owned()), fact);
        fact.map_err(|why| self.say(why, now)).ok()
    }

    /// Shows a message for a while.
    fn say(&mut self, text: String, now: Instant) {
        self.message = Some((text, now + MESSAGE));
    }

    /// Returns what the loop does next.
    pub(crate) fn flow(&self) -> Flow {
        if self.paused { Flow::Pause } else { Flow::Scan }
    }

    /// Returns whether the view is coloured.
    pub(crate) fn color(&self) -> bool {
        self.list.options.palette.color
    }

    /// Returns what happened, in lines for the terminal after the screen is left.
    pub(crate) fn summary(&self, now: Instant) -> Vec<String> {
        let length = self.started.map(|started| now.saturating_duration_since(started));
        self.history.summary(length.unwrap_or_default(), &self.zone)
    }

    /// Returns when the next mark or message expires, or when the age of an event is out of date. Marks stay while the view
    /// is paused.
    pub(crate) fn redraw_at(&self) -> Option<Instant> {
        let mark = self.list.rows.expires_at().filter(|_| !self.paused);
        let message = self.message.as_ref().map(|(_, until)| *until);
        // Otherwise the next pass redraws it.
        let stands_still = self.paused || self.interval > AGE_STEP;
        let age = self.event_drawn.filter(|_| stands_still && self.pane.is_none()).map(|at| at + AGE_STEP);
        mark.into_iter().chain(message).chain(age).min()
    }

    /// Returns the lines of the screen, at most `width` columns wide and at most `height` of them.
    pub(crate) fn draw(&mut self, width: usize, height: usize, now: Instant) -> Vec<Line> {
        self.message.take_if(|(_, until)| *until <= now);
        let mut lines = match &mut self.pane {
            Some(pane) => {
                // The clock of the last scan, so that the same state has the same lines.
                let around = Surroundings {
                    current_user: &self.list.options.current_user,
                    history: &self.history,
                    zone: &self.zone,
                    coverage: &self.coverage,
                    now: self.scanned_at,
                };
                pane.draw(width, height, &around)
            }
            None => self.draw_list(width, height, now),
        };
        for line in &mut lines {
            line.fit(width);
        }
        lines
    }

    fn draw_list(&mut self, width: usize, height: usize, now: Instant) -> Vec<Line> {
        let status = self.status().filter(|_| height >= 3);
        let filter = self.filter_line().filter(|_| height >= 3);
        self.event_drawn = self.history.last().map(|_| now);
        let has_event = height >= 6 && (self.message.is_some() || self.history.last().is_some());
        let below = usize::from(status.is_some())
            + usize::from(filter.is_some())
            + usize::from(has_event)
            + usize::from(height >= 5);
        let heading = usize::from(height >= 4 && self.list.options.header);
        let room = height.saturating_sub(1 + heading + below);
        let moving = (!self.paused).then_some(now);
        let visible = self.list.draw(width, room, self.scanned_at, moving);
        let mut lines = vec![self.title(visible.of, visible.first, room)];
        lines.extend(visible.heading.filter(|_| heading > 0));
        lines.extend(visible.rows);
        lines.resize(height.saturating_sub(below).max(1), Line::default());
        lines.extend(status);
        lines.extend(filter);
        lines.extend(self.event_line(now).filter(|_| has_event));
        lines.extend((height >= 5).then(|| self.keys()));
        lines.truncate(height);
        lines
    }

    /// `3000  2 rows, 4-9 of 30  every 1s, scanned at 18:40:10 UTC`
    fn title(&self, rows: usize, first: usize, room: usize) -> Line {
        let what = if self.what.is_empty() { "all listeners" } else { &self.what };
        let count = match rows {
            0 if self.list.rows.total() > 0 => "nothing is shown".to_owned(),
            0 => "nothing listens".to_owned(),
            rows if rows <= room => format!("{rows} {}", if rows == 1 { "row" } else { "rows" }),
            rows => format!("{}-{} of {rows}", first + 1, (first + room).min(rows)),
        };
        let time = self.scanned_at.to_zoned(self.zone.clone()).strftime("%H:%M:%S %Z").to_string();
        let every = match self.paused {
            true => "PAUSED".to_owned(),
            false => format!("every {}", spell(self.interval)),
        };
        let mut line = Line::new(what, Some(TextRole::Subject));
        line.pieces.push((format!("  {count}{}", self.list.arrangement()), None));
        line.pieces.push((format!("  {every}, scanned at {time}"), Some(TextRole::Label)));
        line
    }

    /// Returns the line about errors and gaps, if there are any.
    fn status(&self) -> Option<Line> {
        let text = match &self.error {
            Some(error) => phrases::watch::retrying(error),
            None => phrases::summary::unseen(self.unseen, false)?,
        };
        Some(Line::new(text, Some(TextRole::Unseen)))
    }

    fn filter_line(&self) -> Option<Line> {
        let typing = self.focus == Focus::Filter;
        if self.list.filter.is_empty() && !typing {
            return None;
        }
        let mut line = Line::new(format!("/{}", self.list.filter.shown()), Some(TextRole::Subject));
        let hint = if typing { "_  Enter keeps  Esc clears" } else { "  Esc clears" };
        line.pieces.push((hint.to_owned(), Some(TextRole::Label)));
        Some(line)
    }

    /// Returns the message, or the last event.
    fn event_line(&self, now: Instant) -> Option<Line> {
        if let Some((message, _)) = &self.message {
            return Some(Line::new(message.clone(), Some(TextRole::Subject)));
        }
        let event = self.history.last()?;
        Some(event.line(self.list.hidden(&event.key), self.history.others(), &self.zone, now))
    }

    fn keys(&self) -> Line {
        let pause = if self.paused { "resumes" } else { "pauses" };
        let text = match self.focus {
            Focus::Copy => "copy:  p pid  a address  c command line  other keys cancel".to_owned(),
            _ => format!(
                "q quits  ? help  Enter card  w why  f free  / filters  s sorts  space {pause}  E events"
            ),
        };
        Line::new(text, Some(TextRole::Label))
    }
}

/// `3000/tcp 127.0.0.1`
fn place(listener: &Listener) -> String {
    format!("{} {}", changes::port_column(listener), phrases::address(&listener.socket))
}

fn spell(interval: Duration) -> String {
    match interval.as_millis() {
        milliseconds if milliseconds % 1000 != 0 => format!("{milliseconds}ms"),
        milliseconds => format!("{}s", milliseconds / 1000),
    }
}
