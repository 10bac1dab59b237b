//! The text answer of `about`.

use std::io::{self, Write};
use std::ops::RangeInclusive;

use super::layout::{AnswerOptions, write_section};
use super::phrases;
use super::port_line::NARROW;
use super::style::TextRole;
use crate::model::{Gap, Protocol};
use crate::port_info::{About, Assignment, CommonUse, Neighbour, PortRange, Registration, UseStatus};

/// The width of the labels' column.
const LABELS: usize = 12;

/// Facts about this machine that `about` prints.
#[derive(Debug, Clone, Default)]
pub(crate) struct PortLimits {
    /// The ephemeral range.
    pub(crate) automatic: Option<RangeInclusive<u16>>,
    /// The first port that needs no privilege.
    pub(crate) unprivileged_from: Option<u16>,
    /// The limits that could not be read.
    pub(crate) gaps: Vec<Gap>,
}

/// Writes what is known of a port, for one protocol or all.
pub(crate) fn write(
    about: &About,
    wanted: Option<Protocol>,
    limits: &PortLimits,
    options: &AnswerOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let answers: Vec<&(Protocol, Registration)> = about
        .registry
        .iter()
        .filter(|(protocol, _)| wanted.is_none_or(|wanted| wanted == *protocol))
        .collect();
    let uses: Vec<&CommonUse> =
        about.uses.iter().filter(|one| wanted.is_none_or(|wanted| wanted == one.protocol)).collect();
    let subject = match wanted {
        Some(protocol) => format!("{}/{}", about.port, protocol.as_str()),
        None => about.port.to_string(),
    };
    let answer = summary(about, &answers, &uses);
    writeln!(out, "{} {answer}\n", options.palette.paint(TextRole::Subject, subject))?;
    write_section("range", LABELS, &[range_line(about.range)], options, out)?;
    write_section("IANA", LABELS, &registry_lines(&answers), options, out)?;
    write_section(
        "used by",
        LABELS,
        &uses.iter().map(|one| use_line(one)).collect::<Vec<String>>(),
        options,
        out,
    )?;
    if let Some(neighbours) = &about.neighbours {
        let near = [(&neighbours.below, "below"), (&neighbours.above, "above")];
        let shown =
            |(one, side): (&Option<Neighbour>, &str)| Some(format!("{side}: {}", neighbour(one.as_ref()?)));
        write_section(
            "neighbours",
            LABELS,
            &near.into_iter().filter_map(shown).collect::<Vec<String>>(),
            options,
            out,
        )?;
    }
    write_section("here", LABELS, &here_lines(about.port, limits), options, out)?;
    if is_nobodys(&answers) && uses.is_empty() {
        let text = "there is no standard to check it against: any program may use it. Whoever runs the process \
                    that holds it is the one to ask";
        write_section(
            "so",
            LABELS,
            &[format!("{text}; allears {} shows who that is", about.port)],
            options,
            out,
        )?;
    }
    Ok(())
}

fn is_nobodys(answers: &[&(Protocol, Registration)]) -> bool {
    answers.iter().all(|(_, answer)| matches!(answer, Registration::Unassigned | Registration::Dynamic))
}

/// Returns what follows the port in the first line.
fn summary(about: &About, answers: &[&(Protocol, Registration)], uses: &[&CommonUse]) -> String {
    let mut names: Vec<String> = Vec::new();
    for (_, answer) in answers {
        if let Registration::Assigned(services) = answer {
            for service in services {
                if !names.iter().any(|name| name == service.name) {
                    names.push(service.name.to_owned());
                }
            }
        }
    }
    let assigned = match (names.is_empty(), about.range) {
        (false, _) => format!("is assigned to {}", phrases::list_and(&names)),
        (true, PortRange::Dynamic) => "is in the dynamic range, which IANA never assigns".to_owned(),
        (true, _) if is_nobodys(answers) => "is assigned to nobody".to_owned(),
        (true, _) => "is reserved".to_owned(),
    };
    let narrow = |one: &&&CommonUse| one.ports.end() - one.ports.start() < NARROW;
    match uses.iter().find(narrow) {
        Some(one) => match one.status {
            UseStatus::Iana => assigned,
            UseStatus::Primary => format!("{assigned}; by default {}", one.tool),
            UseStatus::List => format!("{assigned}; commonly {}", one.tool),
        },
        None => assigned,
    }
}

