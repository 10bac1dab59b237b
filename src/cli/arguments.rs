//! What the user typed. No look at the machine happens here: help and version answer before anything can fail.

mod filters;
mod help;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use filters::{Filters, ReaderName, SearchName, Source};

use crate::os::EndSignal;
use crate::render::column::Column;

/// What holds this port?
///
/// Lists what listens on this machine and which processes hold it: a card for one port, a table for many.
/// What could not be seen is said, with the reason and what would show it.
#[derive(Debug, Parser)]
#[command(name = "allears", version, after_help = help::LIST, styles = STYLES)]
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
    /// Can this port be bound now? If not, what stands in the way, and what helps
    Why(Why),
    /// End what holds a port, and prove that it is free
    Free(Free),
    /// Wait until something listens on a port, or until it is free
    Wait(Wait),
    /// Show what listens as it changes: a screen on a terminal, else a line for each event
    Watch(Watch),
    /// What is different between two saved snapshots, or between one and now
    Diff(Diff),
    /// What is known of a port number: range, IANA registry, common uses
    About(About),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual, or write it into a folder
    Man {
        /// The folder
        directory: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
#[command(after_help = help::WHY)]
pub(super) struct Why {
    /// The port: 10309, 127.0.0.1:10309, [::1]:10309, udp/53. TCP unless it says udp/
    #[arg(value_name = "TARGET")]
    pub(super) target: String,

    /// One JSON document, schema allears/1
    #[arg(long)]
    pub(super) json: bool,

    /// Colours: auto means on a terminal, unless NO_COLOR or TERM=dumb say otherwise
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    pub(super) color: When,
}

#[derive(Debug, Args)]
#[command(after_help = help::FREE)]
pub(super) struct Free {
    /// The port: 3000, 127.0.0.1:3000, udp/53; several and ranges need --yes. TCP unless it says udp/
    #[arg(value_name = "TARGET", required = true)]
    pub(super) targets: Vec<String>,

    /// Show the plan, and do nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,

    /// Do not ask
    #[arg(short, long)]
    pub(super) yes: bool,

    /// How long to wait for the port to become free: 500ms, 5s, 1m
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = super::duration::parse)]
    pub(super) timeout: Duration,

    /// Send SIGKILL to what outlives the timeout (Windows: TerminateProcess)
    #[arg(short, long)]
    pub(super) force: bool,

    /// Start with SIGKILL, which no program can handle
    #[arg(short = '9', conflicts_with = "signal")]
    pub(super) kill: bool,

    /// Start with this signal instead of SIGTERM: INT, HUP, QUIT, ABRT, USR1, USR2, KILL
    #[arg(long, value_name = "SIGNAL", value_parser = end_signal)]
    pub(super) signal: Option<EndSignal>,

    /// How to free it: by signals, or by the one command of its container engine, service manager or supervisor
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Via::Signal)]
    pub(super) via: Via,

    /// End the whole tree of what started the holder: npm, make, sh -c and everything below
    #[arg(long, conflicts_with = "via")]
    pub(super) tree: bool,

    /// One JSON document for each port, schema allears/1
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Via {
    /// Signals to the processes that hold it
    Signal,
    /// The engine of the container: docker stop, podman stop, podman pod stop
    Container,
    /// The service manager: systemctl stop
    Service,
    /// The supervisor: supervisorctl stop, sv down, s6-svc -d, svc -d
    Supervisor,
}

fn end_signal(text: &str) -> Result<EndSignal, String> {
    EndSignal::parse(text).ok_or_else(|| {
        let known: Vec<&str> = EndSignal::names().collect();
        format!("'{}' is no signal that ends a process; these are: {}", text.escape_debug(), known.join(", "))
    })
}

#[derive(Debug, Args)]
#[command(after_help = help::WAIT)]
pub(super) struct Wait {
    /// The port: 3000, 127.0.0.1:3000, udp/53, TCP unless it says udp/. Or a Unix socket: ./app.sock
    #[arg(value_name = "TARGET")]
    pub(super) target: String,

    /// Wait until something listens there (this is the default)
    #[arg(long, conflicts_with = "free")]
    pub(super) listening: bool,

    /// Wait until you can bind it
    #[arg(long)]
    pub(super) free: bool,

    /// Give up after this time: 500ms, 30s, 1m; at most a year [default: never]
    #[arg(long, value_name = "DURATION", value_parser = super::duration::parse)]
    pub(super) timeout: Option<Duration>,

