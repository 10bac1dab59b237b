//! `allears free TARGET...`

use std::io::{self, BufRead, IsTerminal, Write};

use super::arguments::{Free, Via, When};
use super::exit::Exit;
use super::runtimes::runtimes;
use super::terminal::Terminal;
use super::why::write_out;
use super::{complain, fail, input_is_terminal, say, written};
use crate::act::plan::{self, Plan};
use crate::act::release::{self, Outcome};
use crate::render::escape::escape;
use crate::render::style::Palette;
use crate::render::{answers, answers_json};
use crate::{Error, Target};

/// Frees ports.
pub(super) fn run(arguments: &Free) -> Exit {
    let targets = match targets(arguments) {
        Ok(targets) => targets,
        Err(exit) => return exit,
    };
    let plans = match plan::plans(&targets, arguments.via == Via::Service, &runtimes()) {
        Ok(plans) => plans,
        Err(error) => return fail(&error.to_string(), None),
    };
    let terminal = Terminal::resolve(When::Auto);
    let options = answers::Options { width: terminal.width, palette: Palette { color: terminal.color } };
    let answer = Answer { arguments, plans: &plans, options };
    match answer.give(plan::is_one_port(&targets)) {
        Ok(exit) => exit,
        Err(Trouble::Written(error)) => written(Err(error), Exit::Found),
        Err(Trouble::Looking(error)) => fail(&error.to_string(), None),
    }
}

fn targets(arguments: &Free) -> Result<Vec<Target>, Exit> {
    let mut targets = Vec::new();
    for text in &arguments.targets {
        targets.extend(Target::parse_list(text).map_err(|error| {
            complain(&error.to_string(), error.help());
            Exit::Usage
        })?);
    }
    if targets.iter().any(Target::is_unix) {
        complain("free takes ports, not Unix sockets", "write allears free 3000 or allears free udp/53");
        return Err(Exit::Usage);
    }
    Ok(targets)
}

enum Trouble {
    Written(io::Error),
    Looking(Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Written(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Looking(error)
    }
}

struct Answer<'a> {
    arguments: &'a Free,
    plans: &'a [Plan],
    options: answers::Options,
}

impl Answer<'_> {
    fn give(&self, one_port: bool) -> Result<Exit, Trouble> {
        let arguments = self.arguments;
        if self.plans.is_empty() {
            if !arguments.json {
                write_out(b"nothing holds any of these ports\n")?;
            }
            return Ok(Exit::Found);
        }
        let busy = self.plans.iter().any(|plan| !plan.sockets.is_empty());
        let refused = self.plans.iter().any(|plan| !plan.refusals.is_empty());
        if busy && !arguments.json {
            let mut text = Vec::new();
            for plan in self.plans.iter().filter(|plan| !plan.sockets.is_empty()) {
                answers::plan(plan, &self.options, &mut text)?;
            }
            write_out(&text)?;
        }
        if refused {
            if arguments.json {
                self.documents(&self.looks()?)?;
            }
            let why = self.plans.iter().flat_map(|plan| &plan.refusals).next();
            let why = why.map_or_else(String::new, |why| format!(": {}", escape(&why.as_str().into())));
            return Ok(fail(&format!("refused, and nothing was done{why}"), None));
        }
        if arguments.dry_run {
            let looks = self.looks()?;
            return self.tell(&looks);
        }
        if busy && !arguments.yes {
            if !one_port {
                return Ok(fail(
                    "several ports are freed with --yes alone; nothing was done",
                    Some("--dry-run shows the plans, --yes carries them out"),
                ));
            }
            if arguments.json || !(input_is_terminal() && io::stderr().is_terminal()) {
                return Ok(fail(
                    "nobody can be asked here: this is no terminal; nothing was done",
                    Some("--yes does it without asking, --dry-run shows the plan"),
                ));
            }
            if !agreed()? {
                say("note", "nothing was done");
                return Ok(Exit::NotFound);
            }
        }
        let mut outcomes = Vec::new();
        for plan in self.plans {
            outcomes.push(release::carry_out(plan, arguments.timeout, arguments.force)?);
        }
        self.tell(&outcomes)
    }

    /// How the ports are now, with nothing done.
    fn looks(&self) -> Result<Vec<Outcome>, Error> {
        self.plans.iter().map(release::look).collect()
    }

    fn tell(&self, outcomes: &[Outcome]) -> Result<Exit, Trouble> {
        if self.arguments.json {
            self.documents(outcomes)?;
        } else {
            let mut text = Vec::new();
            for (plan, outcome) in self.plans.iter().zip(outcomes) {
                // The plan of a dry run is the whole answer.
                if !self.arguments.dry_run || plan.steps.is_empty() {
                    answers::outcome(plan, outcome, &self.options, &mut text)?;
                }
            }
            write_out(&text)?;
        }
        let free = outcomes.iter().all(|outcome| outcome.free);
        Ok(if free { Exit::Found } else { Exit::NotFound })
    }

    fn documents(&self, outcomes: &[Outcome]) -> io::Result<()> {
        let mut text = Vec::new();
        answers_json::free(self.plans, outcomes, &mut text)?;
        write_out(&text)
    }
}

/// Asks the person at the terminal. Anything but a clear yes is a no.
fn agreed() -> io::Result<bool> {
    let mut err = io::stderr().lock();
    write!(err, "Do it? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if !answer.ends_with('\n') {
        writeln!(err)?;
    }
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
