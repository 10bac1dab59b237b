//! What `allears` and `allears watch` take alike: what to look for, and where.

use clap::{ArgAction, Args, ValueEnum};

/// What to look for.
#[derive(Debug, Args)]
pub(in crate::cli) struct Filters {
    /// What to look for: 8080, 8000-8010, tcp/8080, udp/53, http, 127.0.0.1:6379, [::1]:3000, unix,
    /// /run/docker.sock; several, also separated by commas, are a union
    #[arg(value_name = "TARGET", allow_hyphen_values = false)]
    pub(in crate::cli) targets: Vec<String>,

    /// What to look for, as lsof takes it: [46][tcp|udp][@address][:ports]
    #[arg(short = 'i', value_name = "SPEC", help_heading = "What to look for")]
    pub(in crate::cli) internet: Vec<String>,

    /// TCP; several of -t -u -x add up
    #[arg(short, long, help_heading = "What to look for")]
    pub(in crate::cli) tcp: bool,

    /// UDP
    #[arg(short, long, help_heading = "What to look for")]
    pub(in crate::cli) udp: bool,

    /// Unix sockets
    #[arg(short = 'x', long, help_heading = "What to look for")]
    pub(in crate::cli) unix: bool,

    /// IPv4, with the dual-stack sockets that take it
    #[arg(short = '4', help_heading = "What to look for")]
    pub(in crate::cli) ipv4: bool,

    /// IPv6
    #[arg(short = '6', help_heading = "What to look for")]
    pub(in crate::cli) ipv6: bool,

    /// Every socket, not listeners alone
    #[arg(short, long, help_heading = "What to look for")]
    pub(in crate::cli) all: bool,

    /// Only what other machines can reach, by its address
    #[arg(long, help_heading = "What to look for")]
    pub(in crate::cli) exposed: bool,

    /// Only what this process holds (repeatable)
    #[arg(long, value_name = "PID", help_heading = "What to look for")]
    pub(in crate::cli) pid: Vec<u32>,

    /// Only what belongs to this user or is held by a process of this user (repeatable)
    #[arg(long, value_name = "USER", help_heading = "What to look for")]
    pub(in crate::cli) user: Vec<String>,

    /// Only what is held by a process whose name, program file or command line contains TEXT, in either case (repeatable)
    #[arg(short = 'c', long = "command", value_name = "TEXT", help_heading = "What to look for")]
    pub(in crate::cli) process: Vec<String>,

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

/// Where and how to look.
#[derive(Debug, Args)]
pub(in crate::cli) struct Source {
    /// Linux: the listeners of every network namespace that can be seen
    #[arg(long, help_heading = "Where to look")]
    pub(in crate::cli) all_namespaces: bool,

    /// The reader of the socket table
    #[arg(long, value_enum, default_value_t = ReaderName::Auto, value_name = "NAME", help_heading = "Where to look")]
    pub(in crate::cli) reader: ReaderName,

    /// How to search for holders
    #[arg(long, value_enum, default_value_t = SearchName::Auto, value_name = "NAME", help_heading = "Where to look")]
    pub(in crate::cli) holders: SearchName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReaderName {
    /// The best one this machine has
    Auto,
    /// The operating system's own interface
    Native,
    /// The crate netstat2
    Netstat2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SearchName {
    /// The best one this machine has
    Auto,
    /// Every process's descriptor table
    Walk,
    /// A BPF iterator in the kernel
    Bpf,
}
