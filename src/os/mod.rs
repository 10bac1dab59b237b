//! The only place that knows which operating system this is. It gives rows and gaps; it neither filters for the
//! user nor prints nor reads arguments.
//!
//! Each system is one module with the same functions, chosen by the one line below.

#[cfg(not(target_os = "linux"))]
mod ancestors;
mod branch;
mod files;
#[cfg(any(target_os = "macos", test, feature = "internals"))]
mod launchd;
#[cfg(any(target_os = "macos", test, feature = "internals"))]
mod launchd_jobs;
mod machine;
#[cfg(feature = "cli")]
mod mark;
#[cfg(feature = "cli")]
pub(crate) mod memory;
#[cfg(not(feature = "cli"))]
mod memory;
mod paths;
#[cfg(not(target_os = "macos"))]
mod portable;
#[cfg(not(target_os = "linux"))]
mod process_table;
mod processes;
#[cfg(any(windows, target_os = "macos", test))]
mod program_output;
mod project;
#[cfg_attr(
    not(all(feature = "cli", target_os = "linux")),
    expect(dead_code, reason = "the plan of free reads it, and Linux alone tells it")
)]
mod restart_policy;
pub(crate) mod threads;
#[cfg(any(target_os = "macos", test, feature = "internals"))]
mod xnu;

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos/mod.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "macos", windows)), path = "other.rs")]
mod sys;

#[cfg(all(feature = "cli", not(target_os = "linux")))]
mod process_view;
#[cfg(feature = "cli")]
mod restart_sources;

/// What is pure of Windows, and is tested everywhere.
#[cfg(any(windows, test, feature = "internals"))]
#[cfg_attr(not(windows), expect(dead_code, reason = "read on Windows alone, tested everywhere"))]
#[path = "windows"]
mod windows_parts {
    pub(super) mod excluded;
    pub(super) mod http_sys;
    pub(super) mod lives;
    pub(super) mod services;
    pub(super) mod table;
}

#[cfg(feature = "internals")]
pub mod internals;

#[cfg(feature = "cli")]
mod end_signal;
#[cfg(feature = "cli")]
#[cfg_attr(unix, path = "programs_unix.rs")]
#[cfg_attr(not(unix), path = "programs_windows.rs")]
mod programs;

#[cfg(unix)]
mod users;
#[cfg(windows)]
#[path = "users_windows.rs"]
mod users;

#[cfg_attr(unix, path = "runtimes_unix.rs")]
#[cfg_attr(not(unix), path = "runtimes_windows.rs")]
mod runtimes;

#[cfg(feature = "cli")]
#[cfg_attr(unix, path = "output_unix.rs")]
#[cfg_attr(not(unix), path = "output_windows.rs")]
mod output;

#[cfg(feature = "cli")]
#[cfg_attr(unix, path = "terminal_unix.rs")]
#[cfg_attr(not(unix), path = "terminal_windows.rs")]
mod terminal;

#[cfg_attr(unix, path = "attempts_unix.rs")]
#[cfg_attr(not(unix), path = "attempts_windows.rs")]
mod attempts;

use std::collections::BTreeMap;
#[cfg(feature = "cli")]
use std::io::Read as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::shell::Shell;

#[cfg(feature = "cli")]
pub(crate) use attempts::BOUND_SOCKETS_ARE_CHECKED;
#[cfg(feature = "cli")]
pub(crate) use attempts::interface_name;
pub(crate) use attempts::{SERVERS_REUSE, error_name, interface_index, reuse_port};
#[cfg(feature = "cli")]
pub(crate) use end_signal::EndSignal;
#[cfg(not(target_os = "linux"))]
use files::Files;
#[cfg(feature = "cli")]
pub(crate) use machine::ready_limits;
pub(crate) use machine::{
    Excluded, Limits, Local, Policies, Served, Server, Usability, fin_timeout, limits, local_addresses,
    policies, served, time_wait_left,
};
#[cfg(feature = "cli")]
pub(crate) use mark::Mark;
#[cfg(feature = "cli")]
pub(crate) use output::{output, output_is_missing};
pub(crate) use restart_policy::{AfterSignal, RestartPolicy};
#[cfg(feature = "cli")]
pub(crate) use restart_sources::RestartSources;
#[cfg(target_os = "linux")]
use sys::Files;
#[cfg(feature = "cli")]
pub(crate) use sys::{Grip, KERNEL, errand};
#[cfg(feature = "cli")]
pub(crate) use terminal::{CAN_STOP, on_signals, output_is_closed, output_takes_escapes, stop};
#[cfg(feature = "cli")]
pub(crate) use users::path_for_rights;
pub(crate) use users::with_rights;

