use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::event::{Answer, Content, Flow, Request, Update};
use super::keys::{Focus, KeyAction};
use super::line::Line;
use super::row_actions::Copied;
use super::rows::MARKED;
use super::toggles::Toggle;
use super::view::{Setup, WatchView};
use crate::compare::changes;
use crate::model::{Selection, Snapshot};
use crate::render::order::Order;
use crate::render::table;

fn saved() -> Snapshot {
    crate::render::json::read(&std::fs::read("tests/replay/workstation.json").unwrap()).unwrap()
}

fn view() -> WatchView {
    let options = table::TableOptions { header: true, ..table::TableOptions::default() };
    WatchView::new(Setup {
        what: String::new(),
        selection: Selection::default(),
        interval: Duration::from_secs(1),
        order: Order::default(),
        options,
        zone: TimeZone::UTC,
        coverage: "what opens and closes is noticed".to_owned(),
    })
}

fn take(view: &mut WatchView, before: Option<&Snapshot>, snapshot: &Snapshot, now: Instant) {
    let changes = before.map(|before| changes(before, snapshot)).unwrap_or_default();
    let update = Update::Scanned { snapshot, fresh: true, changes: &changes, occurrences: &[], gaps: &[] };
    view.take(&update, snapshot.taken_at, now);
}

fn text(lines: &[Line]) -> String {
    let text = |line: &Line| line.pieces.iter().map(|(text, _)| text.as_str()).collect::<String>();
    lines.iter().map(|line| format!("{}\n", text(line).trim_end())).collect()
}

fn without_port(snapshot: &Snapshot, port: u16) -> Snapshot {
    let mut rest = snapshot.clone();
    rest.listeners.retain(|listener| listener.socket.endpoint.port() != Some(port));
    rest
}

/// Types a text into the filter, and leaves it with Enter.
fn filter(view: &mut WatchView, text: &str, now: Instant) {
    view.apply(KeyAction::StartFilter, now);
    assert_eq!(view.focus(), Focus::Filter);
    text.chars().for_each(|character| drop(view.apply(KeyAction::Type(character), now)));
    view.apply(KeyAction::Accept, now);
}

/// The row of the cursor.
fn cursor(view: &mut WatchView, now: Instant) -> String {
    let lines = view.draw(100, 30, now);
    let selected: Vec<Line> = lines.into_iter().filter(|line| line.selected).collect();
    assert!(selected.len() <= 1, "one cursor: {selected:?}");
    text(&selected)
}

#[test]
fn what_came_and_went_is_marked_for_a_while() {
    let before = saved();
    let mut after = without_port(&before, 22);
    let other = after.listeners.iter().position(|one| one.socket.endpoint.port() == Some(3000)).unwrap();
    after.listeners[other].holders[0].process.id.pid = 77;
    let earlier = without_port(&before, 5353);
    let (mut view, now) = (view(), Instant::now());
    take(&mut view, None, &earlier, now);
    assert!(!text(&view.draw(80, 30, now)).contains("\n + "));
    take(&mut view, Some(&earlier), &after, now);
    insta::assert_snapshot!(text(&view.draw(80, 24, now)));
    assert_eq!(view.redraw_at(), Some(now + MARKED));
    let later = text(&view.draw(80, 24, now + MARKED));
    assert!(!later.contains("\n + ") && !later.contains("\n - ") && !later.contains("\n ~ "), "{later}");
    assert!(later.contains("(5 s ago)"), "the last event stays: {later}");
}

#[test]
fn keys_move_the_cursor_within_the_rows_and_the_view_follows() {
    let (mut view, now) = (view(), Instant::now());
    take(&mut view, None, &saved(), now);
    let selected = |view: &mut WatchView| {
        let lines = view.draw(80, 8, now);
        assert_eq!(lines.iter().filter(|line| line.selected).count(), 1, "the cursor is visible");
        text(&lines.into_iter().filter(|line| line.selected).collect::<Vec<_>>())
    };
    let top = selected(&mut view);
    for (action, moved) in [
        (KeyAction::Move(-1), false),
        (KeyAction::Move(1), true),
        (KeyAction::Top, false),
        (KeyAction::Page(1), true),
        (KeyAction::Page(-1), false),
        (KeyAction::Bottom, true),
    ] {
        assert_eq!(view.apply(action, now).flow, Flow::Scan);
        assert_eq!(selected(&mut view) != top, moved, "{action:?}");
    }
    let bottom = selected(&mut view);
    view.apply(KeyAction::Page(9), now);
    assert_eq!(selected(&mut view), bottom);
    assert_eq!(view.apply(KeyAction::Quit, now).flow, Flow::Quit);
}

