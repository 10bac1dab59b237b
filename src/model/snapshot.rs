//! Listeners, holders and gaps of one moment on one machine.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;

use super::names::names;
use super::{Container, Evidence, Gap, Help, Holder, KernelSocket, Service, Socket, State, Text};
use crate::model::Selection;

/// Listeners, holders and gaps of one moment on one machine.
///
/// ```
/// use allears::Query;
///
/// let snapshot = Query::new().port(10309)?.scan()?;
/// match snapshot.is_answered() {
///     Some(true) => println!("{} listeners", snapshot.listeners.len()),
///     Some(false) => println!("nothing listens on port 10309"),
///     None => println!("not every socket could be read: {:?}", snapshot.gaps),
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// The machine's name.
    pub host: Text,
    /// The operating system: `linux`, `macos`, `windows`.
    pub os: Text,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// Whether it was taken with full rights (root, or an elevated process on Windows).
    pub privileged: bool,
    /// The user namespace whose numbers the uids are. `None` for the system's first one, and on systems other than Linux.
    pub user_namespace: Option<UserNamespace>,
    /// Whether every socket that was asked for is in it. Only then does an absent listener mean that nothing
    /// listens. Holders that could not be seen do not matter here.
    pub complete: bool,
    /// What was asked for; each of several narrows what the one before it gave. `None` where that is not told, as in
    /// documents of older versions: then it is taken to be every TCP and UDP listener.
    pub asked: Option<Vec<Selection>>,
    /// What listens (or, with [`crate::Query::all`], every socket), in order of port, protocol, address and pid.
    pub listeners: Vec<Listener>,
    /// What is at the paths that were asked about, if that explains what was found. Linux only.
    pub paths: Vec<UnixPath>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// By which of several ways it was found out, in sentences for people. Not a part of JSON.
    pub how: Vec<Text>,
}

/// A user namespace other than the system's first one (user_namespaces(7)). Uids of two snapshots mean the same only if
/// both were taken in the same one.
///
/// ```
/// use allears::Query;
///
/// if let Some(namespace) = Query::new().scan()?.user_namespace {
///     println!("uids are those of user namespace {}", namespace.id);
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UserNamespace {
    /// The inode number that names it while it exists.
    pub id: u64,
    /// The users that have a number in it.
    pub users: Vec<UserRange>,
}

/// Users that have consecutive numbers inside and outside of a user namespace: a line of /proc/PID/uid_map.
///
/// ```
/// use allears::Query;
///
/// for range in Query::new().scan()?.user_namespace.into_iter().flat_map(|namespace| namespace.users) {
///     println!("{} users from {} on", range.count, range.first);
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UserRange {
    /// The first uid inside.
    pub first: u32,
    /// The uid it has in the parent namespace.
    pub outside: u32,
    /// How many there are.
    pub count: u32,
}

/// A path of a Unix socket that was asked about, and what is there.
///
/// ```
/// use allears::{Query, Target};
///
/// let target: Target = "/run/no-such.sock".parse().expect("it is a path");
/// for path in Query::from(target).scan()?.paths {
///     println!("{}: {}", path.path.to_string_lossy(), path.holds);
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UnixPath {
    /// The path, from the root.
    pub path: Text,
    /// What is there.
    pub holds: PathContent,
}

/// What is at a path of a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathContent {
    /// A socket on which something listens.
    Listener,
    /// A socket that is bound there and does not listen: one for datagrams, or one that does not listen yet.
    BoundSocket,
    /// The file of a socket that no longer exists: the kernel has no socket bound to it.
    AbandonedSocket,
    /// A file that is no socket, or a directory.
    OtherFile,
    /// No file.
    Nothing,
    /// It is not known.
    Unknown,
}

/// A socket with its holders.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     match listener.head() {
///         Some(holder) => println!("{}: {}", listener.socket.endpoint, holder.process.name.to_string_lossy()),
///         None => println!("{}: {:?}", listener.socket.endpoint, listener.unseen),
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Listener {
    /// The socket itself.
    pub socket: Socket,
    /// The service the socket itself belongs to, known also where no holder can be seen.
    pub service: Option<Service>,
    /// The container the socket itself belongs to.
    pub container: Option<Container>,
    /// The unit for which a service manager keeps the socket in its descriptor store. Linux, systemd.
    pub descriptor_store: Option<DescriptorStore>,
    /// Who has it open, by ascending pid.
    pub holders: Vec<Holder>,
    /// Why there must or may be holders that are not in the list.
    pub unseen: Option<Unseen>,
    /// Who is connected to it, with [`crate::Query::connections`].
    pub connections: Option<Vec<Connection>>,
    /// What became of connecting to it, with `--probe`.
    pub probe: Option<Probe>,
    /// Something worth knowing that the rest does not say.
    pub note: Option<Text>,
}

/// A socket that a service gave its manager to keep, so that it stays when the service ends.
///
/// ```
/// use allears::Query;
///
/// for store in Query::new().scan()?.listeners.into_iter().filter_map(|listener| listener.descriptor_store) {
///     println!("kept for {}", store.unit.name.to_string_lossy());
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DescriptorStore {
    /// The service.
    pub unit: Service,
    /// Whether the service runs; `None` if that is not reported.
    pub active: Option<bool>,
    /// Whether the socket stays when the service is stopped; `None` if that is not reported. Before systemd 254 it never
    /// does.
    pub preserved: Option<bool>,
}