#[cfg(feature = "cli")]
use crate::knowledge::ServicesFile;
use crate::process_table::ProcessTable;
use crate::{
    Container, Error, ErrorKind, Evidence, Gap, Listener, Process, ProcessId, Protocol, Service, Snapshot,
    Socket, Text, UnixPath, Unseen, UserNamespace, script,
};

/// What a signal asks of a program that runs until it is told to end.
#[cfg(feature = "cli")]
#[cfg_attr(not(unix), expect(dead_code, reason = "nothing stops and continues a program there"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// To end.
    End,
    /// To stop until it is continued.
    Stop,
    /// It was stopped, and is continued.
    Continue,
}

/// Which reader of the socket table is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Reader {
    /// The best one this machine has.
    #[default]
    Auto,
    /// The operating system's own interface, read without a crate between.
    Native,
    /// The crate netstat2.
    Netstat2,
}

/// How the holders of sockets are searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HolderSearch {
    /// The fastest way that is allowed here and worth its beginning.
    #[default]
    Auto,
    /// Every process's descriptor table, as far as this process may read them.
    Walk,
    /// A BPF iterator in the kernel, which needs no process's consent. Linux 5.8, with CAP_BPF and CAP_PERFMON or
    /// CAP_SYS_ADMIN.
    Bpf,
}

/// What is pure of Linux' facts about a program's files, and is compiled and tested everywhere.
#[cfg(not(target_os = "linux"))]
const _: (fn(&Process) -> Option<Text>, fn(&Process) -> Option<Text>, fn(&Process, &[u8]) -> Option<Text>) =
    (script::script_file, script::options_file, script::with_options);

/// The shell that commands are written for.
pub(crate) const SHELL: Shell = if cfg!(windows) { Shell::Windows } else { Shell::Posix };

/// What is wanted of the socket table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) tcp: bool,
    pub(crate) udp: bool,
    /// UDP-Lite, where the system has it.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no reader of this system has it"))]
    pub(crate) udplite: bool,
    /// SCTP and DCCP, where the system has them.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no reader of this system has them"))]
    pub(crate) rare: bool,
    pub(crate) unix: bool,
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
    /// Every state, not listeners alone. A reader may give more than was asked for.
    pub(crate) all: bool,
    /// The one local port that is wanted. A reader may give more than was asked for.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "all ports are read"))]
    pub(crate) port: Option<u16>,
    /// Every network namespace that can be seen, not this process's alone.
    pub(crate) namespaces: bool,
    pub(crate) reader: Reader,
}

/// The socket table, or what of it could be read.
#[derive(Debug)]
pub(crate) struct SocketTable {
    pub(crate) rows: Vec<Row>,
    pub(crate) gaps: Vec<Gap>,
    /// Whether every socket that was asked for is there.
    pub(crate) complete: bool,
    /// Whether TCP sockets that are bound and do not listen were asked for and cannot be listed here. Linux before 6.8,
    /// and wherever `tcp_diag` does not answer.
    pub(crate) lacks_bound: bool,
    /// Which interface each table came from, in a sentence each.
    pub(crate) how: Vec<String>,
    /// What is at the paths that were asked about.
    pub(crate) paths: Vec<UnixPath>,
}

impl SocketTable {
    /// Returns a complete table without rows.
    pub(crate) fn empty() -> SocketTable {
        SocketTable {
            rows: Vec::new(),
            gaps: Vec::new(),
            complete: true,
            lacks_bound: false,
            how: Vec::new(),
            paths: Vec::new(),
        }
    }
}

