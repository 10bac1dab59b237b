//! `free` for users of the library: the plan, its parts as data, and the outcome of carrying it out.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::prepare::{Prepared, prepare};
use super::release::{self, ReleaseOptions, StepResult};
use crate::bind_attempt::BindTarget;
use crate::enrich::containers::Runtimes;
use crate::management::Via;
use crate::model::{
    Container, EndSignal, Error, ErrorKind, Gap, Listener, Process, ProcessId, Protocol, Service, Target,
    Text,
};
use crate::plan::{Action, Part, Refusal, Request, Restart, RestartedBy};
use crate::verdict::{Advice, Hindrance, VerdictReason};

/// Returns a plan for each port of `target` that could be freed. It changes nothing: [`FreePlan::run`] carries a plan out.
///
/// A single port always has a plan, if only an empty one. A range has a plan for each port that a socket has.
/// The target is TCP unless it names UDP.
///
/// ```
/// use allears::{FreeOptions, Target};
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
/// let target = Target::port(listener.local_addr().expect("it is bound").port())?;
/// for plan in allears::free(&target, &FreeOptions::new())? {
///     // This process holds the port itself, and is never ended.
///     assert!(plan.steps().is_empty() || !plan.refusals().is_empty());
/// }
/// # Ok::<(), allears::Error>(())
/// ```
///
/// # Errors
/// If the target is a Unix socket, or if the socket table or the list of processes cannot be read. An incomplete socket
/// table is an error too: a plan that misses a holder would end the wrong processes.
pub fn free(target: &Target, options: &FreeOptions) -> Result<Vec<FreePlan>, Error> {
    if target.is_unix() {
        return Err(Error::new(ErrorKind::Usage, "cannot free a Unix socket: only ports can be freed"));
    }
    let target = match target.protocol() {
        None => target.clone().of_protocol(Protocol::Tcp).unwrap_or_else(|| target.clone()),
        Some(_) => target.clone(),
    };
    let request = Request { via: options.via, tree: options.tree, signal: options.signal };
    let prepared = prepare(&[target], request, &options.runtimes)?;
    Ok(prepared.into_iter().map(|prepared| FreePlan { prepared, options: options.clone() }).collect())
}

/// How a port is freed. By default SIGTERM is sent to each holder, and the port may take five seconds to become free.
///
/// ```
/// use std::time::Duration;
/// use allears::{FreeOptions, FreeVia};
///
/// let patient = FreeOptions::new().timeout(Duration::from_secs(30)).force(true);
/// let stop_the_unit = FreeOptions::new().via(FreeVia::Service);
/// ```
#[derive(Debug, Clone)]
pub struct FreeOptions {
    via: Via,
    tree: bool,
    signal: EndSignal,
    timeout: Duration,
    force: bool,
    runtimes: Runtimes,
}

impl Default for FreeOptions {
    fn default() -> FreeOptions {
        FreeOptions {
            via: Via::Signal,
            tree: false,
            signal: EndSignal::Terminate,
            timeout: Duration::from_secs(5),
            force: false,
            runtimes: Runtimes::default(),
        }
    }
}

impl FreeOptions {
    /// Returns the default options.
    pub fn new() -> FreeOptions {
        FreeOptions::default()
    }

    /// Sets who ends the holders: signals, or one command of what manages them.
    pub fn via(mut self, via: Via) -> FreeOptions {
        self.via = via;
        self
    }

    /// Ends the process that started the holder and waits for it (`npm`, `make`, `sh -c`) with everything below it.
    pub fn tree(mut self, tree: bool) -> FreeOptions {
        self.tree = tree;
        self
    }

    /// Sets the first signal.
    pub fn signal(mut self, signal: EndSignal) -> FreeOptions {
        self.signal = signal;
        self
    }

    /// Sets how long the port may take to become free.
    pub fn timeout(mut self, timeout: Duration) -> FreeOptions {
        self.timeout = timeout;
        self
    }

    /// Kills what still holds the port after the timeout.
    pub fn force(mut self, force: bool) -> FreeOptions {
        self.force = force;
        self
    }

