//! For this project's own benches and fuzz targets: thin functions over parts that are private. No stability is
//! promised to anybody else. What belongs to one operating system is in `system`, which may be empty.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

pub use crate::os::internals as system;

use crate::management::proxy;
use crate::model::Target;
use crate::model::{
    Container, Process, ProcessId, Protocol, RelatedProcess, Selection, Snapshot, SupervisorKind, Text,
};
use crate::os::parse::{container_list, supervisor};
use crate::program_label;
use crate::render::order::Order;
use crate::render::{card, changes, csv, escape, json, table};
use crate::screen::event::Update;
use crate::screen::keys::KeyAction;
use crate::screen::view::{Setup, WatchView};
use crate::shell::{self, Shell};

/// Writes a snapshot as a table without colours; `None` for whole rows instead of a width.
///
/// # Errors
/// Those of the writer.
pub fn table(snapshot: &Snapshot, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let options = table::TableOptions { header: true, states: true, width, ..table::TableOptions::default() };
    table::write(snapshot, &options, out).map(|_shortened| ())
}

/// Writes a snapshot as cards without colours; `None` for whole lines instead of a width.
///
/// # Errors
/// Those of the writer.
pub fn card(snapshot: &Snapshot, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let options = card::CardOptions { parents: true, width, ..card::CardOptions::default() };
    card::write(snapshot, &options, out)
}

/// Writes a snapshot as CSV with every column that CSV has.
///
/// # Errors
/// Those of the writer.
pub fn csv(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    csv::write(snapshot, None, true, out)
}

/// Reads a snapshot in the way long files are read.
pub fn read_long_document(bytes: &[u8]) -> Option<Snapshot> {
    json::long_document::read(bytes)
}

/// Writes what is different between two snapshots, without colours.
///
/// # Errors
/// Those of the writer.
pub fn changes(before: &Snapshot, after: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    changes::write(&crate::changes(before, after), &changes::ChangesOptions::default(), out)
}

/// The screen of `watch`, 120 columns wide and 40 lines high, while a filter is typed.
pub struct FilterScreen(WatchView);

impl FilterScreen {
    /// Shows the listeners of a snapshot.
    pub fn new(snapshot: &Snapshot) -> FilterScreen {
        let mut view = WatchView::new(Setup {
            what: String::new(),
            selection: Selection::default(),
            interval: Duration::from_secs(1),
            order: Order::default(),
            options: table::TableOptions { header: true, ..table::TableOptions::default() },
            zone: TimeZone::UTC,
            coverage: String::new(),
        });
        let now = Instant::now();
        let update = Update::Scanned { snapshot, fresh: true, changes: &[], occurrences: &[], gaps: &[] };
        view.take(&update, snapshot.taken_at, now);
        view.draw(120, 40, now);
        FilterScreen(view)
    }

    /// Starts the filter and redraws. Returns the number of lines.
    pub fn start(&mut self) -> usize {
        self.press(KeyAction::StartFilter)
    }

    /// Adds a letter to the filter and redraws. Returns the number of lines.
    pub fn type_letter(&mut self, letter: char) -> usize {
        self.press(KeyAction::Type(letter))
    }

    /// Removes the last letter of the filter and redraws. Returns the number of lines.
    pub fn erase(&mut self) -> usize {
        self.press(KeyAction::Erase)
    }

    fn press(&mut self, action: KeyAction) -> usize {
        let now = Instant::now();
        self.0.apply(action, now);
        self.0.draw(120, 40, now).len()
    }
}

/// Returns whether a terminal only shows this text. Line ends are allowed.
pub fn is_inert(text: &str) -> bool {
    text.chars().all(|character| character == '\n' || !crate::model::text::acts_on_terminal(character))
}

/// Describes what would start a process again after its end, one restarter a line.
pub fn restarters(pid: u32) -> String {
    let described = crate::os::process::process_table().ok().and_then(|table| {
        let id = table.get(pid)?.id;
        let process = crate::os::describe_ids(&[id]).remove(&pid)?;
        let found = crate::management::restart::restarters(
            &process,
            &table,
            &mut crate::act::restart_sources::RestartSources,
        );
        let mut lines: String = found.iter().map(|restarter| format!("{restarter:?}\n")).collect();
        if let Some(held) = crate::management::restart::holds_for_others(&process) {
            lines.push_str(&format!("{held:?}\n"));
        }
        Some(lines)
    });
    described.unwrap_or_default()
}

/// Takes a target apart as a snapshot stores it, and makes a target of the parts.
pub fn target_of_its_parts(target: &Target) -> Option<Target> {
    Target::try_from_parts(target.parts())
}

/// A container as its runtime describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningContainer {
    /// The container.
    pub container: Container,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Protocol, address and port on the machine, port inside.
    pub published: Vec<(Protocol, Option<IpAddr>, u16, u16)>,
    /// Whether it uses the machine's own network.
    pub on_host: Option<bool>,
}

/// Returns the containers in a runtime's reply.
///
/// # Errors
/// What is wrong with the reply.
pub fn container_reply(bytes: &[u8]) -> Result<Vec<RunningContainer>, String> {
    let published = |one: &container_list::Published| (one.protocol, one.address, one.port, one.inside);
    let container = |one: container_list::Running| RunningContainer {
        container: one.container,
        addresses: one.addresses,
        published: one.published.iter().map(published).collect(),
        on_host: one.on_host,
    };
    let found = container_list::parse(bytes).map_err(|reason| reason.to_string())?;
    Ok(found.into_iter().map(container).collect())
}

/// Returns protocol, address on the machine and address in the container from the command line of docker-proxy.
pub fn docker_proxy(command: &[Text]) -> Option<(Option<Protocol>, Option<SocketAddr>, SocketAddr)> {
    proxy::proxy_arguments(command).map(|proxied| (proxied.protocol, proxied.host, proxied.inside))
}

/// Returns id and name of the container from the command line of conmon.
pub fn conmon(command: &[Text]) -> Option<(Text, Option<Text>)> {
    match proxy::proxy_by_name(&"conmon".into(), command)?.container {
        proxy::ContainerRef::Id(id, name) => Some((id, name)),
        _ => None,
    }
}

/// Returns what an interpreter or a launcher runs.
pub fn script(
    name: &Text,
    executable: Option<&Text>,
    command: &[Text],
    parent: Option<&Text>,
) -> Option<Text> {
    let parent = parent.map(|name| RelatedProcess { pid: 1, name: name.clone() });
    let process = Process {
        command: Some(command.to_vec()),
        executable: executable.cloned(),
        parents: parent.into_iter().collect(),
        ..Process::new(ProcessId { pid: 2, start: None }, name.clone())
    };
    program_label::label(&process).map(|label| label.text().clone())
}

/// Returns what kind of supervisor a process is.
pub fn supervisor_kind(name: &Text, command: &[Text]) -> Option<SupervisorKind> {
    supervisor::kind(name, &mut || command.to_vec())
}

/// Returns a command line as cards show it.
pub fn shown_command(command: &[Text]) -> String {
    escape::command_line(command)
}

/// Returns a word quoted for sh.
pub fn quoted_for_sh(word: &Text) -> Option<String> {
    shell::quote_for(Shell::Posix, word)
}
