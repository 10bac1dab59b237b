//! The parts of a plan of `free`, as data for users of the library.

use std::time::Duration;

use crate::management::RestarterKind;
use crate::model::names::names;
use crate::model::{Container, Process, ProcessId, Service, Text};
use crate::plan::{PlanRefusal, Restart, RestartCause};

/// A process that a [`FreePlan`](crate::FreePlan) would end.
///
/// ```
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     for step in plan.steps() {
///         println!("{:?} {} by {:?}", step.reason, step.process.id.pid, step.command);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FreeStep {
    /// The process.
    pub process: Process,
    /// Why it is in the plan.
    pub reason: FreeStepReason,
    /// The command of its manager, as words. `None` if it is sent a signal.
    pub command: Option<Vec<Text>>,
}

/// Why a process is in a [`FreePlan`](crate::FreePlan).
///
/// ```
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     let holders = plan.steps().into_iter().filter(|step| step.reason == allears::FreeStepReason::Holder);
///     println!("{} holders", holders.count());
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FreeStepReason {
    /// It holds a socket of the port.
    Holder,
    /// It started a holder and waits for it.
    Wrapper,
    /// It belongs to the wrapper's tree.
    Member,
}

/// Why a [`FreePlan`](crate::FreePlan) may not be carried out.
///
/// ```
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     for refusal in plan.refusals() {
///         println!("{:?}; instead: {:?}", refusal.reason, refusal.command);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FreeRefusal {
    /// The reason.
    pub reason: FreeRefusalReason,
    /// The process that it concerns. `None` if it concerns a socket or the whole plan.
    pub process: Option<Process>,
    /// The command that frees the port instead, as words, if one is known.
    pub command: Option<Vec<Text>>,
}

/// The reason of a [`FreeRefusal`].
///
/// ```
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     let needs_root = plan.refusals().iter().any(|it| it.reason == allears::FreeRefusalReason::Permission);
///     println!("run it as root: {needs_root}");
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FreeRefusalReason {
    /// /proc shows the processes of another pid namespace. Linux only.
    PidNamespace,
    /// The process stands for others, as init, a container engine or a supervisor does.
    StandsForOthers,
    /// The process is the caller.
    Caller,
    /// The process is an ancestor of the caller.
    RelatedProcess,
    /// The kernel holds the socket, or the process is one of the kernel's.
    Kernel,
    /// The caller lacks permission to end the process.
    Permission,
    /// The process could not be opened.
    Failed,
    /// It is not certain that the process holds the socket.
    Uncertain,
    /// Not every holder could be seen.
    Unseen,
    /// A service manager holds the socket, and would start the service again.
    ServiceManager,
    /// Nothing of the kind that [`FreeOptions::via`](crate::FreeOptions::via) names manages the process, or no command of its manager is known.
    NoManager,
    /// A manager of another kind than [`FreeOptions::via`](crate::FreeOptions::via) names would start the process again.
    OtherManager,
    /// The process's cgroup is frozen: its manager cannot stop it.
    Frozen,
    /// The program of the manager's command is not installed in the system's own folders.
    NoProgram,
    /// The tree of the process contains the caller.
    TreeHasCaller,
    /// The process holds the port too, and is not of the programs that are to be ended.
    OtherProgram,
}

/// A restart of an ended process.
///
/// ```
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     for restart in plan.restarts().iter().filter(|restart| restart.certain) {
///         println!("starts again after {:?}", restart.delay);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FreeRestart {
    /// What restarts the process.
    pub by: Restarter,
    /// How long after the end. `None` if that is unknown.
    pub delay: Option<Duration>,
    /// Whether that is certain.
    pub certain: bool,
}