    /// Adds the Unix socket of a container runtime, Docker or Podman, to those at the usual paths.
    pub fn container_runtime(mut self, socket: impl Into<PathBuf>) -> FreeOptions {
        self.runtimes.named.push(socket.into());
        self
    }
}

/// What would be done to free one port.
///
/// It keeps a handle of each process that it would end, so that no other process that gets the same pid is ended instead.
///
/// ```
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     println!("port {}: {} holders", plan.target().port, plan.steps().len());
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug)]
pub struct FreePlan {
    prepared: Prepared,
    options: FreeOptions,
}

/// A process that a [`FreePlan`] would end.
///
/// ```
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     for step in plan.steps() {
///         println!("{:?} {} by {:?}", step.part, step.process.id.pid, step.command);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FreeStep {
    /// The process.
    pub process: Process,
    /// Why it is in the plan.
    pub part: FreePart,
    /// The command of its manager, as words. `None` if it is sent a signal.
    pub command: Option<Vec<Text>>,
}

/// Why a process is in a [`FreePlan`].
///
/// ```
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     let holders = plan.steps().into_iter().filter(|step| step.part == allears::FreePart::Holder);
///     println!("{} holders", holders.count());
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FreePart {
    /// It holds a socket of the port.
    Holder,
    /// It started a holder and waits for it.
    Wrapper,
    /// It belongs to the wrapper's tree.
    Member,
}

/// Why a [`FreePlan`] may not be carried out.
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
    Ancestor,
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
    /// Nothing of the kind that [`FreeOptions::via`] names manages the process, or no command of its manager is known.
    NoManager,
    /// A manager of another kind than [`FreeOptions::via`] names would start the process again.
    OtherManager,
    /// The process's cgroup is frozen: its manager cannot stop it.
    Frozen,
    /// The program of the manager's command is not installed in the system's own folders.
    NoProgram,
    /// The tree of the process contains the caller.
    TreeHasCaller,
}

/// What starts an ended process again.
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
#[non_exhaustive]
pub struct FreeRestart {
    /// Who does.
    pub by: Restarter,
    /// How long after the end. `None` if that is unknown.
    pub delay: Option<Duration>,
    /// Whether that is certain.
    pub certain: bool,
}

/// Who starts an ended process again.
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
#[non_exhaustive]
pub enum Restarter {
    /// The manager of this service.
    Service(Service),
    /// systemd, when a peer connects to this socket unit.
    SocketUnit(Text),
    /// The engine of this container.
    Container(Container),
    /// A process, such as a supervisor or a loop in a shell.
    Process {
        /// The process.
        id: ProcessId,
        /// Its name.
        name: Text,
    },
}

impl FreePlan {
    /// Returns the port that the plan would free.
    pub fn target(&self) -> &BindTarget {
        &self.prepared.plan.target
    }

    /// Returns the sockets that have the port, with their holders. Without any, the port is free or held by none.
    pub fn held_by(&self) -> &[Listener] {
        &self.prepared.plan.sockets
    }

    /// Returns the processes that would be ended.
    pub fn steps(&self) -> Vec<FreeStep> {
        let step = |step: &crate::plan::Step| FreeStep {
            process: step.process.clone(),
            part: match step.part {
                Part::Holder(_) => FreePart::Holder,
                Part::Wrapper => FreePart::Wrapper,
                Part::Member => FreePart::Member,
            },
            command: match &step.action {
                Action::Signal => None,
                Action::Stop { command, .. } => Some(command.clone()),
            },
        };
        self.prepared.plan.steps.iter().map(step).collect()
    }

    /// Returns why the plan may not be carried out. If there is a reason, [`FreePlan::run`] ends no process.
    pub fn refusals(&self) -> Vec<FreeRefusal> {
        self.prepared.plan.refusals.iter().map(FreeRefusal::from).collect()
    }

    /// Returns what starts again what the plan ends.
    pub fn restarts(&self) -> Vec<FreeRestart> {
        self.prepared.plan.restarts.iter().map(FreeRestart::from).collect()
    }

