//! The facts for a plan, and the plan itself, as data without sentences.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crate::bind_attempt::BindTarget;
use crate::management::restart::RestarterKind;
use crate::management::role::Role;
use crate::management::{EngineUser, Manager, Via};
use crate::model::process_table::ProcessTable;
use crate::model::{
    Candidate, Connection, DescriptorStore, Gap, KernelSocket, Listener, Process, ProcessId, Service, Socket,
    Text,
};
use crate::os::EndSignal;

/// How a port is to be freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlanRequest {
    pub(crate) via: Via,
    /// Whether to end the whole tree of the wrapper instead of the holders only.
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
    /// The caller lacks permission.
    Denied,
    /// The process is a kernel thread, or its pid means the kernel.
    Kernel,
    /// It could not be opened, for this reason.
    Failed(String),
}

/// A restart of a process after it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restart {
    pub(crate) by: RestartCause,
    /// How long after the end. `None` if that is unknown.
    pub(crate) delay: Option<Duration>,
    /// Whether the restart is certain. If not, it is likely.
    pub(crate) certain: bool,
}

/// What restarts a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RestartCause {
    /// The manager of a unit.
    Unit(Service),
    /// systemd, when a peer connects to this socket unit.
    SocketUnit(Text),
    /// The engine, by the container's restart policy.
    Engine(crate::model::Container),
    /// Another process.
    Process { kind: RestarterKind, id: ProcessId, name: Text },
}

/// Whether a port is forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Forwarding {
    /// These addresses are forwarded, without a socket.
    Forwarded(Vec<Listener>),
    /// Nothing listens, but a connection to this address is answered.
    Answered(SocketAddr),
    /// Nothing forwards the port: no sign of forwarding was found.
    RuledOut,
    /// Something on this machine forwards ports, but whether it forwards this one could not be read.
    Unknown(Gap),
}

/// The other sockets that a process listens on or has bound. A process can have tens of thousands of sockets, and a range
/// has a plan for each port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherSockets {
    /// The first [`LONGEST_LIST`].
    pub(crate) first: Vec<Socket>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// The facts that a plan is made from.
#[derive(Debug)]
pub(crate) struct PlanInputs<'a> {
    pub(crate) target: BindTarget,
    /// The listening and bound sockets that have the port.
    pub(crate) sockets: Vec<Listener>,
    /// The other sockets of each holder that listen or are bound.
    pub(crate) others: BTreeMap<ProcessId, OtherSockets>,
    /// Listeners of the same port and the other protocol.
    pub(crate) other_protocol: Vec<Listener>,
    pub(crate) clients: Vec<Connection>,
    pub(crate) table: &'a ProcessTable,
    /// Facts about processes that are not holders, such as ancestors and members of trees, by pid.
    pub(crate) known: &'a BTreeMap<u32, Process>,
    pub(crate) access: &'a BTreeMap<ProcessId, Access>,
    /// The pids of allears and its ancestors, the nearest first.
    pub(crate) lineage: &'a [u32],
    /// The outermost supervisor of a holder, by its pid.
    pub(crate) supervisors: &'a BTreeMap<u32, Manager>,
    /// What restarts a holder, by its pid.
    pub(crate) restarts: &'a BTreeMap<u32, Vec<Restart>>,
    /// The pids of holders whose unit is known not to restart them.
    pub(crate) stays_down: &'a BTreeSet<u32>,
    /// The users of rootless engines, by uid.
    pub(crate) engine_users: &'a BTreeMap<u32, EngineUser>,
    pub(crate) forwarding: Forwarding,
    /// Whether /proc shows the pid namespace of this process.
    pub(crate) own_pid_namespace: bool,
    pub(crate) own_uid: Option<u32>,
    /// Returns whether a program is in the system's own folders. `--via` runs no other programs.
    pub(crate) is_installed: fn(&Text) -> bool,
}

/// The plan for one port.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) target: BindTarget,
    /// The listening and bound sockets that have the port.
    pub(crate) sockets: Vec<Listener>,
    pub(crate) steps: Vec<Step>,
    /// What the user should know before the plan is carried out.
    pub(crate) notes: Vec<PlanNote>,
    /// Why the plan may not be carried out. If there is a refusal, nothing is done.
    pub(crate) refusals: Vec<PlanRefusal>,
    /// What restarts the ended processes.
    pub(crate) restarts: Vec<Restart>,
}

