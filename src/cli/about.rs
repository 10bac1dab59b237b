//! `allears about PORT`

use super::arguments::About;
use super::exit::Exit;
use super::terminal::Terminal;
use super::why::write_out;
use super::{complain, say, service_names, written};
use crate::model::Target;
use crate::model::{GapKind, Protocol};
use crate::render::about::PortLimits;
use crate::render::layout::AnswerOptions;
use crate::render::style::Palette;
use crate::render::{about, about_json, phrases};

/// Runs `allears about`. It reads no socket and no process.
pub(super) fn run(arguments: &About) -> Exit {
    let targets = match service_names::parse_list(&arguments.port) {
        Ok(targets) => targets,
        Err(error) => {
            complain(&error.to_string(), error.help());
            return Exit::Usage;
        }
    };
    let of_target = |target: &Target| {
        let port = target.single_port().filter(|_| target.address().is_none())?;
        Some((crate::port_info::about(port), target.protocol()))
    };
    let Some(ports) = targets.iter().map(of_target).collect::<Option<Vec<_>>>() else {
        let part = service_names::without_password(&arguments.port);
        let part = part.escape_debug();
        complain(
            &format!("'{part}' is not a port number: allears about takes one, or a service name"),
            "write allears about 10309, about tcp/443 or about postgresql",
        );
        return Exit::Usage;
    };
    if !arguments.json {
        service_names::print_differences(&targets);
    }
    let limits = crate::os::ready_limits(Protocol::Tcp);
    let gaps = limits.gaps.into_iter().filter(|gap| gap.what == GapKind::Limits).collect();
    let limits =
        PortLimits { automatic: limits.ephemeral, unprivileged_from: limits.unprivileged_from, gaps };
    crate::os::drop_privileges();
    let mut out = Vec::new();
    let made = match arguments.json {
        true => about_json::write(&ports, &limits, &mut out),
        false => {
            let terminal = Terminal::resolve(arguments.color);
            let options = AnswerOptions {
                width: terminal.width,
                palette: Palette { color: terminal.color },
                ..Default::default()
            };
            ports.iter().enumerate().try_for_each(|(at, (port, protocol))| {
                if at > 0 {
                    out.push(b'\n');
                }
                about::write(port, *protocol, &limits, &options, &mut out)
            })
        }
    };
    let exit = written(made.and_then(|()| write_out(&out)), Exit::Found);
    for gap in limits.gaps.iter().filter(|_| !arguments.json) {
        say("not seen", &phrases::gap(gap));
    }
    exit
}
