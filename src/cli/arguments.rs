//! What the user typed. No look at the machine happens here: help and version answer before anything can fail.

mod filters;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use filters::{Filters, ReaderName, SearchName, Source};

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
  allears diff a.json        what is different now
  allears watch 3000         a screen that follows what happens there

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

const WATCH_EXAMPLES: &str = "\
Examples:
  allears watch                   everything that listens, as it changes
  allears watch 3000 --interval 200ms
  allears watch -c node           only what processes named like node hold
  allears watch --ndjson | jq -r 'select(.event == \"opened\") | .listener.port'

Keys: q, Esc or Ctrl-C end it; space or p pauses; arrows, PgUp, PgDn, Home and
End scroll; s changes the order. What was opened (+), closed (-) or changed (~)
is marked for five seconds. Where standard output is no terminal, or TERM=dumb,
each event is a line; --ndjson makes it JSON.

Each look reads the socket table. Processes are looked at only when something in
it has changed, and at every tenth look: a change of hands that leaves the socket
as it is shows after ten intervals at the latest. What is opened and closed again
between two looks is not seen. A look that fails is told, and tried again. With
--all-namespaces each look also looks for those, among all processes.

Exit status: 0 when you end it or the reader of its output does, which it notices
at the next look, and on Windows when it has something to write; 2 a mistake in
the arguments; 3 the first look failed.";

#[derive(Debug, Args)]
#[command(after_help = WATCH_EXAMPLES)]
pub(super) struct Watch {
    #[command(flatten)]
    pub(super) filters: Filters,

    /// The time between two looks, 100ms or more
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = super::duration::interval)]
    pub(super) interval: Duration,

    /// A line of JSON for each event: first what is there, then what is opened, closed and changed
    #[arg(long, help_heading = "How to tell it")]
    pub(super) ndjson: bool,

    /// Columns, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "How to tell it")]
    pub(super) columns: Option<Vec<Column>>,

    /// Order: a column [default: port, then protocol, address, pid]
    #[arg(long, value_name = "KEY", help_heading = "How to tell it")]
    pub(super) sort: Option<Column>,

    /// No headings
    #[arg(long, help_heading = "How to tell it")]
    pub(super) no_header: bool,

    /// Colours: auto means on a terminal, unless NO_COLOR or TERM=dumb say otherwise
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, help_heading = "How to tell it")]
    pub(super) color: When,

    #[command(flatten)]
    pub(super) source: Source,

    /// Refused with a word on what does this
    #[arg(long, value_name = "FILE", hide = true)]
    pub(super) from: Option<PathBuf>,
}

const DIFF_EXAMPLES: &str = "\
Examples:
  allears --json >before.json     a snapshot
  allears diff before.json        what is different now
  allears diff a.json b.json      between two of them
  ssh web allears --json | allears diff web.json -

The same question is asked again. Of two snapshots that were asked for different
things, what both could contain is compared; a holder that only one side could see
is no difference; of two machines, addresses and ports are compared, and the
names of processes, users, services and containers.

Exit status: 0 no difference, 1 they differ, 2 a mistake in the arguments, 3 a
snapshot could not be read, or nothing is surely different and not all is known.";

#[derive(Debug, Args)]
#[command(after_help = DIFF_EXAMPLES)]
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

    #[command(flatten)]
    pub(super) source: Source,

    /// Say on standard error by which of several ways the answer was found
    #[arg(short, long, conflicts_with = "quiet", help_heading = "How to tell it")]
    pub(super) verbose: bool,
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