/// What restarts an ended process.
///
/// ```
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     for restart in plan.restarts() {
///         if let allears::Restarter::Service(service) = restart.by {
///             println!("{} starts it again", service.name.to_string_lossy());
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Restarter {
    /// The manager of this service.
    Service(Service),
    /// systemd, when a peer connects to this socket unit.
    SocketUnit(Text),
    /// The engine of this container.
    Container(Container),
    /// A process, such as a supervisor or a loop in a shell.
    #[non_exhaustive]
    Process {
        /// The kind of program.
        kind: RestarterKind,
        /// The process.
        id: ProcessId,
        /// Its name.
        name: Text,
    },
}

impl From<&Restart> for FreeRestart {
    fn from(restart: &Restart) -> FreeRestart {
        let by = match &restart.by {
            RestartCause::Unit(service) => Restarter::Service(service.clone()),
            RestartCause::SocketUnit(unit) => Restarter::SocketUnit(unit.clone()),
            RestartCause::Engine(container) => Restarter::Container(container.clone()),
            RestartCause::Process { kind, id, name } => {
                Restarter::Process { kind: *kind, id: *id, name: name.clone() }
            }
        };
        FreeRestart { by, delay: restart.delay, certain: restart.certain }
    }
}

impl From<&PlanRefusal> for FreeRefusal {
    fn from(refusal: &PlanRefusal) -> FreeRefusal {
        use FreeRefusalReason as Why;
        let (reason, process, command) = match refusal {
            PlanRefusal::ForeignPidNamespace => (Why::PidNamespace, None, None),
            PlanRefusal::StandsFor { process, command, .. } => {
                (Why::StandsForOthers, Some(process), command.as_ref())
            }
            PlanRefusal::Itself(process) => (Why::Caller, Some(process), None),
            PlanRefusal::RelatedProcess(process) => (Why::RelatedProcess, Some(process), None),
            PlanRefusal::Kernel(process) => (Why::Kernel, Some(process), None),
            PlanRefusal::KernelHolds(..) => (Why::Kernel, None, None),
            PlanRefusal::Denied(process) => (Why::Permission, Some(process), None),
            PlanRefusal::Failed(process, _) => (Why::Failed, Some(process), None),
            PlanRefusal::Uncertain(process, _) => (Why::Uncertain, Some(process), None),
            PlanRefusal::Unseen(_) => (Why::Unseen, None, None),
            PlanRefusal::HeldByUnit { command, .. } => (Why::ServiceManager, None, command.as_ref()),
            PlanRefusal::Stored(..) => (Why::ServiceManager, None, None),
            PlanRefusal::NoManager { process, .. } => (Why::NoManager, Some(process), None),
            PlanRefusal::OtherManager { process, command, .. } => {
                (Why::OtherManager, Some(process), command.as_ref())
            }
            PlanRefusal::Frozen(process) => (Why::Frozen, Some(process), None),
            PlanRefusal::NoProgram { command } => (Why::NoProgram, None, Some(command)),
            PlanRefusal::NoCommand { process, .. } => (Why::NoManager, Some(process), None),
            PlanRefusal::TreeHasAllears(process) => (Why::TreeHasCaller, Some(process), None),
            PlanRefusal::OtherProgram(process, _) => (Why::OtherProgram, Some(process), None),
        };
        FreeRefusal { reason, process: process.cloned(), command: command.cloned() }
    }
}

names! { FreeStepReason, "reason of a step":
    Holder => "holder",
    Wrapper => "wrapper",
    Member => "member",
}

names! { FreeRefusalReason, "reason to refuse a plan":
    PidNamespace => "pid-namespace",
    StandsForOthers => "stands-for-others",
    Caller => "caller",
    RelatedProcess => "ancestor",
    Kernel => "kernel",
    Permission => "permission",
    Failed => "failed",
    Uncertain => "uncertain",
    Unseen => "unseen",
    ServiceManager => "service-manager",
    NoManager => "no-manager",
    OtherManager => "other-manager",
    Frozen => "frozen",
    NoProgram => "no-program",
    TreeHasCaller => "tree-has-caller",
    OtherProgram => "other-program",
}
