//! What the user typed. No look at the machine happens here: help and version answer before anything can fail.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::render::column::Column;

const EXAMPLES: &str = "\
Examples:
  allears                    everything that listens on this machine
  allears 10309              what holds port 10309
  allears tcp/8000-8010      a range of one protocol
  allears 127.0.0.1:6379     what a peer that connects there reaches
  allears postgresql         a service name of the IANA registry, for its ports
  allears --exposed          only what other machines can reach
  allears -c vite            only what processes named like vite hold
  allears --pids 3000        pids alone: kill $(allears --pids 3000)
  allears why 3000           can it be bound now, and if not, why?
  allears about 10309        what the number means
  allears --json >a.json     a snapshot; look at it with --from a.json

Exit status: 0 something matches, 1 nothing does, 2 a mistake in the arguments, 3 could not tell.
The habits of ss -tulnp, netstat -ano and lsof -nP -i :10309 work here too.";

/// What holds this port?
///
/// Lists what listens on this machine and which processes hold it: a card for one port, a table for many.
/// What could not be seen is said, with the reason and what would show it.
#[derive(Debug, Parser)]
#[command(name = "allears", version, after_help = EXAMPLES, styles = STYLES)]
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

const WHY_EXAMPLES: &str = "\
Examples:
  allears why 10309             can a server have port 10309, on all addresses?
  allears why 127.0.0.1:10309   on that address alone?
  allears why udp/53            for UDP?

The port is bound for an instant, with the options that servers set, and never
listened on: nothing is left of it. Where nothing listens, a connection over
loopback tells whether the port is forwarded to elsewhere.

Exit status: 0 a bind would succeed now, 1 it would not, 2 a mistake in the
arguments, 3 could not tell.";

#[derive(Debug, Args)]
#[command(after_help = WHY_EXAMPLES)]
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

const FREE_EXAMPLES: &str = "\
Examples:
  allears free 3000               shows who holds it, asks, ends it, watches the port
  allears free 3000 --dry-run     shows what would be done
  allears free 3000 -y --force    SIGTERM, then SIGKILL for what outlives the timeout
  allears free 8000-8010 --yes    every holder of these ports

Only processes that hold the listening or bound socket are ended, never the
clients that are connected to it. Nothing is done to pid 1, to kernel threads, to
allears itself and its ancestors; and if one of several holders may not be ended,
none is.

On Windows a program is asked by its windows, or by Ctrl+C where it is alone in
its console, and ended at once where it has neither.

Exit status: 0 the port is free at the end, also when it was before; 1 still held,
as it is after --dry-run; 2 a mistake in the arguments; 3 refused or could not tell.";

#[derive(Debug, Args)]
#[command(after_help = FREE_EXAMPLES)]
pub(super) struct Free {
    /// The port: 3000, 127.0.0.1:3000, udp/53; several and ranges need --yes. TCP unless it says udp/
    #[arg(value_name = "TARGET", required = true)]
    pub(super) targets: Vec<String>,

    /// Show the plan, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Do not ask
    #[arg(short, long)]
    pub(super) yes: bool,

    /// How long to wait for the port to come free: 500ms, 5s, 1m
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = super::duration::parse)]
    pub(super) timeout: Duration,

    /// End with SIGKILL what outlived the timeout (Windows: TerminateProcess)
    #[arg(long)]
    pub(super) force: bool,

    /// How to end it: by signals, or through the service manager (runs systemctl stop)
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Via::Signal)]
    pub(super) via: Via,

    /// One JSON document for each port, schema allears/1
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Via {
    /// Signals to the processes that hold it
    Signal,
    /// The manager of the service they belong to
    Service,
}

const WAIT_EXAMPLES: &str = "\
Examples:
  allears wait 3000 && open http://localhost:3000
  allears wait 127.0.0.1:5432 --timeout 30s
  allears wait --free 3000 && npm start

Checks every 5 ms at first and every 200 ms later; no process is looked at until
the state is reached.

Exit status: 0 reached, 1 timed out, 2 a mistake in the arguments, 3 could not tell.";

#[derive(Debug, Args)]
#[command(after_help = WAIT_EXAMPLES)]
pub(super) struct Wait {
    /// The port: 3000, 127.0.0.1:3000, udp/53. TCP unless it says udp/
    #[arg(value_name = "TARGET")]
    pub(super) target: String,

    /// Wait until something listens there (this is the default)
    #[arg(long, conflicts_with = "free")]
    pub(super) listening: bool,

    /// Wait until it can be bound
    #[arg(long)]
    pub(super) free: bool,

    /// Give up after this time: 500ms, 30s, 1m [default: never]
    #[arg(long, value_name = "DURATION", value_parser = super::duration::parse)]
    pub(super) timeout: Option<Duration>,

    /// Print nothing, answer by exit status
    #[arg(short, long)]
    pub(super) quiet: bool,

    /// One JSON document, schema allears/1
    #[arg(long, conflicts_with = "quiet")]
    pub(super) json: bool,
}

