//! `allears next [PORT|RANGE]`

use super::arguments::Next;
use super::exit::Exit;
use super::runtimes::runtimes;
use super::why::write_out;
use super::{complain, fail, fail_with, say, service_names, written};
use crate::act::next_ports::{self, NextOptions};
use crate::model::Protocol;
use crate::render::{next_json, phrases};

/// The first port that is tested if none is given: those below need a privilege on most systems.
const FIRST: u16 = 1024;

/// Runs `allears next`.
pub(super) fn run(arguments: &Next) -> Exit {
    let options = match options(arguments) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    let found = match next_ports::next(&options, &runtimes()) {
        Ok(found) => found,
        Err(error) => return fail_with(&error),
    };
    crate::os::drop_privileges();
    let exit = if found.ports.len() < options.count { Exit::NotFound } else { Exit::Found };
    let mut out = Vec::new();
    if arguments.json {
        let made = next_json::write(options.protocol, &found, &mut out);
        return written(made.and_then(|()| write_out(&out)), exit);
    }
    if exit == Exit::NotFound {
        fail(&phrases::next::shortage(&options, &found), None);
        return exit;
    }
    for gap in &found.gaps {
        say("not seen", &phrases::gap(gap));
    }
    let lines: String = found.ports.iter().map(|port| format!("{port}\n")).collect();
    written(write_out(lines.as_bytes()), exit)
}

fn options(arguments: &Next) -> Result<NextOptions, Exit> {
    let usage = |message: &str, help: &str| {
        complain(message, help);
        Exit::Usage
    };
    let protocol = if arguments.udp { Protocol::Udp } else { Protocol::Tcp };
    let count = usize::from(arguments.count);
    let Some(text) = &arguments.ports else {
        return Ok(NextOptions::new(FIRST..=u16::MAX).protocol(protocol).count(count));
    };
    let targets = service_names::parse_list(text).map_err(|error| usage(&error.to_string(), error.help()))?;
    let [target] = targets.as_slice() else {
        let part = service_names::without_password(text);
        let part = part.escape_debug();
        return Err(usage(
            &format!("'{part}' is more than one range"),
            "write allears next 3000 or next 8000-8099",
        ));
    };
    if target.is_unix() || target.address().is_some() {
        let part = service_names::without_password(text);
        let part = part.escape_debug();
        return Err(usage(
            &format!("'{part}' is not a port: next tests every address of this machine"),
            "write allears next 3000 or next 8000-8099",
        ));
    }
    let protocol = match target.protocol() {
        None => protocol,
        Some(Protocol::Udp) => Protocol::Udp,
        Some(Protocol::Tcp) if !arguments.udp => Protocol::Tcp,
        Some(other) => {
            let message = format!("next supports TCP and UDP, not {}", other.as_str());
            return Err(usage(&message, "write allears next 3000 or next udp/5000"));
        }
    };
    // One port is where the search begins.
    let ports = match target.single_port() {
        Some(first) => first..=u16::MAX,
        None => target.ports(),
    };
    Ok(NextOptions::new(ports).protocol(protocol).count(count))
}