/// A process that would be ended.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) process: Process,
    pub(crate) reason: StepReason,
    pub(crate) action: Action,
}

/// Why a process is in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepReason {
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
    /// Send it this signal.
    Signal(EndSignal),
    /// Run a command that makes its manager stop it.
    Stop { via: Via, command: Vec<Text> },
}

/// What the user should know about a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlanNote {
    /// A process also has these sockets of other ports, which are closed with it.
    OtherSockets { process: Process, sockets: OtherSockets },
    /// A process that is not in the plan uses the same port of the other protocol.
    OtherProtocol(Box<Listener>),
    /// Clients that lose their connections.
    Clients(Vec<Connection>),
    /// Children that are not signalled. `tree` is whether ending the whole tree would be allowed.
    Children { process: Process, children: Vec<Candidate>, tree: bool },
    /// The process that started it, and that restarts it or continues without it.
    Wrapper { process: Process, wrapper: Candidate },
    /// It may be restarted.
    Restarts(Restart),
    /// A manager stops it by this command. `restarts` is whether the manager restarts it after a signal, if that is
    /// known; `runs` is whether `--via` would run the command.
    Managed { manager: Manager, command: Option<Vec<Text>>, restarts: Option<bool>, runs: bool },
    /// The process is suspended, and does nothing until it is resumed.
    Halted(Process),
    /// A virtual machine ends with it.
    VirtualMachine(Process),
    /// Connections are forwarded without a socket.
    Forwarded { listener: Box<Listener>, command: Option<Vec<Text>> },
    /// A connection to this address is answered although nothing listens.
    Answered(SocketAddr),
    /// Whether connections are forwarded could not be read.
    ForwardingUnknown(Gap),
}

/// Why a plan may not be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlanRefusal {
    /// /proc shows another pid namespace, whose pids mean other processes here.
    ForeignPidNamespace,
    /// A process stands for others, as init, a container engine or a supervisor does.
    StandsFor { process: Process, role: Role, manager: Option<Manager>, command: Option<Vec<Text>> },
    /// The process is allears itself.
    Itself(Process),
    /// The process is an ancestor of allears.
    RelatedProcess(Process),
    /// The process is one of the kernel's.
    Kernel(Process),
    /// The kernel holds the socket, for these uses, and no process has it open.
    KernelHolds(Socket, Vec<KernelSocket>),
    /// The caller lacks permission to end the process.
    Denied(Process),
    /// The process could not be opened, for this reason if it was attempted.
    Failed(Process, Option<String>),
    /// It is not certain that it holds the socket.
    Uncertain(Process, Socket),
    /// Not every holder could be seen.
    Unseen(Box<Listener>),
    /// The manager of a socket unit holds the socket too, and its descriptors cannot be read.
    HeldByUnit {
        unit: Service,
        socket: Socket,
        command: Option<Vec<Text>>,
        /// Whether `--via service` would run the command. It needs a visible holder.
        via: bool,
    },
    /// A service manager keeps the socket in the descriptor store of a unit.
    Stored(Socket, Box<DescriptorStore>),
    /// No manager of the requested kind manages the process.
    NoManager { process: Process, via: Via },
    /// A manager of another kind would restart the process.
    OtherManager { process: Process, via: Via, manager: Manager, command: Option<Vec<Text>> },
    /// The process's cgroup is frozen, and its manager does not stop it before it is thawed.
    Frozen(Process),
    /// The command's program is in none of the system's own folders.
    NoProgram { command: Vec<Text> },
    /// No safe command of its manager is known.
    NoCommand { process: Process, manager: Manager },
    /// The tree of the process contains allears.
    TreeHasAllears(Process),
    /// The process holds the port too, and matches none of the texts by which the holders were chosen.
    OtherProgram(Process, Vec<String>),
}

/// The longest list in a note.
pub(crate) const LONGEST_LIST: usize = 8;