#[test]
fn the_cursor_stays_on_its_listener() {
    let all = saved();
    let fewer = without_port(&without_port(&all, 22), 53);
    let (mut view, now) = (view(), Instant::now());
    take(&mut view, None, &fewer, now);
    while !cursor(&mut view, now).contains("3000") {
        view.apply(KeyAction::Move(1), now);
    }
    let later = now + MARKED;
    take(&mut view, Some(&fewer), &all, now);
    assert!(cursor(&mut view, now).contains("3000"), "rows above it opened");
    view.apply(KeyAction::Reverse, now);
    view.apply(KeyAction::Sort, now);
    assert!(cursor(&mut view, now).contains("3000"), "another order");
    let mut restarted = all.clone();
    for listener in &mut restarted.listeners {
        listener.socket.inode = listener.socket.inode.map(|inode| inode + 1_000_000);
    }
    take(&mut view, None, &restarted, later);
    assert!(cursor(&mut view, later).contains("3000"), "another socket at the same address");
    let gone = without_port(&all, 3000);
    take(&mut view, Some(&all), &gone, later);
    assert!(cursor(&mut view, later).contains("- 3000"), "it closed and is still shown");
    assert!(!cursor(&mut view, later + MARKED).contains("3000"));
    assert!(!cursor(&mut view, later + MARKED).is_empty(), "the row at the same place");
}

#[test]
fn a_filter_narrows_while_it_is_typed() {
    let (mut view, now) = (view(), Instant::now());
    take(&mut view, None, &saved(), now);
    filter(&mut view, "NOD", now);
    insta::assert_snapshot!(text(&view.draw(80, 12, now)));
    assert_eq!(view.apply(KeyAction::Back, now).flow, Flow::Scan, "clears the filter and does not quit");
    assert!(!text(&view.draw(80, 12, now)).contains("/NOD"));
    filter(&mut view, "no such program", now);
    let nothing = text(&view.draw(80, 12, now));
    assert!(nothing.contains("nothing is shown"), "{nothing}");
    assert!(view.apply(KeyAction::Card, now).request.is_none(), "no row is selected");
    view.apply(KeyAction::Back, now);
    assert_eq!(view.apply(KeyAction::Back, now).flow, Flow::Quit);
}

#[test]
fn toggles_hide_at_once_or_ask_for_more() {
    let (mut view, now) = (view(), Instant::now());
    take(&mut view, None, &saved(), now);
    assert!(text(&view.draw(100, 30, now)).contains("udp"));
    assert!(view.apply(KeyAction::Toggle(Toggle::Udp), now).request.is_none());
    let hidden = text(&view.draw(100, 30, now));
    assert!(!hidden.contains("  udp  ") && hidden.contains("without udp"), "{hidden}");
    let request = view.apply(KeyAction::Toggle(Toggle::Unix), now).request;
    let Some(Request::Select(selection)) = request else { panic!("{request:?}") };
    assert!(selection.wants(crate::model::Protocol::Unix) && selection.wants(crate::model::Protocol::Udp));
    assert!(view.apply(KeyAction::Toggle(Toggle::Unix), now).request.is_none());
    assert!(view.apply(KeyAction::Toggle(Toggle::Unix), now).request.is_none(), "it is read already");
}

