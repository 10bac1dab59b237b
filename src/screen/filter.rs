//! The filter that is typed: a text among the facts of a listener, in either case, or targets.

use crate::model::{Endpoint, Listener, Target};
use crate::render::column::Column;
use crate::render::current_user::CurrentUser;
use crate::render::escape::escape;
use crate::render::{changes, phrases};

/// The longest text that is typed, in characters.
const LONGEST: usize = 200;

/// A text that is searched for.
#[derive(Debug, Default)]
pub(super) struct Filter {
    text: String,
    lowercase: String,
    /// The targets that the text means. A word alone is only a text: it would be the name of a service.
    targets: Vec<Target>,
}

impl Filter {
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns the text, safe to show.
    pub(super) fn shown(&self) -> String {
        escape(&self.text.as_str().into())
    }

    /// Adds a character.
    pub(super) fn push(&mut self, character: char) {
        if self.text.chars().count() < LONGEST {
            self.text.push(character);
            self.read();
        }
    }

    /// Removes the last character.
    pub(super) fn pop(&mut self) {
        self.text.pop();
        self.read();
    }

    pub(super) fn clear(&mut self) {
        *self = Filter::default();
    }

    fn read(&mut self) {
        self.lowercase = self.text.trim().to_lowercase();
        let is_target = self.text.contains(|letter: char| letter.is_ascii_digit() || "/:@".contains(letter));
        let targets = || Target::parse_list(self.text.trim()).unwrap_or_default();
        self.targets = if is_target { targets() } else { Vec::new() };
    }

    /// Returns whether a listener matches. `facts` are its [`facts`].
    pub(super) fn matches<'a>(&self, listener: &Listener, facts: impl FnOnce() -> &'a str) -> bool {
        self.lowercase.is_empty()
            || self.targets.iter().any(|target| target.answered_by(&listener.socket).is_some())
            || facts().contains(&self.lowercase)
    }
}

/// Returns what can be searched for of a listener, in lower case: what is shown of it, and all of its holders.
pub(super) fn facts(listener: &Listener, columns: &[Column], current_user: &CurrentUser) -> String {
    // A text that is searched for has no line end.
    let mut facts = String::with_capacity(256);
    let mut add = |fact: &str| {
        facts.push_str(fact);
        facts.push('\n');
    };
    add(&changes::port_column(listener));
    add(&phrases::address(&listener.socket));
    if let Endpoint::Ip { address, port, .. } = &listener.socket.endpoint {
        add(&std::net::SocketAddr::new(*address, *port).to_string());
    }
    for holder in &listener.holders {
        let process = &holder.process;
        add(&phrases::process_name(&process.name));
        add(&process.id.pid.to_string());
        phrases::holder_user(holder).iter().for_each(|user| add(user));
        process.project.iter().for_each(|project| add(&phrases::project(project, current_user)));
    }
    if listener.holders.is_empty() {
        phrases::socket_user(&listener.socket).iter().for_each(|user| add(user));
    }
    for candidate in listener.unseen.iter().flat_map(|unseen| &unseen.candidates) {
        add(&phrases::process_name(&candidate.name));
    }
    add(&phrases::description_and_condition(listener, current_user));
    let timeless = |column: &&Column| !matches!(column, Column::Age);
    for column in [Column::Service, Column::Container, Column::Project].iter().chain(columns).filter(timeless)
    {
        add(&column.value(listener, listener.head(), jiff::Timestamp::UNIX_EPOCH));
    }
    match facts.is_ascii() {
        true => facts.make_ascii_lowercase(),
        false => facts = facts.to_lowercase(),
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(text: &str) -> Vec<u16> {
        let saved = std::fs::read("tests/replay/workstation.json").unwrap();
        let snapshot = crate::render::json::read(&saved).unwrap();
        let mut filter = Filter::default();
        text.chars().for_each(|character| filter.push(character));
        let is_match = |listener: &&Listener| {
            let facts = facts(listener, &[], &CurrentUser::default());
            filter.matches(listener, || &facts)
        };
        let mut ports: Vec<u16> =
            snapshot.listeners.iter().filter(is_match).filter_map(|one| one.socket.endpoint.port()).collect();
        ports.dedup();
        ports
    }

    #[test]
    fn a_text_or_a_target_matches() {
        let all = ports("");
        assert!(all.len() > 5, "{all:?}");
        assert_eq!(ports(":3000"), [3000]);
        assert_eq!(ports("udp/5353"), [5353]);
        assert_eq!(ports(" NODE "), ports("node"));
        assert!(ports("node").contains(&3000) && !ports("node").contains(&22));
        assert!(ports("1-65535") == all, "a range");
        assert!(ports("127.0.0.1:").iter().all(|port| all.contains(port)));
        assert_eq!(ports("no such program"), [0; 0]);
    }

    #[test]
    fn a_filter_that_is_typed_is_escaped_and_can_be_erased() {
        let mut filter = Filter::default();
        "a\u{1b}".chars().for_each(|character| filter.push(character));
        assert_eq!(filter.shown(), "a\\x1b");
        filter.pop();
        assert_eq!(filter.shown(), "a");
        (0..500).for_each(|_| filter.push('x'));
        assert_eq!(filter.shown().len(), LONGEST);
        filter.clear();
        assert!(filter.is_empty());
    }
}
