//! The command line. Nothing of the machine is read here: help and version are printed before anything can fail.

mod filters;
pub(super) mod help;
mod next;
pub(super) mod plain;
mod wait;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use filters::{EventsName, Filters, ReaderName, SearchName, Source};
pub(super) use next::Next;
pub(super) use wait::Wait;

use crate::os::EndSignal;
use crate::render::column::Column;
use crate::render::order::Order;
use crate::render::schema::DOCUMENTS;

/// Show what holds a port
///
/// Lists the listeners on this machine and the processes that hold them: a card for one port, a table for many.
/// Reports what could not be seen, why, and what would show it.
#[derive(Debug, Parser)]
#[command(name = "allears", version, after_help = help::with_column_names(help::LIST), after_long_help = help::with_columns(help::LIST), styles = STYLES)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    #[command(flatten)]
    pub(super) list: List,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Test whether a port can be bound now; if not, show what is in the way and what helps
    Why(Why),
    /// End what holds a port, and verify that it is free
    Free(Free),
    /// Wait until something listens on ports, accepts connections or answers, or until ports are free
    Wait(Wait),
    /// Print the lowest free port
    Next(Next),
    /// Follow listeners as they change: a screen on a terminal, else one line for each event. Or run a command and
    /// report what it opened
    Watch(Box<Watch>),
    /// Compare two saved snapshots, or one with this machine now
    Diff(Diff),
    /// Explain a port number: range, IANA registry, common uses
    About(About),
    /// Print the JSON Schema of a document, or list the documents
    #[command(after_help = help::SCHEMA)]
    Schema {
        /// Document
        #[arg(value_name = "NAME", value_parser = documents())]
        name: Option<String>,
    },
    /// Print the completion script for a shell
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Print the manual, or write its pages into a folder
    Man {
        /// Folder
        #[arg(value_name = "DIR")]
        directory: Option<PathBuf>,
    },
    /// Print the help of a command
    Help {
        /// Command
        command: Option<String>,
    },
}

#[derive(Debug, Args)]
#[command(after_help = help::WHY)]
pub(super) struct Why {
    /// Ports: 10309, 127.0.0.1:10309, localhost:10309, udp/53, 8000-8010; 64 at most. TCP unless prefixed with udp/
    #[arg(value_name = "TARGET", required = true)]
    pub(super) targets: Vec<String>,

    /// Print one JSON document, schema allears/1
    #[arg(long)]
    pub(super) json: bool,

    /// Use colours; auto: on a terminal, unless NO_COLOR or TERM=dumb is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    pub(super) color: When,
}

#[derive(Debug, Args)]
#[command(after_help = help::FREE)]
pub(super) struct Free {
    /// Port: 3000, localhost:3000, udp/53; several ports and ranges need --yes. TCP unless prefixed with udp/
    #[arg(value_name = "TARGET", required_unless_present = "process")]
    pub(super) targets: Vec<String>,

    /// Free every port that a process holds whose name, program file or command line contains TEXT; with targets, only
    /// those of them (repeatable)
    #[arg(short = 'c', long = "command", value_name = "TEXT", conflicts_with = "tree", value_parser = filters::name_text)]
    pub(super) process: Vec<String>,

    /// Show the plan and do nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,

    /// Do not ask for confirmation
    #[arg(short, long)]
    pub(super) yes: bool,

    /// Wait this long for the port to become free: 500ms, 5s, 1m
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = super::duration::parse)]
    pub(super) timeout: Duration,

    /// Send SIGKILL to what still runs after the timeout (Windows: TerminateProcess)
    #[arg(short, long)]
    pub(super) force: bool,

    /// Send SIGKILL first, which no program can handle
    #[arg(short = '9', conflicts_with = "signal")]
    pub(super) kill: bool,

    /// Send this signal first instead of SIGTERM: INT, HUP, QUIT, ABRT, USR1, USR2, KILL
    #[arg(long, value_name = "SIGNAL", value_parser = end_signal)]
    pub(super) signal: Option<EndSignal>,

    /// Free the port by signals, or by one command of its container engine, service manager or supervisor
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Via::Signal)]
    pub(super) via: Via,

    /// End the whole tree of the process that started the holder: npm, make, sh -c and everything below
    #[arg(long, conflicts_with = "via")]
    pub(super) tree: bool,

    /// Print one JSON document for each port, schema allears/1
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Via {
    /// Signal the processes that hold it
    Signal,
    /// Stop its container: docker stop, podman stop, podman pod stop
    Container,
    /// Stop its service: systemctl stop
    Service,
    /// Stop it by its supervisor: supervisorctl stop, sv down, s6-svc -d, svc -d
    Supervisor,
}

/// Returns the documents that have a schema, with what each is.
fn documents() -> PossibleValuesParser {
    PossibleValuesParser::new(DOCUMENTS.map(|(name, about)| PossibleValue::new(name).help(about)))
}

fn end_signal(text: &str) -> Result<EndSignal, String> {
    EndSignal::parse(text).ok_or_else(|| {
        let known: Vec<&str> = EndSignal::names().collect();
        format!(
            "'{}' is not a signal that ends a process; use one of {}",
            text.escape_debug(),
            known.join(", ")
        )
    })
}

#[derive(Debug, Args)]
#[command(after_help = help::with_column_names(help::WATCH), after_long_help = help::with_columns(help::WATCH))]
pub(super) struct Watch {
    #[command(flatten)]
    pub(super) filters: Filters,

