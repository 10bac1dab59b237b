//! The arguments of `allears next`.

use clap::Args;

use super::help;

#[derive(Debug, Args)]
#[command(after_help = help::NEXT)]
pub(in crate::cli) struct Next {
    /// First port, or range: 3000, 8000-8099. TCP unless prefixed with udp/
    #[arg(value_name = "PORT|RANGE")]
    pub(in crate::cli) ports: Option<String>,

    /// How many ports to print, one per line
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) count: u16,

    /// Find UDP ports
    #[arg(short, long)]
    pub(in crate::cli) udp: bool,

    /// Print one JSON document, schema allears/1
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
