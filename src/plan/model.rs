//! What a plan rests on, and what it says: types alone, without a sentence.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crate::bind_attempt::BindTarget;
use crate::management::role::Role;
use crate::management::{Account, Manager, Via};
use crate::model::process_table::ProcessTable;
use crate::model::{
    Candidate, Connection, DescriptorStore, Gap, KernelSocket, Listener, Process, ProcessId, Service, Socket,
    Text,
};
use crate::os::EndSignal;

/// How a port is to be freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) via: Via,
    /// The whole tree of the wrapper, not the holders alone.
    pub(crate) tree: bool,
    /// The first signal.
    pub(crate) signal: EndSignal,
}

/// Whether a process may be signalled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    Allowed,
    /// It has ended.
    Ended,
    /// Another user's.
    Denied,
    /// A thread of the kernel, or a pid that stands for the kernel.
    Kernel,
    /// It could not be taken hold of.
    Failed(String),
}

/// What starts a process again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restart {
    pub(crate) by: RestartedBy,
    /// How long after the end; `None` where that is unknown.
    pub(crate) delay: Option<Duration>,
    /// Whether it is known to do so, not only likely to.
    pub(crate) certain: bool,
}

/// Who starts a process again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RestartedBy {
    /// The manager of a unit.
    Unit(Service),
    /// systemd, when somebody connects to this socket unit.
    SocketUnit(Text),
    /// The engine, by the container's restart policy.
    Engine(crate::model::Container),
    /// Another process.
    Process { kind: &'static str, id: ProcessId, name: Text },
}

/// What is known of the forwarding of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Forwarding {
    /// These places are forwarded, without a socket.
    Forwarded(Vec<Listener>),
    /// Nothing listens, and a connection to this address is answered.
    Answered(SocketAddr),
    /// Nothing forwards the port, as far as this machine shows any sign of forwarding.
    RuledOut,
    /// There are signs that something on this machine forwards ports, and whether this port is one of them could not be
    /// read.
    Unknown(Gap),
}

/// What a process listens on besides the port. A process can have tens of thousands of sockets, and a range a plan for
/// each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherSockets {
    /// The first [`LONGEST_LIST`].
    pub(crate) first: Vec<Socket>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// What a plan rests on.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) target: BindTarget,
    /// The listening and bound sockets that have the port.
    pub(crate) sockets: Vec<Listener>,
    /// The other sockets of each holder that listen or are bound.
    pub(crate) others: BTreeMap<ProcessId, OtherSockets>,
    /// Listeners of the same port and the other protocol.
    pub(crate) other_protocol: Vec<Listener>,
    pub(crate) clients: Vec<Connection>,
    pub(crate) table: &'a ProcessTable,
    /// What is known of processes that are no holders: ancestors, members of trees.
    pub(crate) known: &'a BTreeMap<u32, Process>,
    pub(crate) access: &'a BTreeMap<ProcessId, Access>,
    /// allears and its ancestors, the nearest first.
    pub(crate) lineage: &'a [u32],
    /// The outermost supervisor of a holder, by its pid.
    pub(crate) supervisors: &'a BTreeMap<u32, Manager>,
    /// What comes back, by the holder's pid.
    pub(crate) restarts: &'a BTreeMap<u32, Vec<Restart>>,
    /// The pids of holders whose unit is known not to start them again.
    pub(crate) stays_down: &'a BTreeSet<u32>,
    /// The accounts of users, by uid.
    pub(crate) accounts: &'a BTreeMap<u32, Account>,
    pub(crate) forwarding: Forwarding,
    /// Whether /proc shows the pid namespace of this process.
    pub(crate) own_pid_namespace: bool,
    pub(crate) own_uid: Option<u32>,
    /// Whether a program is in the system's own folders, from which alone `--via` runs one.
    pub(crate) is_installed: fn(&Text) -> bool,
}

