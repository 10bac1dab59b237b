//! Recognises processes that hold sockets for the programs that they run. Ending one ends all of its programs, and is not
//! the way to free one port. A server's own main process, such as that of gunicorn, nginx or PostgreSQL, is not one of
//! them.

use super::program::Program;
use super::{Sources, Stop, pm2, supervisord};
use crate::model::{Process, Text};

/// A process that holds sockets for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldFor {
    /// Its kind.
    pub(crate) kind: HolderKind,
    /// The name of its program, such as `supervisord` if the process is named `python3`.
    pub(crate) name: Text,
    /// Whether it runs a single program and forwards SIGTERM to it. Then it may be ended.
    pub(crate) one_program: bool,
}

/// Kinds of programs that hold sockets for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HolderKind {
    /// supervisord: sockets of FastCGI programs, and its own for commands.
    Supervisord,
    /// circusd: sockets of its watchers, and its own for commands.
    Circus,
    /// The daemon of pm2: sockets of applications in cluster mode.
    Pm2,
    /// inetd, of any origin.
    Inetd,
    /// xinetd.
    Xinetd,
    /// s6-fdholderd.
    S6FdHolder,
    /// The watchdog or the core of Phusion Passenger.
    Passenger,
    /// start_server of Server::Starter.
    ServerStarter,
    /// einhorn.
    Einhorn,
    /// systemd-socket-activate.
    SocketActivate,
    /// systemfd or catflap, which keep a socket open while a program restarts.
    Systemfd,
}

/// Programs that are recognised by name only, and whether each runs a single program. Their file must be in a folder
/// of packages: other programs may have these names too.
const COMPILED: &[(&str, HolderKind, bool)] = &[
    ("inetd", HolderKind::Inetd, false),
    ("openbsd-inetd", HolderKind::Inetd, false),
    ("inetutils-inetd", HolderKind::Inetd, false),
    ("rlinetd", HolderKind::Inetd, false),
    ("xinetd", HolderKind::Xinetd, false),
    ("s6-fdholderd", HolderKind::S6FdHolder, false),
    ("PassengerAgent", HolderKind::Passenger, false),
    ("systemd-socket-activate", HolderKind::SocketActivate, true),
];

/// Returns the kind of a process that holds its sockets for programs that it runs. `None` for other processes.
pub(crate) fn holds_for_others(process: &Process) -> Option<HeldFor> {
    let program = Program::from_process(process);
    let found = |kind, one_program| {
        let name = if kind == HolderKind::Pm2 { "pm2".into() } else { Text::from(program.name()) };
        Some(HeldFor { kind, name, one_program })
    };
    if pm2::is_daemon(process, &program) {
        return found(HolderKind::Pm2, false);
    }
    match (program.name(), program.interpreted) {
        // A supervisord written in Go does the same.
        (b"supervisord", _) => return found(HolderKind::Supervisord, false),
        (b"circusd", true) => return found(HolderKind::Circus, false),
        (b"start_server", true) => return found(HolderKind::ServerStarter, true),
        (b"einhorn", true) => return found(HolderKind::Einhorn, true),
        (b"systemfd" | b"catflap", false) => return found(HolderKind::Systemfd, true),
        _ => {}
    }
    let known = COMPILED.iter().find(|(name, ..)| program.name() == name.as_bytes());
    let (_, kind, one_program) = known.filter(|_| !program.interpreted && is_installed(process))?;
    found(*kind, *one_program)
}

/// Returns whether a program's file is in a folder of packages. An unknown path counts as one.
fn is_installed(process: &Process) -> bool {
    const FOLDERS: [&[u8]; 8] =
        [b"/usr/", b"/bin/", b"/sbin/", b"/opt/", b"/nix/store/", b"/gnu/store/", b"/snap/", b"/package/"];
    let file = process.executable.as_ref();
    file.is_none_or(|file| FOLDERS.iter().any(|folder| file.as_bytes().starts_with(folder)))
}

/// Returns the program that such a process holds a port for, if that is known, and what stops the program.
pub(crate) fn stop_for_port(
    process: &Process,
    held: &HeldFor,
    port: u16,
    sources: &mut dyn Sources,
) -> (Option<Text>, Stop) {
    if held.one_program {
        return (None, Stop::EndRestarter);
    }
    let program = Program::from_process(process);
    let (name, stop) = match held.kind {
        HolderKind::Supervisord if program.interpreted => {
            let config = supervisord::config(process, &program, sources);
            let names = config.as_ref().map(|config| config.names_with_port(port)).unwrap_or_default();
            match names.first() {
                Some(name) => {
                    let stop = supervisord::stop(process, &program, &names, config.as_ref(), sources);
                    (Some(name.clone()), stop)
                }
                None => (None, Stop::Unknown),
            }
        }
        HolderKind::Pm2 => (None, pm2::list(process, &program, sources)),
        // inetd and xinetd have no command, only their configuration. circusd keeps its sockets open when its watchers
        // stop.
        _ => (None, Stop::Unknown),
    };
    match sources.is_elsewhere(process.id) {
        true => (name, Stop::Unknown),
        false => (name, stop),
    }
}
