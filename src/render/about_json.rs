//! JSON, schema `allears/1`, of `about`. Types of its own.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use super::about::PortLimits;
use super::json::{GapJson, SCHEMA, write_document};
use crate::model::{Protocol, System};
use crate::port_info::{About, Assignment, CommonUse, Neighbour, Registration};

#[derive(Serialize)]
struct SeveralJson<'a> {
    schema: &'static str,
    ports: Vec<AboutJson<'a>>,
}

#[derive(Serialize)]
struct AboutJson<'a> {
    schema: &'static str,
    port: u16,
    protocol: Option<&'static str>,
    range: RangeJson,
    registry: Vec<RegistrationJson<'a>>,
    uses: Vec<UseJson<'a>>,
    neighbours: Option<NeighboursJson<'a>>,
    here: LimitsJson,
    gaps: Vec<GapJson>,
}

#[derive(Serialize)]
struct RangeJson {
    name: &'static str,
    first: u16,
    last: u16,
}

#[derive(Serialize)]
struct RegistrationJson<'a> {
    protocol: &'static str,
    answer: &'static str,
    services: Vec<ServiceJson<'a>>,
    /// The registry's words for what it keeps back.
    words: Option<&'a str>,
}

#[derive(Serialize)]
struct ServiceJson<'a> {
    name: &'a str,
    description: &'a str,
    /// The first and last port, if they were assigned as a range.
    range: Option<[u16; 2]>,
}

#[derive(Serialize)]
struct UseJson<'a> {
    protocol: &'static str,
    ports: [u16; 2],
    tool: &'a str,
    platform: Option<Cow<'a, str>>,
    category: &'a str,
    note: Option<&'a str>,
    status: &'static str,
}

#[derive(Serialize)]
struct NeighboursJson<'a> {
    below: Option<NeighbourJson<'a>>,
    above: Option<NeighbourJson<'a>>,
}

#[derive(Serialize)]
struct NeighbourJson<'a> {
    port: u16,
    protocols: Vec<&'static str>,
    names: &'a [&'static str],
}

#[derive(Serialize)]
struct LimitsJson {
    automatic: Option<[u16; 2]>,
    /// Whether the port is one of them.
    in_automatic: Option<bool>,
    unprivileged_from: Option<u16>,
}

/// Writes what is known of one port as a document; of several as one that has a list of them.
pub(crate) fn write(
    about: &[(About, Option<Protocol>)],
    limits: &PortLimits,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut ports: Vec<AboutJson<'_>> =
        about.iter().map(|(about, wanted)| AboutJson::new(about, *wanted, limits)).collect();
    if ports.len() == 1
        && let Some(only) = ports.pop()
    {
        return write_document(&only, out);
    }
    write_document(&SeveralJson { schema: SCHEMA, ports }, out)
}

impl<'a> AboutJson<'a> {
    fn new(about: &'a About, wanted: Option<Protocol>, limits: &PortLimits) -> Self {
        let asked = |protocol: Protocol| wanted.is_none_or(|wanted| wanted == protocol);
        let ports = about.range.ports();
        let automatic = limits.automatic.as_ref();
        AboutJson {
            schema: SCHEMA,
            port: about.port,
            protocol: wanted.map(Protocol::as_str),
            range: RangeJson { name: about.range.as_str(), first: *ports.start(), last: *ports.end() },
            registry: about.registry.iter().filter(|(of, _)| asked(*of)).map(registration).collect(),
            uses: about.uses.iter().filter(|one| asked(one.protocol)).map(usual).collect(),
            neighbours: about.neighbours.as_ref().map(|near| NeighboursJson {
                below: near.below.as_ref().map(neighbour),
                above: near.above.as_ref().map(neighbour),
            }),
            here: LimitsJson {
                automatic: automatic.map(|range| [*range.start(), *range.end()]),
                in_automatic: automatic.map(|range| range.contains(&about.port)),
                unprivileged_from: limits.unprivileged_from,
            },
            gaps: limits.gaps.iter().map(GapJson::from).collect(),
        }
    }
}

fn registration((protocol, answer): &(Protocol, Registration)) -> RegistrationJson<'_> {
    let service = |one: &Assignment| ServiceJson {
        name: one.name,
        description: one.description,
        range: one.range.as_ref().map(|range| [*range.start(), *range.end()]),
    };
    let (services, words) = match answer {
        Registration::Assigned(services) => (services.iter().map(service).collect(), None),
        Registration::Reserved(words) => (Vec::new(), Some(*words)),
        _ => (Vec::new(), None),
    };
    RegistrationJson { protocol: protocol.as_str(), answer: answer.as_str(), services, words }
}

fn usual(one: &CommonUse) -> UseJson<'_> {
    UseJson {
        protocol: one.protocol.as_str(),
        ports: [*one.ports.start(), *one.ports.end()],
        tool: one.tool,
        platform: one.platform.as_ref().map(System::name),
        category: one.category,
        note: one.note,
        status: one.status.as_str(),
    }
}

fn neighbour(one: &Neighbour) -> NeighbourJson<'_> {
    let protocols = one.protocols.iter().map(|protocol| protocol.as_str()).collect();
    NeighbourJson { port: one.port, protocols, names: &one.names }
}
