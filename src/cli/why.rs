//! `allears why TARGET...`

use std::io::{self, Write};

use super::arguments::Why;
use super::exit::Exit;
use super::runtimes::runtimes;
use super::terminal::Terminal;
use super::{complain, fail_with, say, service_names, written};
use crate::act::why;
use crate::model::{Error, Protocol};
use crate::model::{Target, TargetError};
use crate::os;
use crate::render::layout::AnswerOptions;
use crate::render::style::Palette;
use crate::render::{phrases, why_and_free, why_and_free_json};
use crate::verdict::Verdict;

/// The most ports of one call. Each is bound, and its holders are searched for.
const MOST_PORTS: usize = 64;

/// Runs `allears why`.
pub(super) fn run(arguments: &Why) -> Exit {
    let targets = match ports(&arguments.targets) {
        Ok(targets) => targets,
        Err(exit) => return exit,
    };
    if !arguments.json {
        service_names::print_differences(&targets);
    }
    let verdicts = targets
        .iter()
        .map(|target| why::bind_target(target).and_then(|asked| why::verdict_for(&asked, &runtimes())));
    match arguments.json {
        true => documents(verdicts),
        false => texts(arguments, targets.len(), verdicts),
    }
}

/// Prints one document.
fn documents(verdicts: impl Iterator<Item = Result<Verdict, Error>>) -> Exit {
    let verdicts: Vec<Verdict> = match verdicts.collect() {
        Ok(verdicts) => verdicts,
        Err(error) => return fail_with(&error),
    };
    os::drop_privileges();
    let exit = verdicts.iter().map(exit_of).fold(Exit::Found, worse);
    let mut out = Vec::new();
    let made = why_and_free_json::why(&verdicts, &mut out);
    written(made.and_then(|()| write_out(&out)), exit)
}

/// Prints each answer as soon as it is known, with an empty line between two.
fn texts(arguments: &Why, count: usize, verdicts: impl Iterator<Item = Result<Verdict, Error>>) -> Exit {
    let terminal = Terminal::resolve(arguments.color);
    let options = AnswerOptions {
        width: terminal.width,
        palette: Palette { color: terminal.color },
        ..Default::default()
    };
    let mut worst = Exit::Found;
    for (number, verdict) in verdicts.enumerate() {
        if number + 1 == count {
            // Nothing is read after the last verdict.
            os::drop_privileges();
        }
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(error) => {
                worst = worse(worst, fail_with(&error));
                continue;
            }
        };
        worst = worse(worst, exit_of(&verdict));
        if let Err(error) = os::without_capabilities(|| text(&verdict, number == 0, &options)) {
            return written(Err(error), worst);
        }
    }
    worst
}

/// Prints one verdict.
fn text(verdict: &Verdict, is_first: bool, options: &AnswerOptions) -> io::Result<()> {
    let mut out = if is_first { Vec::new() } else { b"\n".to_vec() };
    why_and_free::why(verdict, options, &mut out)?;
    write_out(&out)?;
    for gap in why_and_free::relevant_gaps(verdict) {
        say("not seen", &phrases::gap(gap));
    }
    Ok(())
}

fn exit_of(verdict: &Verdict) -> Exit {
    match verdict.can_bind {
        Some(true) => Exit::Found,
        Some(false) => Exit::NotFound,
        None => Exit::Unknown,
    }
}

/// Returns the worse of two exit codes: 3, then 1, then 0.
fn worse(one: Exit, other: Exit) -> Exit {
    if other.code() > one.code() { other } else { one }
}

/// Writes the whole answer to standard output.
pub(super) fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut out = os::output();
    out.write_all(bytes).and_then(|()| out.flush())
}

/// Returns the ports of the targets, in order and each once.
fn ports(texts: &[String]) -> Result<Vec<Target>, Exit> {
    let mut ports: Vec<Target> = Vec::new();
    for text in texts {
        for target in service_names::parse_list(text).map_err(wrong)? {
            if target.is_unix() {
                let part = service_names::without_password(text);
                let part = part.escape_debug();
                complain(
                    &format!("'{part}' is not a port: allears why takes ports"),
                    "write allears why 10309, why 127.0.0.1:10309 or why udp/53",
                );
                return Err(Exit::Usage);
            }
            let target = super::scope::add_interface(target, Some(Protocol::Tcp)).map_err(wrong)?;
            if target.ports().len() > MOST_PORTS - ports.len().min(MOST_PORTS) {
                let part = service_names::without_password(text);
                complain(
                    &format!(
                        "'{}' is too many ports: allears why takes {MOST_PORTS} at most",
                        part.escape_debug()
                    ),
                    "allears RANGE lists what holds ports of a range",
                );
                return Err(Exit::Usage);
            }
            for port in target.ports() {
                let one = target.clone().at_port(port);
                if !ports.contains(&one) {
                    ports.push(one);
                }
            }
        }
    }
    Ok(ports)
}

fn wrong(error: TargetError) -> Exit {
    complain(&error.to_string(), error.help());
    Exit::Usage
}