#[test]
fn the_event_line_names_what_is_not_visible() {
    let (all, now) = (saved(), Instant::now());
    let before = without_port(&all, 3000);
    let mut view = view();
    take(&mut view, None, &before, now);
    assert!(view.summary(now).is_empty());
    filter(&mut view, "sshd", now);
    take(&mut view, Some(&before), &all, now);
    let line = |view: &mut WatchView, height: usize| {
        let text = text(&view.draw(100, height, now));
        text.lines().rev().nth(1).unwrap().to_owned()
    };
    let filtered = line(&mut view, 20);
    assert!(filtered.contains("opened 3000/tcp") && filtered.contains("filtered out"), "{filtered}");
    view.apply(KeyAction::Back, now);
    assert!(!line(&mut view, 30).contains("filtered out"));
    view.apply(KeyAction::Bottom, now);
    assert!(line(&mut view, 7).contains("off the screen"));
    let summary = view.summary(now + Duration::from_secs(90));
    assert_eq!(summary.first().map(String::as_str), Some("1 opened in 90 s"));
    assert!(summary[1].contains("3000/tcp"), "{summary:?}");
}

#[test]
fn the_history_has_every_event() {
    let (all, now) = (saved(), Instant::now());
    let without = without_port(&all, 3000);
    let mut view = view();
    take(&mut view, None, &all, now);
    take(&mut view, Some(&all), &without, now);
    take(&mut view, Some(&without), &all, now);
    view.apply(KeyAction::History, now);
    insta::assert_snapshot!(text(&view.draw(80, 12, now)));
    insta::assert_snapshot!("history_in_40_columns", text(&view.draw(40, 12, now)));
    view.apply(KeyAction::Back, now);
    assert_eq!(view.focus(), Focus::List);
}

#[test]
fn the_help_lists_every_key() {
    let (mut view, now) = (view(), Instant::now());
    take(&mut view, None, &saved(), now);
    view.apply(KeyAction::Help, now);
    insta::assert_snapshot!(text(&view.draw(80, 44, now)));
    let narrow = text(&view.draw(40, 12, now));
    assert!(narrow.contains("lines 1-10 of"), "{narrow}");
    view.apply(KeyAction::Bottom, now);
    assert!(text(&view.draw(40, 12, now)).contains("opened, closed"));
}

#[test]
fn a_card_is_asked_for_and_shown() {
    let (all, now) = (saved(), Instant::now());
    let mut view = view();
    take(&mut view, None, &all, now);
    filter(&mut view, ":3000", now);
    view.draw(80, 24, now);
    let request = view.apply(KeyAction::Card, now).request;
    let Some(Request::Card(number, sockets)) = request else { panic!("{request:?}") };
    assert!(sockets.iter().all(|socket| socket.endpoint.port() == Some(3000)));
    assert!(text(&view.draw(80, 24, now)).contains("scanning..."));
    let mut one = all.clone();
    one.listeners.retain(|listener| sockets.contains(&listener.socket));
    let stale = Answer { number: number + 1, content: Content::Failed("stale".to_owned()) };
    view.answer(stale, now);
    assert!(text(&view.draw(80, 24, now)).contains("scanning..."), "an answer to something else");
    view.answer(Answer { number, content: Content::Card(one.into(), None) }, now);
    insta::assert_snapshot!(text(&view.draw(80, 24, now)));
    assert!(view.draw(80, 24, now).iter().flat_map(|line| &line.pieces).any(|(_, role)| role.is_some()));
    insta::assert_snapshot!("a_card_in_40_columns", text(&view.draw(40, 20, now)));
    view.apply(KeyAction::Back, now);
    assert!(cursor(&mut view, now).contains("3000"));
}

#[test]
fn a_question_takes_only_a_clear_yes() {
    let (mut view, now) = (view(), Instant::now());
    take(&mut view, None, &saved(), now);
    filter(&mut view, ":3000", now);
    for (typed, accepted) in [("", false), ("n", false), ("yy", false), ("y", true)] {
        view.draw(80, 24, now);
        let request = view.apply(KeyAction::Free, now).request;
        let Some(Request::Plan(number, target)) = request else { panic!("{request:?}") };
        assert_eq!(target.single_port(), Some(3000));
        let plans = vec![crate::act::prepare::Prepared::for_tests(saved(), 3000)];
        view.answer(Answer { number, content: Content::Plan(plans.into()) }, now);
        assert_eq!(view.focus(), Focus::Question);
        if accepted {
            insta::assert_snapshot!(text(&view.draw(80, 24, now)));
        }
        typed.chars().for_each(|letter| drop(view.apply(KeyAction::Type(letter), now)));
        let request = view.apply(KeyAction::Accept, now).request;
        assert_eq!(matches!(request, Some(Request::CarryOut(..))), accepted, "{typed:?}");
        if accepted {
            assert_eq!(view.apply(KeyAction::Back, now).flow, Flow::Scan);
            assert!(text(&view.draw(80, 24, now)).contains("freeing the port"), "it cannot be left");
        } else {
            assert!(text(&view.draw(80, 24, now)).contains("nothing was done"));
        }
    }
}