/// What a system reports of a TCP socket besides. Linux by netlink alone reports anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Detail {
    /// The bytes that the kernel counts as sent and not acknowledged. Of a socket that is bound and does nothing else this
    /// is 0 as long as it did nothing else, 2 after it listened and was shut down, and another number after a connection.
    pub(crate) write_queue: Option<u32>,
    /// The timer that runs, and what is left of it.
    pub(crate) timer: Option<(Timer, Duration)>,
}

/// What a timer of a TCP socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The kernel sends again what was not acknowledged.
    Retransmission,
    /// It tests whether the peer is still there, or waits for the peer's end.
    KeepAlive,
    /// The socket ends when the time is over.
    End,
    /// It asks a peer that takes no data whether it takes some now.
    Probe,
}

impl Row {
    /// What the system reports of a TCP socket besides.
    pub(crate) fn detail(&self) -> Detail {
        #[cfg(target_os = "linux")]
        return self.detail;
        #[cfg(not(target_os = "linux"))]
        Detail::default()
    }
}

/// One socket, with the pids where the table itself names them.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) socket: Socket,
    #[cfg(not(target_os = "macos"))]
    pub(crate) pids: Vec<u32>,
    /// The number of the cgroup the socket was made in.
    #[cfg(target_os = "linux")]
    pub(crate) cgroup: Option<u64>,
    /// The file that a Unix socket is bound to.
    #[cfg(target_os = "linux")]
    pub(crate) file: Option<sys::SocketFile>,
    #[cfg(target_os = "linux")]
    pub(crate) detail: Detail,
    /// What the kernel of macOS tells besides.
    #[cfg(target_os = "macos")]
    pub(crate) told: sys::Told,
    /// When each of the pids opened it, in units of 100 ns since 1601, where the table says.
    #[cfg(windows)]
    pub(crate) opened: BTreeMap<u32, u64>,
}

/// A process that holds a socket, pinned so that no other one is taken for it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) process: sys::Pinned,
    pub(crate) descriptors: Vec<u32>,
    pub(crate) evidence: Evidence,
}

/// The holders of some rows, in their order.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    pub(crate) of: Vec<Vec<Held>>,
    pub(crate) unseen: Vec<Option<Unseen>>,
    /// The service and the container that the socket itself belongs to.
    pub(crate) origins: Vec<Origin>,
    pub(crate) unread: Unread,
    pub(crate) gaps: Vec<Gap>,
    /// How they were searched for, in a sentence.
    pub(crate) how: String,
}

/// The service and the container a socket was made in.
pub(crate) type Origin = (Option<Service>, Option<Container>);

/// Processes whose descriptors were not read.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    /// Those known by pid, ascending.
    pub(crate) pids: Vec<u32>,
    /// Whether there may be others.
    pub(crate) others: bool,
}

/// Facts of processes by pid. One that ended meanwhile is not among them.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) processes: BTreeMap<u32, Process>,
    pub(crate) gaps: Vec<Gap>,
}

/// A rule of the kernel that passes connections to a port of this machine on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForwardingRule {
    /// The table of nftables it is in.
    pub(crate) table: Text,
    /// Its chain there.
    pub(crate) chain: Text,
    /// Whether it concerns connections from this machine, not those from others.
    pub(crate) is_from_here: bool,
    /// The addresses of this machine that it concerns.
    pub(crate) addresses: Vec<IpAddr>,
    /// Where connections go instead; `None` if that is this machine, or not told.
    pub(crate) to: Option<IpAddr>,
    /// The port there; `None` if it is the same, or not told.
    pub(crate) port: Option<u16>,
    /// Whether it has conditions, or others before it, that connections to the port may not meet.
    pub(crate) is_conditional: bool,
}

/// The rules that pass connections to one port on, and why there may be more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ForwardingRules {
    pub(crate) rules: Vec<ForwardingRule>,
    pub(crate) unread: Vec<RulesUnread>,
}

