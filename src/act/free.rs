//! `free` for users of the library: the plan, its parts as data, and the outcome of carrying it out.

mod outcome;
mod parts;

use std::path::PathBuf;
use std::time::Duration;

use super::prepare::{Prepared, keep_named, prepare};
use super::run_plan::{self, RunOptions};
use crate::bind_attempt::BindTarget;
use crate::enrich::containers::Runtimes;
use crate::management::Via;
use crate::model::{EndSignal, Error, ErrorKind, Listener, Protocol, Selection, Target};
use crate::plan::{Action, PlanRequest, StepReason};
pub use outcome::{FreeObstacle, FreeOutcome, FreedStep};
pub use parts::{FreeRefusal, FreeRefusalReason, FreeRestart, FreeStep, FreeStepReason, Restarter};

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
    if options.named.commands.iter().any(|text| text.trim().is_empty()) {
        return Err(Error::new(
            ErrorKind::Usage,
            "cannot free by a blank name: it would match every process",
        ));
    }
    let target = match target.protocol() {
        None => target.clone().narrowed_to_protocol(Protocol::Tcp).unwrap_or_else(|| target.clone()),
        Some(_) => target.clone(),
    };
    let request = PlanRequest { via: options.via, tree: options.tree, signal: options.signal };
    let mut prepared = prepare(&[target], request, &options.runtimes)?;
    if !options.named.commands.is_empty() {
        keep_named(&mut prepared, &options.named);
    }
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
    named: Selection,
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
            named: Selection::default(),
            runtimes: Runtimes::default(),
        }
    }
}

impl FreeOptions {
    /// Returns the default options.
    pub fn new() -> FreeOptions {
        FreeOptions::default()
    }

    /// Sets how the holders are ended: by signals, or by one command of what manages them.
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

    /// Frees only ports held by a process whose name, program file or command line contains one of the added texts, in
    /// either case. Any other port has no plan. A plan that would end a process which matches none is refused.
    ///
    /// ```no_run
    /// use allears::{FreeOptions, Target};
    ///
    /// let plans = allears::free(&Target::port(10309)?, &FreeOptions::new().command("vite"))?;
    /// # Ok::<(), allears::Error>(())
    /// ```
    pub fn command(mut self, text: impl Into<String>) -> FreeOptions {
        self.named.commands.push(text.into());
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
            reason: match step.reason {
                StepReason::Holder(_) => FreeStepReason::Holder,
                StepReason::Wrapper => FreeStepReason::Wrapper,
                StepReason::Member => FreeStepReason::Member,
            },
            command: match &step.action {
                Action::Signal(_) => None,
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
        let options = RunOptions { timeout: options.timeout, force: options.force };
        let outcome = run_plan::carry_out(&self.prepared, options, &mut |_| {})?;
        Ok(FreeOutcome {
            obstacle: outcome.obstacle.map(FreeObstacle::from),
            came_back: outcome.came_back,
            watched: outcome.watched,
            held_by: outcome.held_by,
            done: outcome.done.into_iter().map(FreedStep::from).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::test_support::eventually;

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
        let nothing_to_do = || {
            let plans = free(&target, &FreeOptions::new()).unwrap();
            plans.iter().all(|plan| plan.held_by().is_empty() && plan.steps().is_empty())
        };
        assert!(eventually(nothing_to_do));
    }

    #[test]
    fn a_port_that_no_named_process_holds_has_no_plan() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::port(listener.local_addr().unwrap().port()).unwrap();
        let plans = free(&target, &FreeOptions::new().command("no-such-program-anywhere")).unwrap();
        assert!(plans.is_empty());
        // The name of the test's own program, in the other case.
        let own = std::env::current_exe().unwrap().file_name().unwrap().to_string_lossy().to_uppercase();
        let plans = free(&target, &FreeOptions::new().command(own)).unwrap();
        let reasons: Vec<FreeRefusalReason> =
            plans.iter().flat_map(FreePlan::refusals).map(|refusal| refusal.reason).collect();
        assert_eq!((plans.len(), reasons), (1, vec![FreeRefusalReason::Caller]), "this program's own name");
    }

    #[test]
    fn a_blank_name_is_refused() {
        let target = Target::port(10309).unwrap();
        for blank in ["", " ", "\t\n"] {
            let error = free(&target, &FreeOptions::new().command(blank)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{blank:?}");
        }
    }

    #[test]
    fn a_unix_socket_cannot_be_freed() {
        let target: Target = "unix".parse().unwrap();
        let error = free(&target, &FreeOptions::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
}
