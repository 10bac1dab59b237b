//! `allears --pids`

use std::io::{self, Write};

use super::super::exit::Exit;
use super::super::{fail, say};
use super::ListOutput;
use crate::model::Help;
use crate::os;
use crate::render::phrases;

impl ListOutput<'_> {
    pub(super) fn print_pids(&self, exit: Exit, out: &mut dyn Write) -> io::Result<Exit> {
        self.print_not_asked(exit, out)?;
        let held = self.snapshot.listeners.iter().any(|listener| !listener.holders.is_empty());
        // These pids would mean other processes here.
        if held && self.list.from.is_none() && os::pid_namespace_is_own() != Some(true) {
            let why = match os::pid_namespace_is_own() {
                None => "cannot read which pid namespace /proc shows",
                Some(_) => phrases::FOREIGN_PIDS,
            };
            return Ok(fail(&format!("no pids are printed: {why}"), Some(&Help::MatchingProc.to_string())));
        }
        let listeners = &self.snapshot.listeners;
        let mut pids: Vec<u32> = listeners
            .iter()
            .flat_map(|listener| &listener.holders)
            .map(|holder| holder.process.id.pid)
            .collect();
        pids.sort_unstable();
        pids.dedup();
        for pid in &pids {
            writeln!(out, "{pid}")?;
        }
        out.flush()?;
        let unseen = listeners.iter().filter(|listener| listener.unseen.is_some());
        for listener in unseen {
            let endpoint = phrases::address(&listener.socket);
            let port =
                listener.socket.endpoint.port().map_or_else(String::new, |port| format!(" port {port}"));
            let reason = listener.unseen.as_ref().map_or("unknown", |unseen| unseen.reason.as_str());
            let help = listener.unseen.as_ref().and_then(|unseen| unseen.help.as_ref());
            let help = help.map_or_else(String::new, |help| format!("; {}", phrases::help(help)));
            say("not seen", &format!("a holder of {endpoint}{port} ({reason}){help}"));
        }
        for listener in listeners.iter().filter(|one| one.socket.state == crate::model::State::Forwarded) {
            let to = listener.container.as_ref().map_or_else(String::new, phrases::container);
            let port = listener.socket.endpoint.port().unwrap_or_default();
            say("note", &format!("port {port} is forwarded to container {to}; no process holds it here"));
        }
        if listeners.is_empty() {
            for target in self.selection.targets() {
                say(
                    "note",
                    &match exit {
                        Exit::Unknown => {
                            format!("could not determine whether something listens on {target}")
                        }
                        _ => format!("nothing listens on {target}"),
                    },
                );
            }
        }
        Ok(if pids.is_empty() && exit == Exit::Found { Exit::Unknown } else { exit })
    }
}
