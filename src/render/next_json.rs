//! JSON, schema `allears/1`, of `next`.

use std::io::{self, Write};

use serde::Serialize;

use super::json::{GapJson, SCHEMA, write_document};
use crate::act::next_ports::NextPorts;
use crate::model::Protocol;

#[derive(Serialize)]
struct NextJson<'a> {
    schema: &'static str,
    protocol: &'static str,
    ports: &'a [u16],
    skipped: Vec<SkippedJson>,
    claimed: bool,
    gaps: Vec<GapJson>,
}

#[derive(Serialize)]
struct SkippedJson {
    port: u16,
    reason: &'static str,
}

/// Writes the document of `next`.
pub(crate) fn write(protocol: Protocol, found: &NextPorts, out: &mut dyn Write) -> io::Result<()> {
    let skipped = found
        .skipped
        .iter()
        .map(|skipped| SkippedJson { port: skipped.port, reason: skipped.reason.as_str() })
        .collect();
    let document = NextJson {
        schema: SCHEMA,
        protocol: protocol.as_str(),
        ports: &found.ports,
        skipped,
        claimed: found.claimed,
        gaps: found.gaps.iter().map(GapJson::from).collect(),
    };
    write_document(&document, out)
}