    /// Run this command, and report what it and its descendants open
    #[arg(last = true, value_name = "COMMAND", num_args = 1..)]
    pub(super) command: Vec<OsString>,

    /// Time between two passes, at least 100ms [default: 1s, with a command 100ms]
    #[arg(long, value_name = "DURATION", value_parser = super::duration::interval)]
    pub(super) interval: Option<Duration>,

    /// Print one line of JSON for each event: present at first, then opened, closed, changed and refused. With a command its
    /// standard output goes to standard error
    #[arg(long, help_heading = "Output")]
    pub(super) ndjson: bool,

    #[command(flatten)]
    pub(super) rows: Rows,

    /// Use colours; auto: on a terminal, unless NO_COLOR or TERM=dumb is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, help_heading = "Output")]
    pub(super) color: When,

    #[command(flatten)]
    pub(super) source: Source,

    /// How to notice what happens between two passes
    #[arg(long, value_enum, default_value_t = EventsName::Auto, value_name = "NAME", help_heading = "Source")]
    pub(super) events: EventsName,

    /// Rejected with a hint at diff
    #[arg(long, value_name = "FILE", hide = true)]
    pub(super) from: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = help::DIFF)]
pub(super) struct Diff {
    /// Snapshot saved with --json; - reads standard input
    #[arg(value_name = "OLD")]
    pub(super) old: PathBuf,

    /// Another snapshot [default: this machine now]
    #[arg(value_name = "NEW")]
    pub(super) new: Option<PathBuf>,

    /// Print one JSON document, schema allears/1
    #[arg(long)]
    pub(super) json: bool,

    /// Use colours; auto: on a terminal, unless NO_COLOR or TERM=dumb is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    pub(super) color: When,
}

#[derive(Debug, Args)]
#[command(after_help = help::ABOUT)]
pub(super) struct About {
    /// Port: 10309, tcp/443, or a service name
    #[arg(value_name = "PORT")]
    pub(super) port: String,

    /// Print one JSON document, schema allears/1
    #[arg(long)]
    pub(super) json: bool,

    /// Use colours; auto: on a terminal, unless NO_COLOR or TERM=dumb is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    pub(super) color: When,
}

#[derive(Debug, Default, Args)]
pub(super) struct List {
    #[command(flatten)]
    pub(super) filters: Filters,

    /// Show the ancestors of each holder, and its children in the card and in JSON
    #[arg(long, help_heading = "Details")]
    pub(super) parents: bool,

    /// Show the connections of each listener
    #[arg(long, help_heading = "Details")]
    pub(super) connections: bool,

    /// Test each TCP listener: connect to it over loopback, for one second at most
    #[arg(long, conflicts_with = "from", help_heading = "Details")]
    pub(super) probe: bool,

    /// Print one JSON document, schema allears/1
    #[arg(long, group = "format", help_heading = "Output")]
    pub(super) json: bool,

    /// Print one line of JSON for each listener
    #[arg(long, group = "format", help_heading = "Output")]
    pub(super) ndjson: bool,

    /// Print CSV: a header, and a row for each listener and holder
    #[arg(long, group = "format", help_heading = "Output")]
    pub(super) csv: bool,

    /// Print metrics, for node_exporter's textfile collector
    #[arg(long, group = "format", conflicts_with = "all", help_heading = "Output")]
    pub(super) openmetrics: bool,

    /// Print only the pids of the holders, one per line
    #[arg(long, group = "format", help_heading = "Output")]
    pub(super) pids: bool,

    /// Print nothing; answer by the exit status
    #[arg(short, long, group = "format", help_heading = "Output")]
    pub(super) quiet: bool,

    #[command(flatten)]
    pub(super) rows: Rows,

    /// Do not fit rows to the width of the terminal
    #[arg(long, help_heading = "Output")]
    pub(super) wide: bool,

    /// Use colours; auto: on a terminal, unless NO_COLOR or TERM=dumb is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, help_heading = "Output")]
    pub(super) color: When,

    /// Read a snapshot saved with --json instead of this machine; - reads standard input
    #[arg(long, value_name = "FILE", help_heading = "Source")]
    pub(super) from: Option<PathBuf>,

    #[command(flatten)]
    pub(super) source: Source,

    /// Report on standard error how sockets and holders were read
    #[arg(short, long, conflicts_with = "quiet", help_heading = "Output")]
    pub(super) verbose: bool,
}

impl List {
    /// Returns whether it prints a format for programs.
    pub(super) fn is_for_programs(&self) -> bool {
        self.json || self.ndjson || self.csv || self.openmetrics || self.pids
    }
}

/// The columns and the order of rows.
#[derive(Debug, Default, Args)]
pub(super) struct Rows {
    /// Columns, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "Output")]
    pub(super) columns: Option<Vec<Column>>,

    /// Sort by this column [default: port, then protocol, address, pid]
    #[arg(long, value_name = "KEY", help_heading = "Output")]
    pub(super) sort: Option<Column>,

    /// Reverse the order; rows without a value stay last
    #[arg(short, long, help_heading = "Output")]
    pub(super) reverse: bool,

    /// Print no header
    #[arg(long, help_heading = "Output")]
    pub(super) no_header: bool,
}

impl Rows {
    /// Returns the order of rows.
    pub(super) fn order(&self) -> Order {
        Order { column: self.sort, reverse: self.reverse }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    #[default]
    Auto,
    Always,
    Never,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

#[cfg(test)]
mod tests;