    /// Carries the plan out and returns whether the port is free. Call it once.
    ///
    /// It waits up to [`FreeOptions::timeout`] until the port is free, and then as long as anything that restarts the
    /// holder takes, five minutes at most. A process whose identity changed since the plan, or that no longer holds the
    /// port, is left alone.
    ///
    /// On Windows, a program that has no window is ended at once: only the command can send Ctrl+C.
    ///
    /// # Errors
    /// If the socket table cannot be read. A process that cannot be ended is a [`FreedStep`] with an error instead.
    pub fn run(&self) -> Result<FreeOutcome, Error> {
        let options = &self.options;
        let options =
            ReleaseOptions { timeout: options.timeout, signal: options.signal, force: options.force };
        let outcome = release::carry_out(&self.prepared, options, &mut |_| {})?;
        Ok(FreeOutcome {
            obstacle: outcome.obstacle.map(FreeObstacle::from),
            came_back: outcome.came_back,
            watched: outcome.watched,
            held_by: outcome.held_by,
            done: outcome.done.into_iter().map(FreedStep::from).collect(),
        })
    }
}

/// What came of carrying out a [`FreePlan`].
///
/// ```no_run
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     println!("free: {:?}", plan.run()?.is_free());
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FreeOutcome {
    /// Why the port is not free, or not known to be. `None` if it is free.
    pub obstacle: Option<FreeObstacle>,
    /// Whether something new took the port.
    pub came_back: bool,
    /// How long the port was watched after it became free.
    pub watched: Option<Duration>,
    /// The sockets that have the port at the end.
    pub held_by: Vec<Listener>,
    /// What was done to each process.
    pub done: Vec<FreedStep>,
}

impl FreeOutcome {
    /// Returns whether the port is free. `None` if that could not be determined.
    pub fn is_free(&self) -> Option<bool> {
        match &self.obstacle {
            None => Some(true),
            Some(FreeObstacle::Refused { .. } | FreeObstacle::ForwardingUnknown(_)) => None,
            Some(_) => Some(false),
        }
    }
}