/// A holder that must exist but could not be observed.
///
/// ```
/// use allears::Query;
///
/// for unseen in Query::new().scan()?.listeners.into_iter().filter_map(|listener| listener.unseen) {
///     println!("{}: one of {} processes", unseen.reason, unseen.candidates.len());
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Unseen {
    /// Why it could not.
    pub reason: Reason,
    /// What would show it.
    pub help: Option<Help>,
    /// Who it may be.
    pub candidates: Vec<Candidate>,
    /// What in the kernel uses the socket if the reason is [`Reason::Kernel`], and else what may. Several interfaces can
    /// share one socket. Linux only.
    pub kernel: Vec<KernelSocket>,
}

/// Why a holder could not be observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Descriptor tables that may not be read.
    Permission,
    /// Processes that this /proc hides.
    HiddenProc,
    /// It may be a process outside of our pid namespace.
    PidNamespace,
    /// The kernel itself uses the socket.
    Kernel,
    /// The socket is on its way from one process to another.
    InFlight,
    /// The process ended during the look.
    Exited,
    /// It is not known why.
    Unknown,
}

/// A process that may be an unseen holder.
///
/// ```
/// use allears::Query;
///
/// for unseen in Query::new().scan()?.listeners.into_iter().filter_map(|listener| listener.unseen) {
///     for candidate in unseen.candidates {
///         println!("perhaps {} ({}), by {}", candidate.name.to_string_lossy(), candidate.pid, candidate.evidence);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Candidate {
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub name: Text,
    /// Why it may be the one.
    pub evidence: Evidence,
}

/// A connection that a listener accepted.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().connections(true).scan()?.listeners {
///     for connection in listener.connections.into_iter().flatten() {
///         println!("{} is connected to {}", connection.peer, listener.socket.endpoint);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Connection {
    /// The other side.
    pub peer: SocketAddr,
    /// What state it is in.
    pub state: State,
    /// The processes on the other side, where that is this machine and they can be seen, by ascending pid.
    pub clients: Vec<Candidate>,
}

/// What became of connecting to a listener over loopback.
///
/// ```
/// use allears::{Query, probe_listeners};
///
/// let mut snapshot = Query::new().port(10309)?.scan()?;
/// probe_listeners(&mut snapshot);
/// for probe in snapshot.listeners.iter().filter_map(|listener| listener.probe) {
///     println!("{} after {:?}", probe.outcome, probe.took);
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Probe {
    /// What became of it.
    pub outcome: Outcome,
    /// How long that took.
    pub took: Duration,
}

/// What a connection attempt meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It was connected. The kernel does that; whether the program takes the connection shows in the queue.
    Accepts,
    /// The kernel connected it, and nobody accepts: all holders are visible, and none of them runs.
    Connects,
    /// It was refused.
    Refuses,
    /// No answer came within the limit.
    Silent,
    /// It could not be tried: no route, too many open files.
    Failed,
}

impl Listener {
    pub(crate) fn new(socket: Socket) -> Listener {
        Listener {
            socket,
            service: None,
            container: None,
            descriptor_store: None,
            holders: Vec::new(),
            unseen: None,
            connections: None,
            probe: None,
            note: None,
        }
    }

    /// The pid lists are ordered by, where sockets are otherwise alike.
    fn first_pid(&self) -> Option<u32> {
        self.holders.first().map(|holder| holder.process.id.pid)
    }
}

impl Snapshot {
    /// Whether there is anything that was asked for; `None` where nothing of it was seen and not everything could be.
    pub fn is_answered(&self) -> Option<bool> {
        match (self.listeners.is_empty(), self.complete) {
            (false, _) => Some(true),
            (true, true) => Some(false),
            (true, false) => None,
        }
    }

    /// Sorts listeners, holders and descriptors, so that equal snapshots are equal text.
    pub(crate) fn sort(&mut self) {
        Snapshot::sort_listeners(&mut self.listeners);
    }

    /// Sorts listeners, their holders and the descriptors of those.
    pub(crate) fn sort_listeners(listeners: &mut [Listener]) {
        for listener in listeners.iter_mut() {
            listener.holders.sort_by_key(|holder| holder.process.id);
            for holder in &mut listener.holders {
                holder.descriptors.sort_unstable();
                holder.descriptors.dedup();
            }
        }
        listeners.sort_by(|a, b| {
            a.socket
                .order(&b.socket)
                .then_with(|| a.first_pid().cmp(&b.first_pid()))
                .then_with(|| a.socket.inode.cmp(&b.socket.inode))
        });
    }
}

names! { PathContent, "path content":
    Listener => "listener",
    BoundSocket => "bound-socket",
    AbandonedSocket => "abandoned-socket",
    OtherFile => "other-file",
    Nothing => "nothing",
    Unknown => "unknown",
}

names! { Reason, "reason":
    Permission => "permission",
    HiddenProc => "hidden-proc",
    PidNamespace => "pid-namespace",
    Kernel => "kernel",
    InFlight => "in-flight",
    Exited => "exited",
    Unknown => "unknown",
}

names! { Outcome, "outcome":
    Accepts => "accepts",
    Connects => "connects",
    Refuses => "refuses",
    Silent => "silent",
    Failed => "failed",
}