/// Why rules could not be read, or not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no rules are read there"))]
pub(crate) enum RulesUnread {
    /// This process may not read them.
    Permission,
    /// They could not be read.
    Error(String),
    /// Rules whose port is in a set or map that is not understood.
    Unevaluated(usize),
    /// Rules in the NAT table of the older iptables.
    LegacyTable,
    /// Programs that choose the socket of each connection.
    SocketLookup(u32),
}

/// A container runtime that answers at a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RuntimeKind {
    Docker,
    Podman,
}

/// What a runtime answered, as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    /// Whether the runtime is in this process's network namespace; `None` where that is not to be seen.
    pub(crate) here: Option<bool>,
}

/// Why a runtime gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(all(not(unix), not(test)), expect(dead_code, reason = "nobody is asked there"))]
pub(crate) enum Silence {
    /// Nothing is there.
    Absent,
    /// This user may not ask.
    Permission,
    /// It did not answer in time.
    Timeout,
    /// What it said could not be read.
    Unreadable(String),
}

/// Where the runtimes of the system answer, or with a user those of that one.
pub(crate) fn runtime_sockets(kind: RuntimeKind, user: Option<u32>) -> Vec<PathBuf> {
    runtimes::sockets(kind, user)
}

/// The user to whom a number belongs that may be one of a rootless container's.
pub(crate) fn account(uid: u32) -> u32 {
    runtimes::account(uid)
}

/// Asks for the containers that run, each of these sockets, and waits until then at most.
pub(crate) fn ask_runtimes(paths: &[PathBuf], until: Instant) -> Vec<Result<Reply, Silence>> {
    runtimes::ask(paths, until)
}

/// The rules of the kernel that pass connections to a port of these addresses of this machine on.
pub(crate) fn forwarding_rules(protocol: Protocol, port: u16, addresses: &[IpAddr]) -> ForwardingRules {
    sys::forwarding_rules(protocol, port, addresses)
}

/// Whether there are signs of containers whose ports may have no socket. Microseconds where there are none.
pub(crate) fn containers_run() -> bool {
    sys::containers_run()
}

/// The command line of a process that is known by its pid alone.
pub(crate) fn command(pid: u32) -> Option<Vec<Text>> {
    sys::command(pid)
}

/// The socket table, by the cheapest request that answers.
pub(crate) fn sockets(request: &Request) -> Result<SocketTable, Error> {
    sys::sockets(request)
}

/// Finds the Unix sockets that these paths lead to, whatever names they were bound by. Linux only.
#[cfg_attr(
    not(target_os = "linux"),
    expect(unused_variables, reason = "the files of sockets are not told there")
)]
pub(crate) fn find_unix_paths(paths: &[Text], request: &Request, table: &mut SocketTable) {
    #[cfg(target_os = "linux")]
    if !paths.is_empty() {
        sys::find_unix_paths(paths, request, table);
    }
}

/// Whether this user can make a file at a path where there is none. `None` if that cannot be told.
#[cfg(feature = "cli")]
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "it is not found out there"))]
pub(crate) fn can_make_file(path: &str) -> Option<bool> {
    #[cfg(target_os = "linux")]
    return sys::can_make_file(std::path::Path::new(path));
    #[cfg(not(target_os = "linux"))]
    None
}

/// Returns a path from the root; the path itself if the current directory is unknown.
pub(crate) fn absolute(path: &str) -> String {
    let whole = std::path::absolute(path).ok().and_then(|whole| whole.into_os_string().into_string().ok());
    whole.unwrap_or_else(|| path.to_owned())
}

/// Who holds exactly these sockets.
pub(crate) fn holders(rows: &[&Row], search: HolderSearch) -> Result<Holders, Error> {
    if search == HolderSearch::Bpf && !cfg!(target_os = "linux") {
        return Err(Error::new(ErrorKind::Unsupported, "a search for holders by BPF is for Linux alone"));
    }
    if rows.is_empty() && search != HolderSearch::Bpf {
        return Ok(Holders::default());
    }
    sys::holders(rows, search)
}

