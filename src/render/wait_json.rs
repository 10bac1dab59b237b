//! JSON, schema `allears/1`, of `wait`. Types of its own; listeners are those of the list.

use std::borrow::Cow;
use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::json::{ListenerJson, SCHEMA, write_document};
use super::wait::WaitLine;
use super::why_and_free_json::{TargetJson, target_json};
use crate::act::{WaitAttempt, WaitFor};
use crate::bind_attempt::BindTarget;
use crate::model::Protocol;

#[derive(Serialize)]
struct PortTargetJson {
    #[serde(flatten)]
    target: TargetJson,
    /// `localhost`, which has two addresses. Present only if it was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'static str>,
}

#[derive(Serialize)]
struct PortJson<'a> {
    schema: &'static str,
    target: PortTargetJson,
    wanted: &'static str,
    reached: bool,
    /// Why a bind is refused, if no listener explains it.
    error: Option<Cow<'a, str>>,
    hindrance: Option<&'static str>,
    reason: Option<&'a str>,
    /// The status of the last answer. Present only if HTTP was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<Option<u16>>,
    waited_ms: u64,
    listeners: Vec<ListenerJson>,
}

#[derive(Serialize)]
struct UnixTargetJson<'a> {
    protocol: &'static str,
    address: Option<IpAddr>,
    port: Option<u16>,
    path: &'a str,
}

#[derive(Serialize)]
struct UnixJson<'a> {
    schema: &'static str,
    target: UnixTargetJson<'a>,
    wanted: &'static str,
    reached: bool,
    waited_ms: u64,
    listeners: Vec<ListenerJson>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum TargetWaitJson<'a> {
    Port(PortJson<'a>),
    Unix(UnixJson<'a>),
}

#[derive(Serialize)]
struct SeveralJson<'a> {
    schema: &'static str,
    /// Whether all of them, or enough of them, are reached; `null` if that could not be determined.
    reached: Option<bool>,
    ports: Vec<TargetWaitJson<'a>>,
}

/// Writes the result for one target as a document; those for several as one that has a list of them.
pub(crate) fn write(lines: &[WaitLine<'_>], reached: Option<bool>, out: &mut dyn Write) -> io::Result<()> {
    match lines {
        [only] => write_document(&document(only), out),
        several => {
            let ports = several.iter().map(document).collect();
            write_document(&SeveralJson { schema: SCHEMA, reached, ports }, out)
        }
    }
}

fn document<'a>(line: &'a WaitLine<'_>) -> TargetWaitJson<'a> {
    let WaitLine { target, wanted, waited, reason, .. } = line;
    let waited_ms = u64::try_from(waited.took.as_millis()).unwrap_or(u64::MAX);
    let listeners = waited.listeners.iter().map(ListenerJson::from).collect();
    let (schema, wanted_name, reached) = (SCHEMA, wanted.as_str(), waited.reached);
    let Some(port) = &target.port else {
        let path = target.target.unix_name().unwrap_or_default();
        let target = UnixTargetJson { protocol: Protocol::Unix.as_str(), address: None, port: None, path };
        return TargetWaitJson::Unix(UnixJson {
            schema,
            target,
            wanted: wanted_name,
            reached,
            waited_ms,
            listeners,
        });
    };
    let refused = waited.refused.as_ref();
    let is_localhost = target.other_loopback.is_some();
    let http_status = match waited.attempt {
        _ if *wanted != WaitFor::Http => None,
        Some(WaitAttempt::Status(status)) => Some(Some(status)),
        _ => Some(None),
    };
    TargetWaitJson::Port(PortJson {
        schema,
        target: PortTargetJson {
            target: match is_localhost {
                true => target_json(&BindTarget { address: None, ..port.clone() }),
                false => target_json(port),
            },
            host: is_localhost.then_some("localhost"),
        },
        wanted: wanted_name,
        reached,
        error: refused.map(|refused| refused.refusal.name.name()),
        hindrance: refused.and_then(|refused| Some(refused.hindrance.as_ref()?.as_str())),
        reason: reason.as_deref(),
        http_status,
        waited_ms,
        listeners,
    })
}