fn range_line(range: PortRange) -> String {
    let ports = range.ports();
    let meaning = match range {
        PortRange::System => "assigned after review, and on many systems for privileged processes alone",
        PortRange::Registered => "assigned on application; no privilege is needed",
        PortRange::Dynamic => "never assigned; systems take ports for outgoing connections from here",
    };
    format!("{} ({}-{}): {meaning}", range.as_str(), ports.start(), ports.end())
}

/// Returns a line for each registration, with the protocols that share it. SCTP and DCCP appear only if registered.
fn registry_lines(answers: &[&(Protocol, Registration)]) -> Vec<String> {
    let rare = |protocol: Protocol| matches!(protocol, Protocol::Sctp | Protocol::Dccp);
    let asked_for_one = answers.len() == 1;
    let mut groups: Vec<(Vec<&str>, &Registration)> = Vec::new();
    for (protocol, answer) in answers {
        let silent = matches!(answer, Registration::Unassigned | Registration::Dynamic);
        if rare(*protocol) && silent && !asked_for_one {
            continue;
        }
        match groups.iter_mut().find(|(_, known)| *known == answer) {
            Some((protocols, _)) => protocols.push(protocol.as_str()),
            None => groups.push((vec![protocol.as_str()], answer)),
        }
    }
    let mut lines = Vec::new();
    for (protocols, answer) in groups {
        let protocols = protocols.join(", ");
        match answer {
            Registration::Assigned(services) => {
                lines
                    .extend(services.iter().map(|service| format!("{protocols}: {}", service_line(service))));
            }
            Registration::Reserved("Reserved") => lines.push(format!("{protocols}: reserved")),
            Registration::Reserved(words) => lines.push(format!("{protocols}: reserved ({words})")),
            other => lines.push(format!("{protocols}: {}", other.as_str())),
        }
    }
    lines
}

fn service_line(service: &Assignment) -> String {
    let description = match service.description {
        "" => String::new(),
        text => format!(" ({text})"),
    };
    let range = service.range.as_ref().map_or_else(String::new, |range| {
        format!(
            ", by the range {}-{}, which is weaker evidence than a single port",
            range.start(),
            range.end()
        )
    });
    format!("{}{description}{range}", service.name)
}

fn use_line(one: &CommonUse) -> String {
    let how = match one.status {
        UseStatus::Iana => "",
        UseStatus::Primary => "by default ",
        UseStatus::List => "commonly ",
    };
    let place =
        one.platform.as_ref().map_or_else(String::new, |system| format!(" on {}", phrases::system(system)));
    let range = match one.ports.start() == one.ports.end() {
        true => String::new(),
        false => format!(", {}-{}", one.ports.start(), one.ports.end()),
    };
    let note = one.note.map_or_else(String::new, |note| format!("; {note}"));
    format!("{how}{}{place} ({}{range}){note}", one.tool, one.protocol.as_str())
}

/// Returns the phrase for a neighbouring port: `10439/udp bngsync`.
fn neighbour(one: &Neighbour) -> String {
    let both = [Protocol::Tcp, Protocol::Udp].iter().all(|protocol| one.protocols.contains(protocol));
    let protocols: Vec<&str> = one.protocols.iter().map(|protocol| protocol.as_str()).collect();
    let slash = if both { String::new() } else { format!("/{}", protocols.join(",")) };
    format!("{}{slash} {}", one.port, one.names.join(", "))
}

/// Returns the machine's limits on the port. Unknown limits have no line.
fn here_lines(port: u16, limits: &PortLimits) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(automatic) = &limits.automatic {
        let (first, last) = (automatic.start(), automatic.end());
        lines.push(match automatic.contains(&port) {
            true => format!(
                "this system gives ports of {first}-{last} to programs that ask for any: a client may have it \
                 at any time"
            ),
            false => format!("outside this system's ephemeral range ({first}-{last})"),
        });
    }
    match limits.unprivileged_from {
        // The default of 1024 needs no line.
        Some(from) if port < from => {
            lines.push(format!("only privileged processes may bind it here (ports below {from})"));
        }
        Some(from) if port < 1024 => {
            lines.push(format!("no privilege is needed to bind it here (ports below {from} need one)"));
        }
        _ => {}
    }
    lines
}
