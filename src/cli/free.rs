//! `allears free TARGET...`

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use super::arguments::{Free, Via, When};
use super::exit::Exit;
use super::runtimes::runtimes;
use super::terminal::{self, Terminal};
use super::why::write_out;
use super::{complain, fail, fail_with, input_is_terminal, say, service_names, written};
use crate::act::prepare::{Prepared, keep_named, prepare};
use crate::act::run_plan::{self, RunOptions, RunOutcome};
use crate::act::why::is_one_port;
use crate::management;
use crate::model::{Error, Listener, Protocol};
use crate::model::{Target, TargetError};
use crate::os::{self, EndSignal};
use crate::plan::PlanRequest;
use crate::render::layout::AnswerOptions;
use crate::render::phrases::release::NotFreed;
use crate::render::style::Palette;
use crate::render::{free, phrases, why_and_free_json};
use crate::scan::Query;

/// Runs `allears free`.
pub(super) fn run(arguments: &Free) -> Exit {
    let targets = match targets(arguments) {
        Ok(targets) => targets,
        Err(exit) => return exit,
    };
    let named = arguments.process.iter().cloned().fold(Query::new().runtimes(runtimes()), Query::command);
    let targets = match arguments.targets.is_empty() {
        true => match ports_of(&named) {
            Ok(targets) => targets,
            Err(error) => return fail_with(&error),
        },
        false => targets,
    };
    let via = match arguments.via {
        Via::Signal => management::Via::Signal,
        Via::Container => management::Via::Container,
        Via::Service => management::Via::Service,
        Via::Supervisor => management::Via::Supervisor,
    };
    let mut plans = match prepare(
        &targets,
        PlanRequest { via, tree: arguments.tree, signal: signal(arguments) },
        &runtimes(),
    ) {
        Ok(plans) => plans,
        Err(error) => return fail_with(&error),
    };
    if !arguments.process.is_empty() {
        keep_named(&mut plans, named.selection());
        if plans.is_empty() {
            let has_targets = !arguments.targets.is_empty();
            return not_freed(&NotFreed::NoMatch { commands: &arguments.process, has_targets });
        }
    }
    let is_localhost = Target::are_localhost(&targets);
    if is_localhost {
        // One dual-stack socket has the port at both addresses.
        plans.dedup_by(|second, first| {
            !first.plan.sockets.is_empty() && first.plan.sockets == second.plan.sockets
        });
    }
    let terminal = Terminal::resolve(When::Auto);
    let options = AnswerOptions {
        width: terminal.width,
        palette: Palette { color: terminal.color },
        current_user: terminal::current_user(),
        now: Some(os::now()),
    };
    let run = FreeRun { arguments, plans: &plans, options, person: terminal.person };
    match run.run(is_localhost || is_one_port(&targets)) {
        Ok(exit) => exit,
        Err(FreeError::Output(error)) => written(Err(error), Exit::Found),
        Err(FreeError::Library(error)) => fail_with(&error),
    }
}

/// Returns the ports that the processes of a query hold.
fn ports_of(named: &Query) -> Result<Vec<Target>, Error> {
    let snapshot = named.scan()?;
    let has_name =
        |listener: &&Listener| listener.holders.iter().any(|holder| named.selection().names(&holder.process));
    let mut ports: Vec<(u16, Protocol)> = snapshot
        .listeners
        .iter()
        .filter(has_name)
        .filter_map(|listener| Some((listener.socket.endpoint.port()?, listener.socket.protocol)))
        .collect();
    ports.sort_unstable();
    ports.dedup();
    Ok(ports
        .into_iter()
        .map(|(port, protocol)| Target::from_parts(Some(protocol), None, port..=port))
        .collect())
}

/// Reports why nothing is freed.
fn not_freed(reason: &NotFreed<'_>) -> Exit {
    fail(&reason.sentence(), reason.help())
}

fn targets(arguments: &Free) -> Result<Vec<Target>, Exit> {
    let mut targets = Vec::new();
    for text in &arguments.targets {
        let wrong = |error: TargetError| {
            complain(&error.to_string(), error.help());
            Exit::Usage
        };
        for target in service_names::parse_list(text).map_err(wrong)? {
            targets.push(super::scope::add_interface(target, Some(Protocol::Tcp)).map_err(wrong)?);
        }
    }
    if targets.iter().any(Target::is_unix) {
        complain(
            "cannot free a Unix socket: only ports can be freed",
            "write allears free 3000 or allears free udp/53",
        );
        return Err(Exit::Usage);
    }
    if !arguments.json {
        service_names::print_differences(&targets);
    }
    Ok(targets)
}

