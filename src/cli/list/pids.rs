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
        self.print_not_covered(exit, out)?;
        let held = self.snapshot.listeners.iter().any(|listener| !listener.holders.is_empty());
        // These pids would mean other processes here.
        if held && self.list.from.is_none() && os::pid_namespace_is_own() != Some(true) {
            let known = os::pid_namespace_is_own().is_some();
            return Ok(fail(&phrases::pids::no_pids(known), Some(&Help::MatchingProc.to_string())));
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
            say("not seen", &phrases::pids::unseen_holder_of(listener));
        }
        for listener in listeners.iter().filter(|one| one.socket.state == crate::model::State::Forwarded) {
            say("note", &phrases::pids::forwarded_port(listener));
        }
        if listeners.is_empty() {
            for target in self.selection.targets() {
                say("note", &phrases::no_match::unanswered(target, exit != Exit::Unknown));
            }
        }
        Ok(if pids.is_empty() && exit == Exit::Found { Exit::Unknown } else { exit })
    }
}
