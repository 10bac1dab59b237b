//! Sentences for the notes of a plan.

use super::{forwarding_unknown, halted, listing, manager_phrase, restarts, via_word};
use crate::bind_attempt::BindTarget;
use crate::management::Manager;
use crate::model::compact::CompactSort as _;
use crate::model::{Candidate, Connection, Socket, Text};
use crate::plan::{LONGEST_LIST, PlanNote};
use crate::render::phrases;
use crate::shell;

/// Returns the subject of a note, in one word.
pub(crate) fn note_label(note: &PlanNote) -> &'static str {
    match note {
        PlanNote::OtherSockets { .. } => "goes too",
        PlanNote::OtherProtocol(_) => "also",
        PlanNote::Clients(_) => "clients",
        PlanNote::Children { .. } => "stays",
        PlanNote::Wrapper { .. } => "wrapper",
        PlanNote::Restarts(_) => "returns",
        PlanNote::Managed { .. } => "manager",
        PlanNote::Halted(_) => "halted",
        PlanNote::VirtualMachine(_) => "machine",
        PlanNote::Forwarded { .. } | PlanNote::Answered(_) | PlanNote::ForwardingUnknown(_) => "forwarded",
    }
}

/// Returns a note as a sentence, with escaped names.
pub(crate) fn note(note: &PlanNote, target: &BindTarget) -> String {
    match note {
        PlanNote::OtherSockets { process, sockets } => {
            let more = Some(sockets.more).filter(|more| *more > 0).map(|more| format!("{more} more"));
            let sockets: Vec<String> = sockets.first.iter().map(socket).chain(more).collect();
            format!("{} also has {}", phrases::process(process), sockets.join(", "))
        }
        PlanNote::OtherProtocol(listener) => {
            let port = format!("{}/{}", listener.socket.protocol.as_str(), target.port);
            match listener.head() {
                Some(holder) => {
                    format!(
                        "{port} is in use too, by {}; that is left alone",
                        phrases::process(&holder.process)
                    )
                }
                None => format!("{port} is in use too, by a process that could not be seen"),
            }
        }
        PlanNote::Clients(connections) => clients(connections),
        PlanNote::Children { process, children, tree } => {
            let these = phrases::list(children, LONGEST_LIST, phrases::candidate);
            let (child, is) = if children.len() == 1 { ("child", "is") } else { ("children", "are") };
            let tree = if *tree { "; --tree ends the whole tree" } else { "" };
            format!("the {child} of {} {is} sent no signal: {these}{tree}", phrases::process(process))
        }
        PlanNote::Wrapper { process, wrapper } => {
            // Observed with honcho 2.0 and foreman 0.87.
            let ends_all =
                [&b"honcho"[..], b"foreman"].iter().any(|name| wrapper.name.as_bytes().starts_with(name));
            let then = match ends_all {
                true => "which then ends everything else that it runs",
                false => "which goes on without it or starts it again",
            };
            format!(
                "{} was started by {}, {then}; --tree ends the whole tree",
                phrases::process(process),
                phrases::candidate(wrapper)
            )
        }
        PlanNote::Restarts(restart) => restarts(restart),
        PlanNote::Managed { manager, command, restarts, runs } => {
            managed(manager, command.as_deref(), *restarts, *runs)
        }
        PlanNote::Halted(process) => halted(process),
        PlanNote::VirtualMachine(process) => {
            format!(
                "{} is a virtual machine, which ends at once, as if its power were cut",
                phrases::process(process)
            )
        }
        PlanNote::Forwarded { listener, command } => {
            let to = listener.container.as_deref().map_or_else(
                || "elsewhere".to_owned(),
                |container| format!("the {}", phrases::container_or_pod(container)),
            );
            let stop = command.as_deref().and_then(shell::line);
            let stop = stop.map_or_else(String::new, |stop| format!(": {stop} stops that"));
            format!(
                "connections to {} are forwarded to {to} without a socket{stop}",
                phrases::endpoint(&listener.socket)
            )
        }
        PlanNote::Answered(address) => {
            format!("a connection to {address} is answered, though no socket listens: something forwards it")
        }
        PlanNote::ForwardingUnknown(gap) => forwarding_unknown(gap),
    }
}

fn managed(manager: &Manager, command: Option<&[Text]>, restarts: Option<bool>, runs: bool) -> String {
    let via = if runs { format!("; so does --via {}", via_word(manager.via())) } else { String::new() };
    let stop = match (command.and_then(shell::line), manager) {
        (Some(stop), _) => format!(": {stop} stops it{via}"),
        (None, _) => listing(manager),
    };
    match manager {
        Manager::Container { .. } => format!("it runs in {}{stop}", manager_phrase(manager)),
        _ => {
            let again = match restarts {
                Some(true) => ", which starts it again",
                Some(false) => ", which does not start it again",
                None => ", which may start it again",
            };
            format!("it belongs to {}{again}{stop}", manager_phrase(manager))
        }
    }
}

fn clients(connections: &[Connection]) -> String {
    let count = connections.len();
    let mut named: Vec<Candidate> =
        connections.iter().flat_map(|connection| connection.clients.iter().cloned()).collect();
    named.compact_sort_by_key(|client| client.pid);
    named.dedup_by_key(|client| client.pid);
    let connections =
        if count == 1 { "1 connection is".to_owned() } else { format!("{count} connections are") };
    let by = match named.is_empty() {
        true => String::new(),
        false => format!(" by {}", phrases::list(&named, LONGEST_LIST, phrases::candidate)),
    };
    format!(
        "{connections} open{by}; those that the ended process has accepted are closed; the clients are not signalled"
    )
}

/// Returns the name of a socket: `udp/53 on 127.0.0.1`, `/run/app.sock`.
fn socket(socket: &Socket) -> String {
    match socket.endpoint.port() {
        Some(port) => format!("{}/{port} on {}", socket.protocol.as_str(), phrases::address(socket)),
        None => phrases::address(socket),
    }
}
