//! `allears why TARGET`

use std::io::{self, Write};

use super::arguments::Why;
use super::exit::Exit;
use super::runtimes::runtimes;
use super::terminal::Terminal;
use super::{complain, fail_with, say, service_names, written};
use crate::act::why;
use crate::model::Target;
use crate::model::{Gap, GapKind, Protocol};
use crate::render::style::Palette;
use crate::render::{phrases, why_and_free, why_and_free_json};
use crate::verdict::VerdictKind;

/// Runs `allears why`.
pub(super) fn run(arguments: &Why) -> Exit {
    let target = match one_port("why", &arguments.target) {
        Ok(target) => target,
        Err(exit) => return exit,
    };
    if !arguments.json {
        service_names::print_differences([&target]);
    }
    let verdict = match why::bind_target(&target).and_then(|asked| why::verdict_for(&asked, &runtimes())) {
        Ok(verdict) => verdict,
        Err(error) => return fail_with(&error),
    };
    let exit = match verdict.can_bind {
        Some(true) => Exit::Found,
        Some(false) => Exit::NotFound,
        None => Exit::Unknown,
    };
    let mut out = Vec::new();
    let made = match arguments.json {
        true => why_and_free_json::why(&verdict, &mut out),
        false => {
            let terminal = Terminal::resolve(arguments.color);
            let options = why_and_free::Options {
                width: terminal.width,
                palette: Palette { color: terminal.color },
                ..Default::default()
            };
            why_and_free::why(&verdict, &options, &mut out)
        }
    };
    let exit = written(made.and_then(|()| write_out(&out)), exit);
    if !arguments.json {
        // Processes that could not be read matter only if a holder is missing.
        let missing = verdict.kind == VerdictKind::Unknown
            || verdict.standing_in_the_way.iter().any(|listener| listener.unseen.is_some());
        let tables = |gap: &&Gap| matches!(gap.what, GapKind::Sockets | GapKind::Limits);
        for gap in verdict.gaps.iter().filter(|gap| missing || tables(gap)) {
            say("not seen", &phrases::gap(gap));
        }
    }
    exit
}

/// Writes the whole answer to standard output.
pub(super) fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut out = crate::os::output();
    out.write_all(bytes).and_then(|()| out.flush())
}

/// Parses a target that has to be one port of one protocol.
pub(super) fn one_port(command: &str, text: &str) -> Result<Target, Exit> {
    let targets = service_names::parse_list(text).map_err(|error| {
        complain(&error.to_string(), error.help());
        Exit::Usage
    })?;
    match targets.as_slice() {
        [target] if target.single_port().is_some() => {
            super::scope::complete(target.clone(), Some(Protocol::Tcp)).map_err(|error| {
                complain(&error.to_string(), error.help());
                Exit::Usage
            })
        }
        _ => {
            let part = text.escape_debug();
            complain(
                &format!("'{part}' is not one port: allears {command} takes one"),
                &format!("write allears {command} 10309, {command} 127.0.0.1:10309 or {command} udp/53"),
            );
            Err(Exit::Usage)
        }
    }
}