/// Which of these sockets each of these processes has open: the pid and the row's place, ascending.
#[cfg(feature = "cli")]
pub(crate) fn held_among(rows: &[Row], pids: &[u32]) -> Result<Vec<(u32, usize)>, Error> {
    #[cfg(target_os = "linux")]
    return sys::held_among(rows, pids);
    #[cfg(not(target_os = "linux"))]
    {
        let found = sys::holders(&rows.iter().collect::<Vec<_>>(), HolderSearch::Auto)?;
        let of_row = |(at, held): (usize, &Vec<Held>)| {
            held.iter().map(|held| (held.process.pid(), at)).collect::<Vec<_>>()
        };
        let mut held: Vec<(u32, usize)> = found.of.iter().enumerate().flat_map(of_row).collect();
        held.retain(|(pid, _)| pids.contains(pid));
        held.sort_unstable();
        held.dedup();
        Ok(held)
    }
}

/// Facts of exactly these processes, and of their parents.
pub(crate) fn describe<'a>(pinned: impl Iterator<Item = &'a sys::Pinned>, ancestry: bool) -> Facts {
    let mut by_pid: BTreeMap<u32, &sys::Pinned> = BTreeMap::new();
    for process in pinned {
        by_pid.entry(process.pid()).or_insert(process);
    }
    let pinned: Vec<&sys::Pinned> = by_pid.into_values().collect();
    let threads = threads::parallelism().min(pinned.len() / processes::WORTH_A_THREAD + 1);
    let share = pinned.len().div_ceil(threads).max(1);
    let parts: Vec<&[&sys::Pinned]> = pinned.chunks(share).collect();
    let next = AtomicUsize::new(0);
    let described = threads::share(threads, || {
        let mut processes = BTreeMap::new();
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            processes.append(&mut confirmed(part, ancestry));
        }
        processes
    });
    let processes = described.into_iter().flatten().collect();
    let mut facts = Facts { processes, gaps: Vec::new() };
    facts.gaps.extend(sys::shorten_commands(&mut facts.processes));
    for process in facts.processes.values_mut() {
        if process.script.is_none() {
            process.script = script::of(process).map(|runs| runs.text().clone());
        }
    }
    facts.gaps.extend(project::find(&mut facts.processes));
    facts
}

/// How far an ancestry is followed; a chain as long as this is a fault in what the system tells.
const LONGEST_ANCESTRY: usize = 64;

/// Facts of those processes that are still the ones that were seen.
fn confirmed(pinned: &[&sys::Pinned], ancestry: bool) -> BTreeMap<u32, Process> {
    let mut processes = processes::read(pinned.iter().map(|pinned| pinned.pid()));
    let mut conditions = sys::Conditions::default();
    for pinned in pinned {
        let gone =
            processes.get_mut(&pinned.pid()).is_some_and(|process| !pinned.confirm(process, &mut conditions));
        if gone {
            processes.remove(&pinned.pid());
        }
    }
    #[cfg(target_os = "linux")]
    if let Some(overflow) = sys::OverflowUid::current() {
        for process in processes.values_mut() {
            overflow.unmap(&mut process.uid, &mut process.unknown_user);
        }
    }
    sys::trace(&mut processes, ancestry);
    processes
}

/// Every process of this machine that may be seen, as one moment's table. Milliseconds for a thousand.
pub(crate) fn process_table() -> std::io::Result<ProcessTable> {
    #[cfg(target_os = "linux")]
    return sys::process_table();
    #[cfg(not(target_os = "linux"))]
    process_table::process_table()
}

/// Facts of these very processes, by pid: one that has ended, or whose pid is another's by now, is left out.
pub(crate) fn describe_ids(ids: &[ProcessId]) -> BTreeMap<u32, Process> {
    let pinned: Vec<sys::Pinned> = ids.iter().filter_map(|id| sys::pin(id.pid)).collect();
    let mut processes = confirmed(&pinned.iter().collect::<Vec<_>>(), false);
    processes.retain(|_, process| ids.contains(&process.id));
    for process in processes.values_mut() {
        process.user = process.user.take().or_else(|| users::name(process.uid?));
        if process.script.is_none() {
            process.script = script::of(process).map(|runs| runs.text().clone());
        }
    }
    processes
}