const ABOUT_EXAMPLES: &str = "\
Examples:
  allears about 10309        range, registry, common uses, and the assigned ports nearby
  allears about tcp/443      of one protocol
  allears about postgresql   of a service name's ports

It looks up tables that are part of the program: no socket, no process and no
network is looked at. What the registry says and what commonly listens there are
told apart; neither says who holds the port here, which is allears PORT.

Exit status: 0, or 2 for a mistake in the arguments.";

#[derive(Debug, Args)]
#[command(after_help = ABOUT_EXAMPLES)]
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
    /// What to look for: 8080, 8000-8010, tcp/8080, udp/53, http, 127.0.0.1:6379, [::1]:3000, unix,
    /// /run/docker.sock; several, also separated by commas, are a union
    #[arg(value_name = "TARGET", allow_hyphen_values = false)]
    pub(super) targets: Vec<String>,

    /// What to look for, as lsof takes it: [46][tcp|udp][@address][:ports]
    #[arg(short = 'i', value_name = "SPEC", help_heading = "What to look for")]
    pub(super) internet: Vec<String>,

    /// TCP; several of -t -u -x add up
    #[arg(short, long, help_heading = "What to look for")]
    pub(super) tcp: bool,

    /// UDP
    #[arg(short, long, help_heading = "What to look for")]
    pub(super) udp: bool,

    /// Unix sockets
    #[arg(short = 'x', long, help_heading = "What to look for")]
    pub(super) unix: bool,

    /// IPv4, with the dual-stack sockets that take it
    #[arg(short = '4', help_heading = "What to look for")]
    pub(super) ipv4: bool,

    /// IPv6
    #[arg(short = '6', help_heading = "What to look for")]
    pub(super) ipv6: bool,

    /// Every socket, not listeners alone
    #[arg(short, long, help_heading = "What to look for")]
    pub(super) all: bool,

    /// Only what other machines can reach, by its address
    #[arg(long, help_heading = "What to look for")]
    pub(super) exposed: bool,

    /// Only what this process holds (repeatable)
    #[arg(long, value_name = "PID", help_heading = "What to look for")]
    pub(super) pid: Vec<u32>,

    /// Only what belongs to this user or is held by a process of this user (repeatable)
    #[arg(long, value_name = "USER", help_heading = "What to look for")]
    pub(super) user: Vec<String>,

    /// Only what is held by a process whose name or command line contains TEXT, in either case (repeatable)
    #[arg(short = 'c', long = "command", value_name = "TEXT", help_heading = "What to look for")]
    pub(super) process: Vec<String>,

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

    /// Columns of the table and of CSV, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "How to tell it")]
    pub(super) columns: Option<Vec<Column>>,

    /// Order: a column [default: port, then protocol, address, pid]
    #[arg(long, value_name = "KEY", help_heading = "How to tell it")]
    pub(super) sort: Option<Column>,

    /// No headings
    #[arg(long, help_heading = "How to tell it")]
    pub(super) no_header: bool,

    /// Whole rows, whatever the width of the terminal
    #[arg(long, help_heading = "How to tell it")]
    pub(super) wide: bool,

    /// Colours: auto means on a terminal, unless NO_COLOR or TERM=dumb say otherwise
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, help_heading = "How to tell it")]
    pub(super) color: When,

    /// Look at a snapshot that was saved with --json, instead of this machine; - reads standard input
    #[arg(long, value_name = "FILE", help_heading = "Where to look")]
    pub(super) from: Option<PathBuf>,

    /// Linux: the listeners of every network namespace that can be seen
    #[arg(long, help_heading = "Where to look")]
    pub(super) all_namespaces: bool,

    /// The reader of the socket table
    #[arg(long, value_enum, default_value_t = ReaderName::Auto, value_name = "NAME", help_heading = "Where to look")]
    pub(super) reader: ReaderName,

    /// How to search for holders
    #[arg(long, value_enum, default_value_t = SearchName::Auto, value_name = "NAME", help_heading = "Where to look")]
    pub(super) holders: SearchName,

    /// Say on standard error by which of several ways the answer was found
    #[arg(short, long, conflicts_with = "quiet", help_heading = "How to tell it")]
    pub(super) verbose: bool,

    /// Accepted for the sake of habit: listeners, numbers and processes are what is always shown
    #[arg(short = 'l', action = ArgAction::Count, hide = true)]
    listening: u8,
    #[arg(short = 'n', action = ArgAction::Count, hide = true)]
    numeric: u8,
    #[arg(short = 'p', action = ArgAction::Count, hide = true)]
    processes: u8,
    #[arg(short = 'P', action = ArgAction::Count, hide = true)]
    numeric_ports: u8,
    #[arg(short = 'o', action = ArgAction::Count, hide = true)]
    owners: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReaderName {
    /// The best one this machine has
    Auto,
    /// The operating system's own interface
    Native,
    /// The crate netstat2
    Netstat2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SearchName {
    /// The best one this machine has
    Auto,
    /// Every process's descriptor table
    Walk,
    /// A BPF iterator in the kernel
    Bpf,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Cyan.on_default());
