//! Programs that restart what they run, or hold sockets for it.

use crate::management::ManagingProgram;
use crate::management::restart::{HolderKind, RestarterKind};

/// Returns the name of a program that can stop, or start again, what it runs.
pub(crate) fn managing_program(program: ManagingProgram) -> &'static str {
    match program {
        ManagingProgram::Restarter(kind) => restarter_kind(kind),
        ManagingProgram::SocketHolder(kind) => holder_kind(kind),
    }
}

/// Returns the name of what restarts a program, or its kind if its name is not specific enough.
pub(crate) fn restarter_kind(kind: RestarterKind) -> &'static str {
    match kind {
        RestarterKind::Runit => "runit",
        RestarterKind::S6 => "s6",
        RestarterKind::Daemontools => "daemontools",
        RestarterKind::Openrc => "OpenRC",
        RestarterKind::Supervisord => "supervisord",
        RestarterKind::Circus => "circus",
        RestarterKind::Pm2 => "pm2",
        RestarterKind::ShellLoop => "a loop in a shell",
        RestarterKind::FileWatcher => "a file watcher",
        RestarterKind::ServerMaster => "its main process",
        RestarterKind::ProcessManager => "a process manager",
    }
}

fn holder_kind(kind: HolderKind) -> &'static str {
    match kind {
        HolderKind::Supervisord => "supervisord",
        HolderKind::Circus => "circus",
        HolderKind::Pm2 => "pm2",
        HolderKind::Inetd => "inetd",
        HolderKind::Xinetd => "xinetd",
        HolderKind::S6FdHolder => "s6-fdholderd",
        HolderKind::Passenger => "Passenger",
        HolderKind::ServerStarter => "Server::Starter",
        HolderKind::Einhorn => "einhorn",
        HolderKind::SocketActivate => "systemd-socket-activate",
        HolderKind::Systemfd => "systemfd",
    }
}