/// Returns the first signal to send.
fn signal(arguments: &Free) -> EndSignal {
    match arguments.kill {
        true => EndSignal::Kill,
        false => arguments.signal.unwrap_or(EndSignal::Terminate),
    }
}

/// The longest watch that is not announced.
const ANNOUNCED: Duration = Duration::from_secs(2);

enum FreeError {
    /// The answer could not be written.
    Output(io::Error),
    /// The library failed.
    Library(Error),
}

impl From<io::Error> for FreeError {
    fn from(error: io::Error) -> Self {
        FreeError::Output(error)
    }
}

impl From<Error> for FreeError {
    fn from(error: Error) -> Self {
        FreeError::Library(error)
    }
}

struct FreeRun<'a> {
    arguments: &'a Free,
    plans: &'a [Prepared],
    options: AnswerOptions,
    /// Whether standard error is a terminal.
    person: bool,
}

impl FreeRun<'_> {
    fn run(&self, one_port: bool) -> Result<Exit, FreeError> {
        let arguments = self.arguments;
        if self.plans.is_empty() {
            match arguments.json {
                true => self.documents(&[])?,
                false => write_out(format!("{}\n", phrases::release::NOTHING_HELD).as_bytes())?,
            }
            return Ok(Exit::Found);
        }
        let busy = free::is_held(self.plans);
        if busy && !arguments.json {
            os::without_capabilities(|| {
                let mut text = Vec::new();
                free::plans(self.plans, &self.options, &mut text)?;
                write_out(&text)
            })?;
        }
        if let Some(reason) = free::refusal(self.plans) {
            if arguments.json {
                self.documents(&self.states()?)?;
            }
            // The plan on the terminal already has the reasons.
            let reason = Some(reason).filter(|_| self.options.width.is_none());
            return Ok(not_freed(&NotFreed::Refused { reason }));
        }
        if arguments.dry_run {
            let looks = self.states()?;
            return self.print_outcomes(&looks);
        }
        if busy && !arguments.yes {
            if !one_port {
                return Ok(not_freed(&NotFreed::SeveralPorts));
            }
            if arguments.json || !(input_is_terminal() && io::stderr().is_terminal()) {
                return Ok(not_freed(&NotFreed::NoTerminal));
            }
            if !self.confirm()? {
                say("note", phrases::release::NOTHING_DONE);
                return Ok(Exit::NotFound);
            }
        }
        let options = RunOptions { timeout: arguments.timeout, force: arguments.force };
        let mut outcomes = Vec::new();
        let mut announced = false;
        for prepared in self.plans {
            let mut tick = |left: Duration| {
                // A short watch is not announced.
                if self.person && !announced && left > ANNOUNCED {
                    announced = true;
                    say("note", &phrases::release::watching(left));
                }
            };
            outcomes.push(run_plan::carry_out(prepared, options, &mut tick)?);
        }
        self.print_outcomes(&outcomes)
    }

    /// Asks for confirmation on the terminal. Anything but a clear yes is a no.
    fn confirm(&self) -> io::Result<bool> {
        let mut err = io::stderr().lock();
        write!(err, "{}", free::question(self.plans, &self.options))?;
        err.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        if !answer.ends_with('\n') {
            writeln!(err)?;
        }
        Ok(free::is_yes(&answer))
    }

    /// Returns the state of the ports, with nothing done.
    fn states(&self) -> Result<Vec<RunOutcome>, Error> {
        self.plans.iter().map(run_plan::as_planned).collect()
    }

    fn print_outcomes(&self, outcomes: &[RunOutcome]) -> Result<Exit, FreeError> {
        os::drop_privileges();
        if self.arguments.json {
            self.documents(outcomes)?;
        } else {
            let mut text = Vec::new();
            for (prepared, outcome) in self.plans.iter().zip(outcomes) {
                // The plan of a dry run is the whole answer.
                if !self.arguments.dry_run || prepared.plan.steps.is_empty() {
                    free::outcome(prepared, outcome, &self.options, &mut text)?;
                }
            }
            if self.arguments.dry_run && self.plans.iter().any(|prepared| !prepared.plan.steps.is_empty()) {
                writeln!(text, "{}", phrases::release::DRY_RUN)?;
            }
            write_out(&text)?;
        }
        let obstacles: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.obstacle.as_ref()).collect();
        Ok(match obstacles.iter().all(|obstacle| obstacle.is_doubt()) {
            _ if obstacles.is_empty() => Exit::Found,
            true => Exit::Unknown,
            false => Exit::NotFound,
        })
    }

    fn documents(&self, outcomes: &[RunOutcome]) -> io::Result<()> {
        let mut text = Vec::new();
        why_and_free_json::free(self.plans, outcomes, &mut text)?;
        write_out(&text)
    }
}