/// The processes whose descriptors were not read, as far as everybody may know them; `None` where there may be others.
pub(crate) fn describe_unread(unread: &Unread) -> Option<Vec<Process>> {
    if unread.others {
        return None;
    }
    let pinned: Vec<sys::Pinned> = unread.pids.iter().filter_map(|pid| sys::pin(*pid)).collect();
    let mut processes = confirmed(&pinned.iter().collect::<Vec<_>>(), false);
    for process in processes.values_mut() {
        process.user = process.user.take().or_else(|| users::name(process.uid?));
    }
    Some(processes.into_values().collect())
}

/// Completes what is known of the socket units that listeners belong to. With `thorough` also of those whose manager was
/// not seen to hold the socket; that asks the managers of all services among the holders.
pub(crate) fn socket_units(listeners: &mut [Listener], thorough: bool) -> Vec<Gap> {
    #[cfg(target_os = "linux")]
    return sys::socket_units(listeners, thorough);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = thorough;
        sys::socket_units(listeners)
    }
}

/// Returns what the service's manager does when its main process ends. `None` if that is unknown: on systems other than
/// Linux, for managers other than systemd, for units that are no services, and if neither the manager nor the unit's
/// files tell.
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the plan of free asks"))]
pub(crate) fn restart_policy(service: &Service) -> Option<RestartPolicy> {
    sys::restart_policy(service)
}

/// Gives users their names.
pub(crate) fn name_users(snapshot: &mut Snapshot) {
    let mut names: BTreeMap<u32, Option<Text>> = BTreeMap::new();
    let mut name = |uid: Option<u32>, user: &mut Option<Text>| {
        if let (Some(uid), None) = (uid, &user) {
            *user = names.entry(uid).or_insert_with(|| users::name(uid)).clone();
        }
    };
    for listener in &mut snapshot.listeners {
        name(listener.socket.uid, &mut listener.socket.user);
        for holder in &mut listener.holders {
            name(holder.process.uid, &mut holder.process.user);
        }
    }
}

/// What is wrong where [`pid_namespace_is_own`] returns `Some(false)`.
pub(crate) const FOREIGN_PIDS: &str = "/proc shows the processes of another pid namespace than the one allears runs in: a \
                                       pid read there belongs to another process here";
/// What helps then.
pub(crate) const FOREIGN_PIDS_HELP: &str =
    "run allears in the pid namespace whose processes /proc shows, or mount the /proc of this one";

/// Returns whether the pids that this module reports are valid in this process: on Linux, whether /proc shows the pid
/// namespace this process is in. `None` if that cannot be determined. Where it is not `Some(true)` no process must be
/// signalled, and no pid passed on to be used here.
#[cfg(feature = "cli")]
pub(crate) fn pid_namespace_is_own() -> Option<bool> {
    sys::pid_namespace_is_own()
}

/// This process and its ancestors, the nearest first, by the pids that this module reports.
#[cfg(feature = "cli")]
pub(crate) fn lineage() -> Vec<u32> {
    let Some(own) = sys::own_pid() else { return Vec::new() };
    let pinned = sys::pin(own);
    let known = confirmed(&pinned.iter().collect::<Vec<_>>(), true).remove(&own);
    let parents = known.map(|process| process.parents).unwrap_or_default();
    std::iter::once(own).chain(parents.into_iter().map(|parent| parent.pid)).collect()
}

/// The path of a program in the system's own folders, whatever the environment says.
#[cfg(feature = "cli")]
pub(crate) fn system_program(name: &str) -> Option<PathBuf> {
    programs::system_program(name)
}

/// The number of the network namespace of a process, where there are such and it may be seen.
pub(crate) fn network_namespace(pid: u32) -> Option<u64> {
    sys::network_namespace(pid)
}

/// A port on which something listens in other network namespaces than this process's.
#[cfg(feature = "cli")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub(crate) port: u16,
    /// Their names, as `--all-namespaces` gives them.
    pub(crate) namespaces: Vec<Text>,
}

/// Whose network namespace this process is in.
#[cfg(feature = "cli")]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there is one network on other systems"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnNetwork {
    /// The machine's first one, or the only one.
    First,
    /// That of a container.
    Containers,
    /// Another one than the machine's first.
    Other,
    /// It cannot be seen.
    Unknown,
}