    /// Print nothing, answer by exit status
    #[arg(short, long)]
    pub(super) quiet: bool,

    /// One JSON document, schema allears/1
    #[arg(long, conflicts_with = "quiet")]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = help::WATCH)]
pub(super) struct Watch {
    #[command(flatten)]
    pub(super) filters: Filters,

    /// The time between two looks, 100ms or more
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = super::duration::interval)]
    pub(super) interval: Duration,

    /// A line of JSON for each event: first what is there, then what is opened, closed and changed
    #[arg(long, help_heading = "How to tell it")]
    pub(super) ndjson: bool,

    #[command(flatten)]
    pub(super) rows: Rows,

    /// Colours: auto means on a terminal, unless NO_COLOR or TERM=dumb say otherwise
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, help_heading = "How to tell it")]
    pub(super) color: When,

    #[command(flatten)]
    pub(super) source: Source,

    /// Refused with a word on what does this
    #[arg(long, value_name = "FILE", hide = true)]
    pub(super) from: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = help::DIFF)]
pub(super) struct Diff {
    /// A snapshot that was saved with --json; - reads standard input
    #[arg(value_name = "OLD")]
    pub(super) old: PathBuf,

    /// Another one; without it, this machine now
    #[arg(value_name = "NEW")]
    pub(super) new: Option<PathBuf>,

    /// One JSON document, schema allears/1
    #[arg(long)]
    pub(super) json: bool,

    /// Colours: auto means on a terminal, unless NO_COLOR or TERM=dumb say otherwise
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    pub(super) color: When,
}

#[derive(Debug, Args)]
#[command(after_help = help::ABOUT)]
pub(super) struct About {
    /// The port: 10309, tcp/443, or a service name
    #[arg(value_name = "PORT")]
    pub(super) port: String,

    /// One JSON document, schema allears/1
    #[arg(long)]
    pub(super) json: bool,

    /// Colours: auto means on a terminal, unless NO_COLOR or TERM=dumb say otherwise
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    pub(super) color: When,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    pub(super) filters: Filters,

    /// Add the ancestry of each holder
    #[arg(long, help_heading = "What to tell")]
    pub(super) parents: bool,

    /// Add who is connected
    #[arg(long, help_heading = "What to tell")]
    pub(super) connections: bool,

    /// Add whether it accepts: connects over loopback to each TCP listener found, for a second at most
    #[arg(long, conflicts_with = "from", help_heading = "What to tell")]
    pub(super) probe: bool,

    /// One JSON document, schema allears/1
    #[arg(long, group = "format", help_heading = "How to tell it")]
    pub(super) json: bool,

    /// A line of JSON for each listener
    #[arg(long, group = "format", help_heading = "How to tell it")]
    pub(super) ndjson: bool,

    /// CSV: a header, and a row for each listener and holder
    #[arg(long, group = "format", help_heading = "How to tell it")]
    pub(super) csv: bool,

    /// Pids of the holders alone, one a line
    #[arg(long, group = "format", help_heading = "How to tell it")]
    pub(super) pids: bool,

    /// Print nothing, answer by exit status
    #[arg(short, long, group = "format", help_heading = "How to tell it")]
    pub(super) quiet: bool,

    #[command(flatten)]
    pub(super) rows: Rows,

    /// Whole rows, whatever the width of the terminal
    #[arg(long, help_heading = "How to tell it")]
    pub(super) wide: bool,

    /// Colours: auto means on a terminal, unless NO_COLOR or TERM=dumb say otherwise
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, help_heading = "How to tell it")]
    pub(super) color: When,

    /// Look at a snapshot that was saved with --json, instead of this machine; - reads standard input
    #[arg(long, value_name = "FILE", help_heading = "Where to look")]
    pub(super) from: Option<PathBuf>,

    #[command(flatten)]
    pub(super) source: Source,

    /// Say on standard error by which of several ways the answer was found
    #[arg(short, long, conflicts_with = "quiet", help_heading = "How to tell it")]
    pub(super) verbose: bool,
}

/// What rows are made of, and in which order they come.
#[derive(Debug, Args)]
pub(super) struct Rows {
    /// Columns, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "How to tell it")]
    pub(super) columns: Option<Vec<Column>>,

    /// Order: a column [default: port, then protocol, address, pid]
    #[arg(long, value_name = "KEY", help_heading = "How to tell it")]
    pub(super) sort: Option<Column>,

    /// No headings
    #[arg(long, help_heading = "How to tell it")]
    pub(super) no_header: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Cyan.on_default());