#[test]
fn what_is_copied_is_chosen_by_a_second_key() {
    let (mut view, now) = (view(), Instant::now());
    take(&mut view, None, &saved(), now);
    filter(&mut view, ":3000", now);
    view.draw(80, 24, now);
    view.apply(KeyAction::StartCopy, now);
    assert!(text(&view.draw(80, 24, now)).contains("copy:  p pid"));
    let request = view.apply(KeyAction::Copy(Copied::Address), now).request;
    let Some(Request::Copy(copied)) = request else { panic!("{request:?}") };
    assert!(copied.ends_with(":3000"), "{copied}");
    assert!(text(&view.draw(80, 24, now)).contains("copied: "));
    view.apply(KeyAction::StartCopy, now);
    assert!(view.apply(KeyAction::Back, now).request.is_none());
    assert_eq!(view.focus(), Focus::List);
}

#[test]
fn a_pause_keeps_the_marks_and_a_key_selects_the_order() {
    let (mut view, now) = (view(), Instant::now());
    let none = Snapshot { listeners: Vec::new(), ..saved() };
    take(&mut view, None, &none, now);
    assert!(text(&view.draw(80, 24, now)).contains("nothing listens"));
    take(&mut view, Some(&none), &saved(), now);
    assert_eq!(view.apply(KeyAction::Pause, now).flow, Flow::Pause);
    let paused = text(&view.draw(80, 24, now + MARKED * 2));
    assert!(paused.contains("PAUSED") && paused.contains("\n + "), "{paused}");
    let age_changes = now + MARKED * 2 + Duration::from_secs(1);
    assert_eq!((view.redraw_at(), view.apply(KeyAction::Pause, now).flow), (Some(age_changes), Flow::Scan));
    view.apply(KeyAction::Sort, now);
    assert!(text(&view.draw(80, 24, now)).contains("by process"));
    (1..5).for_each(|_| assert_eq!(view.apply(KeyAction::Sort, now).flow, Flow::Scan));
    assert!(!text(&view.draw(80, 24, now)).contains(", by "));
}

#[test]
fn a_failed_scan_is_shown_until_the_next_one() {
    let (mut view, now) = (view(), Instant::now());
    take(&mut view, None, &saved(), now);
    let error =
        crate::model::Error::new(crate::model::ErrorKind::SocketTable, "cannot read\u{1b}[31m the table");
    view.take(&Update::Failed(&error), Timestamp::UNIX_EPOCH, now);
    assert!(text(&view.draw(80, 24, now)).contains("cannot read\\x1b[31m the table; retrying"));
    take(&mut view, None, &saved(), now);
    assert!(!text(&view.draw(80, 24, now)).contains("retrying"));
}

#[test]
fn it_fits_every_size() {
    let (mut view, now) = (view(), Instant::now());
    let none = Snapshot { listeners: Vec::new(), ..saved() };
    take(&mut view, Some(&none), &saved(), now);
    filter(&mut view, "o", now);
    let check = |view: &mut WatchView| {
        for width in [0, 1, 2, 3, 10, 20, 40, 60, 200] {
            for height in 0..40 {
                let lines = view.draw(width, height, now);
                assert!(lines.len() <= height, "{width} {height}");
                let wide = |line: &&str| unicode_width::UnicodeWidthStr::width(*line) > width;
                assert_eq!(text(&lines).lines().find(wide), None, "{width} {height}");
            }
        }
    };
    check(&mut view);
    insta::assert_snapshot!(text(&view.draw(20, 12, now)));
    insta::assert_snapshot!("it_fits_40_columns", text(&view.draw(40, 14, now)));
    for action in [KeyAction::Help, KeyAction::History] {
        view.apply(action, now);
        check(&mut view);
        view.apply(KeyAction::Back, now);
    }
}