/// Where else than in this process's network namespace something listens on these ports, as far as that shows within
/// milliseconds and without permission that this process lacks. Linux alone has more than one.
#[cfg(feature = "cli")]
pub(crate) fn listening_elsewhere(ports: &[u16], protocols: &[Protocol]) -> Vec<Elsewhere> {
    #[cfg(target_os = "linux")]
    return sys::listening_elsewhere(ports, protocols);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (ports, protocols);
        Vec::new()
    }
}

/// Whose network namespace this process is in.
#[cfg(feature = "cli")]
pub(crate) fn own_network() -> OwnNetwork {
    #[cfg(target_os = "linux")]
    return sys::own_network();
    #[cfg(not(target_os = "linux"))]
    OwnNetwork::First
}

/// A user's name, where users are numbers.
pub(crate) fn user_name(uid: u32) -> Option<Text> {
    users::name(uid)
}

/// Whether this machine knows a user of that name.
pub(crate) fn user_exists(name: &str) -> bool {
    users::exists(name)
}

/// The user this process runs as, where users are numbers.
pub(crate) fn own_uid() -> Option<u32> {
    users::own()
}

/// The user namespace this process is in; `None` for the first one of the system, and where there are none.
pub(crate) fn user_namespace() -> Option<UserNamespace> {
    #[cfg(target_os = "linux")]
    return sys::user_namespace();
    #[cfg(not(target_os = "linux"))]
    None
}

/// Whether this process has full rights: root, or elevated on Windows.
pub(crate) fn privileged() -> bool {
    sys::privileged()
}

/// This machine's name.
pub(crate) fn host_name() -> Text {
    sysinfo::System::host_name().unwrap_or_default().as_str().into()
}

/// Returns what the system said, and where too many files are open, by which limit.
#[cfg(target_os = "linux")]
pub(crate) fn describe_error(error: &std::io::Error) -> String {
    match too_many_files(error) {
        Some(limit) => format!("{error}: {limit}"),
        None => error.to_string(),
    }
}

/// Explains an error that says that too many files are open; `None` for every other one.
#[cfg(unix)]
pub(crate) fn too_many_files(error: &std::io::Error) -> Option<String> {
    use rustix::io::Errno;
    match Errno::from_io_error(error)? {
        Errno::MFILE => {
            let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
            Some(format!("the limit of this shell is {limit}; raise it with ulimit -n"))
        }
        Errno::NFILE => Some("the limit of the whole system is reached (fs.file-max)".to_owned()),
        _ => None,
    }
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(crate) fn too_many_files(_error: &std::io::Error) -> Option<String> {
    None
}

/// Opens a file that a user named. A file system that does not answer is an error after ten seconds on Linux, and never
/// keeps the process from exiting.
pub(crate) fn open_file(path: &std::path::Path) -> std::io::Result<Box<dyn std::io::Read>> {
    sys::open_file(path)
}

/// The most that is read of a services file. The whole registry takes a third of it.
#[cfg(feature = "cli")]
const LONGEST_SERVICES_FILE: u64 = 4 << 20;

/// The machine's own services file (services(5)).
#[cfg(feature = "cli")]
pub(crate) fn services_file() -> ServicesFile {
    let path = match cfg!(windows) {
        true => {
            let root = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
            PathBuf::from(root).join(r"System32\drivers\etc\services")
        }
        false => PathBuf::from("/etc/services"),
    };
    // A device or a pipe in its place may never end, and a file system may not answer.
    let mut files = Files::new(Instant::now() + Duration::from_secs(1));
    let bytes = || {
        let mut bytes = Vec::new();
        open_file(&path)?.take(LONGEST_SERVICES_FILE).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let read = match files.status(&path, true) {
        Some(status) if status.is_regular() => bytes().map_err(|error: std::io::Error| error.to_string()),
        Some(_) => Err("it is no file".to_owned()),
        None => files.missed().map_or_else(|| Ok(Vec::new()), Err),
    };
    ServicesFile { path: path.display().to_string(), read }
}

/// Now, to the second.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
