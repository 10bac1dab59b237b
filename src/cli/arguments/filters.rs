//! The options that `allears` and `allears watch` share: filters, and the source of the data.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

/// The filters.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct Filters {
    /// Target: 8080, 8000-8010, tcp/8080, udp/53, http, 127.0.0.1:6379, [::1]:3000, unix,
    /// /run/docker.sock; several, or a list with commas, are a union
    #[arg(value_name = "TARGET", allow_hyphen_values = false)]
    pub(in crate::cli) targets: Vec<String>,

    /// Target in the form of lsof: [46][tcp|udp][@address][:ports]
    #[arg(short = 'i', value_name = "SPEC", help_heading = "Filters", num_args = 0..=1, default_missing_value = "")]
    pub(in crate::cli) internet: Vec<String>,

    /// TCP; -t, -u and -x can be combined
    #[arg(short, long, help_heading = "Filters")]
    pub(in crate::cli) tcp: bool,

    /// UDP
    #[arg(short, long, help_heading = "Filters")]
    pub(in crate::cli) udp: bool,

    /// Unix sockets
    #[arg(short = 'x', long, help_heading = "Filters")]
    pub(in crate::cli) unix: bool,

    /// IPv4, including dual-stack sockets
    #[arg(short = '4', help_heading = "Filters")]
    pub(in crate::cli) ipv4: bool,

    /// IPv6
    #[arg(short = '6', help_heading = "Filters")]
    pub(in crate::cli) ipv6: bool,

    /// Every socket instead of listeners only
    #[arg(short, long, help_heading = "Filters")]
    pub(in crate::cli) all: bool,

    /// Only sockets whose address other machines can reach
    #[arg(long, help_heading = "Filters")]
    pub(in crate::cli) exposed: bool,

    /// Only sockets that this process holds (repeatable)
    #[arg(long, value_name = "PID", help_heading = "Filters")]
    pub(in crate::cli) pid: Vec<u32>,

    /// Only sockets of this user or held by a process of this user (repeatable)
    #[arg(long, value_name = "USER", help_heading = "Filters")]
    pub(in crate::cli) user: Vec<String>,

    /// Only sockets held by a process whose name, program file or command line contains TEXT; case is ignored (repeatable)
    #[arg(short = 'c', long = "command", value_name = "TEXT", help_heading = "Filters", value_parser = name_text)]
    pub(in crate::cli) process: Vec<String>,

    /// Only sockets that this process or one of its descendants holds (repeatable)
    #[arg(long, value_name = "PID", help_heading = "Filters")]
    pub(in crate::cli) tree: Vec<u32>,

    /// Only sockets held by a process whose working directory is in DIR (repeatable)
    #[arg(long = "in", value_name = "DIR", help_heading = "Filters")]
    pub(in crate::cli) inside: Vec<PathBuf>,

    /// The same as --in with the project of the current directory: its git worktree, else its project, else itself
    #[arg(long, help_heading = "Filters")]
    pub(in crate::cli) here: bool,

    /// Only people's own programs and containers: no services of the system or of the desktop
    #[arg(long, help_heading = "Filters")]
    pub(in crate::cli) dev: bool,

    /// Accepted for compatibility: listeners, numbers and processes are always shown
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
    /// Accepted for compatibility: listeners are always shown
    #[arg(short = 's', value_name = "PROTOCOL:STATE", hide = true, overrides_with = "states", value_parser = lsof_states)]
    states: Option<()>,
}

impl Filters {
    /// Counts one of the options that are accepted for compatibility. `None` if a letter is none of them.
    pub(super) fn count_ignored(&mut self, letter: char) -> Option<()> {
        let count = match letter {
            'l' => &mut self.listening,
            'n' => &mut self.numeric,
            'p' => &mut self.processes,
            'P' => &mut self.numeric_ports,
            'o' => &mut self.owners,
            _ => return None,
        };
        *count = count.checked_add(1)?;
        Some(())
    }
}

/// The source of the data.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct Source {
    /// Linux: scan every network namespace that can be entered
    #[arg(long, help_heading = "Source")]
    pub(in crate::cli) all_namespaces: bool,

    /// Reader of the socket table
    #[arg(long, value_enum, default_value_t = ReaderName::Auto, value_name = "NAME", help_heading = "Source")]
    pub(in crate::cli) reader: ReaderName,

    /// How to search for holders
    #[arg(long, value_enum, default_value_t = SearchName::Auto, value_name = "NAME", help_heading = "Source")]
    pub(in crate::cli) holders: SearchName,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReaderName {
    /// The best one on this machine
    #[default]
    Auto,
    /// The operating system's own interface
    Native,
    /// The crate netstat2
    Netstat2,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SearchName {
    /// The best one on this machine
    #[default]
    Auto,
    /// Every process's descriptor table
    Walk,
    /// A BPF iterator in the kernel
    Bpf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum EventsName {
    /// The best source on this machine
    Auto,
    /// Programs in the kernel
    Bpf,
    /// The kernel's messages about sockets that are gone
    Destroyed,
    /// None
    Off,
}

/// Accepts the states of lsof's option -s that listeners have: TCP:LISTEN and UDP:Idle.
fn lsof_states(text: &str) -> Result<(), String> {
    match ["tcp:listen", "udp:idle"].contains(&text.to_ascii_lowercase().as_str()) {
        true => Ok(()),
        false => Err("listeners are always shown, and -a shows the sockets in all other states".to_owned()),
    }
}

/// Returns a text that a name is searched for. A blank one, such as an unset variable of a shell, would match every
/// process.
pub(super) fn name_text(text: &str) -> Result<String, String> {
    match text.trim().is_empty() {
        true => Err("it is blank, and would match every process".to_owned()),
        false => Ok(text.to_owned()),
    }
}
