//! The arguments of `wait`.

use std::time::Duration;

use clap::Args;

use super::help;

#[derive(Debug, Args)]
#[command(after_help = help::WAIT, override_usage = "allears wait [OPTIONS] <TARGET>...")]
pub(in crate::cli) struct Wait {
    /// Port: 3000, 127.0.0.1:3000, udp/53; TCP unless prefixed with udp/. Or a Unix socket: ./app.sock. Of several,
    /// of a list with commas and of a range, all are waited for
    // `--http` may have taken the only target for its path.
    #[arg(value_name = "TARGET", required_unless_present = "http")]
    pub(in crate::cli) targets: Vec<String>,

    /// Wait until something listens there (default)
    #[arg(long, group = "state")]
    pub(in crate::cli) listening: bool,

    /// Wait until a connection succeeds and is not closed within 100 ms
    #[arg(long, group = "state")]
    pub(in crate::cli) accepts: bool,

    /// Wait until GET PATH is answered with a status below 400 [default path: /]
    #[arg(long, value_name = "PATH", num_args = 0..=1, group = "state")]
    #[expect(clippy::option_option, reason = "the form of an option whose value may be left out")]
    pub(in crate::cli) http: Option<Option<String>>,

    /// Wait until you can bind it
    #[arg(long, group = "state")]
    pub(in crate::cli) free: bool,

    /// One of the targets is enough
    #[arg(long)]
    pub(in crate::cli) any: bool,

    /// Give up after this time: 500ms, 30s, 1m; one year at most [default: never]
    #[arg(long, value_name = "DURATION", value_parser = super::super::duration::parse)]
    pub(in crate::cli) timeout: Option<Duration>,

    /// Print nothing; answer by the exit status
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    /// Print one JSON document, schema allears/1
    #[arg(long, conflicts_with = "quiet")]
    pub(in crate::cli) json: bool,
}