/// What would be done to free a port.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) target: BindTarget,
    /// The listening and bound sockets that have it.
    pub(crate) sockets: Vec<Listener>,
    pub(crate) steps: Vec<Step>,
    /// What a person should know before it is done.
    pub(crate) notes: Vec<Note>,
    /// Why it may not be done; if there is one, nothing is.
    pub(crate) refusals: Vec<Refusal>,
    /// What starts again what is ended.
    pub(crate) restarts: Vec<Restart>,
}

/// A process that would be ended.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) process: Process,
    pub(crate) part: Part,
    pub(crate) action: Action,
}

/// Why a process is in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// It holds these sockets of the port.
    Holder(Vec<Socket>),
    /// It started a holder and waits for it.
    Wrapper,
    /// It belongs to the wrapper's tree.
    Member,
}

/// What is done to a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// It is sent a signal.
    Signal,
    /// Its manager is told to stop it.
    Stop { via: Via, command: Vec<Text> },
}

/// What a person should know of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// These sockets of other ports go with a process.
    OtherSockets { process: Process, sockets: OtherSockets },
    /// The other protocol uses the port too, by a process that is not in the plan.
    OtherProtocol(Box<Listener>),
    /// Who is connected, and loses that.
    Clients(Vec<Connection>),
    /// Children that are sent no signal. `tree` tells whether ending the whole tree would be allowed.
    Children { process: Process, children: Vec<Candidate>, tree: bool },
    /// What started it, and starts it again or goes on without it.
    Wrapper { process: Process, wrapper: Candidate },
    /// It may be started again by this.
    Restarts(Restart),
    /// A manager stops it by this command. `restarts` tells whether the manager starts it again after a signal, if that
    /// is known; `runs` whether `--via` would run the command.
    Managed { manager: Manager, command: Option<Vec<Text>>, restarts: Option<bool>, runs: bool },
    /// The process does nothing until it is resumed.
    Halted(Process),
    /// A virtual machine ends with it.
    VirtualMachine(Process),
    /// Connections are passed on without a socket.
    Forwarded { listener: Box<Listener>, command: Option<Vec<Text>> },
    /// A connection to this address is answered, though nothing listens.
    Answered(SocketAddr),
    /// Whether connections are passed on could not be seen.
    ForwardingUnknown(Gap),
}

/// Why a plan may not be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// /proc shows another pid namespace: its pids are other processes here.
    ForeignPidNamespace,
    /// A process stands for others.
    StandsFor {
        process: Process,
        role: Role,
        manager: Option<Manager>,
        command: Option<Vec<Text>>,
    },
    /// allears itself, or what started it.
    Itself(Process),
    Ancestor(Process),
    /// The kernel's own.
    Kernel(Process),
    /// No process has the socket open: the kernel uses it for this.
    KernelHolds(Socket, Vec<KernelSocket>),
    /// This user may not end it.
    Denied(Process),
    Failed(Process, String),
    /// It is not certain that it holds the socket.
    Uncertain(Process, Socket),
    /// Not every holder could be seen.
    Unseen(Box<Listener>),
    /// A socket unit's manager holds the socket as well, and cannot be looked into.
    HeldByUnit {
        unit: Service,
        socket: Socket,
        command: Option<Vec<Text>>,
        /// Whether `--via service` would run it: that acts on holders that are seen.
        via: bool,
    },
    /// A service manager keeps it in the descriptor store of a unit.
    Stored(Socket, Box<DescriptorStore>),
    /// No manager of the wanted kind has it.
    NoManager {
        process: Option<Process>,
        via: Via,
    },
    /// A manager of another kind would start it again.
    OtherManager {
        process: Process,
        via: Via,
        manager: Manager,
        command: Option<Vec<Text>>,
    },
    /// Its manager does not stop it before it is thawed.
    Frozen(Process),
    /// The program of the command is in none of the system's own folders.
    NoProgram {
        command: Vec<Text>,
    },
    /// No command of its manager is known, or none that is safe.
    NoCommand {
        process: Process,
        manager: Manager,
    },
    /// No wrapper can be told from what belongs to allears.
    TreeHasAllears(Process),
}

/// The longest list of anything in a note.
pub(crate) const LONGEST_LIST: usize = 8;