/// Why a port is not free, or not known to be.
///
/// ```no_run
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     if let Some(allears::FreeObstacle::Held) = plan.run()?.obstacle {
///         println!("still held");
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FreeObstacle {
    /// Sockets have it: [`FreeOutcome::held_by`].
    Held,
    /// No listening or bound socket has it, and a bind fails because it is in use: old connections linger.
    Lingers {
        /// What is in the way, as [`Verdict::reason`](crate::Verdict::reason).
        reason: Box<VerdictReason>,
        /// What helps, as [`Verdict::advice`](crate::Verdict::advice).
        advice: Vec<Advice>,
    },
    /// Connections to it are forwarded by these.
    Forwarded(Vec<Listener>),
    /// No socket has it, and a connection to this address is answered.
    Answered(SocketAddr),
    /// It is free now, and what was ended starts again later than the port was watched.
    Restarts(FreeRestart),
    /// No socket has it, and a bind is refused for another reason, such as missing permission.
    Refused {
        /// The error of the operating system: `EACCES`.
        error: String,
        /// What forbids the bind, if that is known.
        hindrance: Option<Hindrance>,
    },
    /// No socket has it, and whether it is forwarded could not be read.
    ForwardingUnknown(Gap),
}

/// What was done to a process.
///
/// ```no_run
/// use allears::{FreeOptions, Target};
///
/// for plan in allears::free(&Target::port(10309)?, &FreeOptions::new())? {
///     for step in plan.run()?.done {
///         println!("{} {}: {}", step.action, step.pid, step.result);
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FreedStep {
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub name: Text,
    /// What was done, as JSON names it: `terminate`, `kill`, `stop-service`.
    pub action: &'static str,
    /// What became of it.
    pub result: StepResult,
    /// What the operating system or the manager reported, if it failed.
    pub error: Option<String>,
}

impl From<release::Done> for FreedStep {
    fn from(done: release::Done) -> FreedStep {
        FreedStep {
            pid: done.pid,
            name: done.name,
            action: done.action,
            result: done.result,
            error: done.error,
        }
    }
}

impl From<release::Obstacle> for FreeObstacle {
    fn from(obstacle: release::Obstacle) -> FreeObstacle {
        use release::Obstacle;
        match obstacle {
            Obstacle::Held => FreeObstacle::Held,
            Obstacle::Lingers { reason, advice } => FreeObstacle::Lingers { reason, advice },
            Obstacle::Forwarded(listeners) => FreeObstacle::Forwarded(listeners),
            Obstacle::Answered(address) => FreeObstacle::Answered(address),
            Obstacle::Restarts(restart) => FreeObstacle::Restarts(FreeRestart::from(&restart)),
            Obstacle::Refused { refusal, hindrance } => {
                FreeObstacle::Refused { error: refusal.name, hindrance }
            }
            Obstacle::ForwardingUnknown(gap) => FreeObstacle::ForwardingUnknown(gap),
        }
    }
}

impl From<&Restart> for FreeRestart {
    fn from(restart: &Restart) -> FreeRestart {
        let by = match &restart.by {
            RestartedBy::Unit(service) => Restarter::Service(service.clone()),
            RestartedBy::SocketUnit(unit) => Restarter::SocketUnit(unit.clone()),
            RestartedBy::Engine(container) => Restarter::Container(container.clone()),
            RestartedBy::Process { id, name, .. } => Restarter::Process { id: *id, name: name.clone() },
        };
        FreeRestart { by, delay: restart.delay, certain: restart.certain }
    }
}

impl From<&Refusal> for FreeRefusal {
    fn from(refusal: &Refusal) -> FreeRefusal {
        use FreeRefusalReason as Why;
        let (reason, process, command) = match refusal {
            Refusal::ForeignPidNamespace => (Why::PidNamespace, None, None),
            Refusal::StandsFor { process, command, .. } => {
                (Why::StandsForOthers, Some(process), command.as_ref())
            }
            Refusal::Itself(process) => (Why::Caller, Some(process), None),
            Refusal::Ancestor(process) => (Why::Ancestor, Some(process), None),
            Refusal::Kernel(process) => (Why::Kernel, Some(process), None),
            Refusal::KernelHolds(..) => (Why::Kernel, None, None),
            Refusal::Denied(process) => (Why::Permission, Some(process), None),
            Refusal::Failed(process, _) => (Why::Failed, Some(process), None),
            Refusal::Uncertain(process, _) => (Why::Uncertain, Some(process), None),
            Refusal::Unseen(_) => (Why::Unseen, None, None),
            Refusal::HeldByUnit { command, .. } => (Why::ServiceManager, None, command.as_ref()),
            Refusal::Stored(..) => (Why::ServiceManager, None, None),
            Refusal::NoManager { process, .. } => (Why::NoManager, process.as_ref(), None),
            Refusal::OtherManager { process, command, .. } => {
                (Why::OtherManager, Some(process), command.as_ref())
            }
            Refusal::Frozen(process) => (Why::Frozen, Some(process), None),
            Refusal::NoProgram { command } => (Why::NoProgram, None, Some(command)),
            Refusal::NoCommand { process, .. } => (Why::NoManager, Some(process), None),
            Refusal::TreeHasAllears(process) => (Why::TreeHasCaller, Some(process), None),
        };
        FreeRefusal { reason, process: process.cloned(), command: command.cloned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_refused_and_nothing_is_done() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::port(listener.local_addr().unwrap().port()).unwrap();
        let plans = free(&target, &FreeOptions::new()).unwrap();
        let [plan] = plans.as_slice() else { panic!("one port has one plan: {plans:?}") };
        assert_eq!(plan.held_by().len(), 1);
        let reasons: Vec<FreeRefusalReason> = plan.refusals().iter().map(|refusal| refusal.reason).collect();
        assert!(reasons.contains(&FreeRefusalReason::Caller), "{reasons:?}");
        let outcome = plan.run().unwrap();
        assert_eq!((outcome.is_free(), outcome.obstacle), (Some(false), Some(FreeObstacle::Held)));
        assert_eq!(outcome.done, []);
        drop(listener);
        let plans = free(&target, &FreeOptions::new()).unwrap();
        assert!(plans.iter().all(|plan| plan.steps().is_empty()));
    }

    #[test]
    fn a_unix_socket_cannot_be_freed() {
        let target: Target = "unix".parse().unwrap();
        let error = free(&target, &FreeOptions::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
}
