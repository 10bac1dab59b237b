//! `wait --free`: tests repeatedly whether a port can be bound, without taking it from a server that starts meanwhile.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::pass::{BindDenial, WaitState};
use super::tables::Tables;
use crate::act::bind;
use crate::act::hindrance::hindrance;
use crate::bind_attempt::{Attempt, BindRefusal, BindRefusalKind, BindTarget};
use crate::model::compact::CompactSort as _;
use crate::model::{Error, ErrorKind, Socket, State};
use crate::os::{self, Row};
use crate::scan::port_sockets;

/// How long a refused attempt is not repeated while the table has the same sockets.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

/// Tests repeatedly whether a port can be bound, while others start and stop servers on it.
///
/// It attempts no bind while the table has a conflicting socket, nor in the scan after the last one closed: a
/// supervisor restarts its server then. If the table has no socket of the port at all and [`Bindable::table_decides`],
/// that is the answer. Otherwise it attempts one bind, and repeats it only after the sockets changed or a second
/// passed.
pub(super) struct Bindable<'a> {
    bind_target: &'a BindTarget,
    /// Whether a table without a socket of the port proves that the caller can bind it. `None` before the first scan.
    table_decides: Option<bool>,
    /// Whether the last scan found conflicting sockets.
    was_taken: bool,
    /// The last refused attempt: the sockets of the port, the time, and the refusal.
    last_refused: Option<(Vec<Socket>, Instant, Option<BindDenial>)>,
}

impl<'a> Bindable<'a> {
    pub(super) fn new(bind_target: &'a BindTarget) -> Bindable<'a> {
        Bindable { bind_target, table_decides: None, was_taken: false, last_refused: None }
    }

    /// Scans once. `is_last` if no other scan follows.
    pub(super) fn scan(&mut self, is_last: bool, tables: &mut Tables) -> Result<WaitState, Error> {
        if self.table_decides.is_none() {
            let rehearsed = bind::rehearse(self.bind_target);
            if let Some(rehearsed) = &rehearsed
                && let Some(refused) = self.refused(rehearsed)?
            {
                self.table_decides = Some(false);
                return Ok(refused);
            }
            self.table_decides = Some(rehearsed.is_some() && self.table_decides());
        }
        // Reads connections, of which there may be many, only if no listener has the port.
        for all in [false, true] {
            let table = tables.sockets_of_port(self.bind_target.protocol, self.bind_target.port, all)?;
            let conflicts = |row: &&Row| row.socket.peer.is_none() && self.bind_target.overlaps(&row.socket);
            if table.rows.iter().any(conflicts) {
                self.was_taken = true;
                return Ok(WaitState::NotYet(None));
            }
            if !all {
                continue;
            }
            if std::mem::take(&mut self.was_taken) && !is_last {
                return Ok(WaitState::NotYet(None));
            }
            let has_none = table.rows.is_empty() && table.is_whole;
            if has_none && self.table_decides == Some(true) {
                return Ok(WaitState::Reached);
            }
            return self.attempt(&table.rows);
        }
        Ok(WaitState::NotYet(None))
    }

    /// Returns whether a table without a socket of the port proves that the caller, whose rehearsal passed, can bind
    /// it. That needs a table with sockets that are bound and do not listen (Linux 6.8), and no BPF program of the
    /// cgroup that refuses binds. Only an attempt shows which IPv6 addresses can be bound; one that fails for that
    /// takes no port.
    fn table_decides(&self) -> bool {
        let is_certain = |address: IpAddr| address.is_ipv4() || address.is_unspecified();
        let shows_bound = |port: u16| {
            let table = port_sockets::sockets(self.bind_target.protocol, Some(port), true);
            table.is_ok_and(|table| table.rows.iter().any(|row| row.socket.state == State::Bound))
        };
        self.bind_target.address.is_none_or(is_certain)
            && os::policies().bind_programs == Some(0)
            && bind::lists_bound_sockets(self.bind_target, shows_bound)
    }

    /// Attempts to bind, unless the same attempt was just refused.
    fn attempt(&mut self, rows: &[&Row]) -> Result<WaitState, Error> {
        let mut sockets: Vec<Socket> =
            rows.iter().map(|row| Socket { queue: None, ..row.socket.clone() }).collect();
        sockets.compact_sort_by(|a, b| a.order(b).then_with(|| a.inode.cmp(&b.inode)));
        if let Some((known, when, refused)) = &self.last_refused
            && *known == sockets
            && when.elapsed() < BETWEEN_ATTEMPTS
        {
            return Ok(WaitState::NotYet(refused.clone()));
        }
        // A fresh time slice: the attempt ends before the scheduler can preempt it with the port taken.
        std::thread::yield_now();
        let attempts = bind::attempt(self.bind_target);
        let now = self.refused(&attempts)?.unwrap_or(WaitState::Reached);
        if let WaitState::NotYet(refused) = &now {
            self.last_refused = Some((sockets, Instant::now(), refused.clone()));
        }
        Ok(now)
    }

    /// Returns what refusals mean for waiting. `None` if none matters.
    fn refused(&self, attempts: &[Attempt]) -> Result<Option<WaitState>, Error> {
        // A machine without one family still has the wildcard of the other.
        let matters = |refusal: &&BindRefusal| match refusal.kind {
            BindRefusalKind::NotLocal | BindRefusalKind::NoFamily => self.bind_target.address.is_some(),
            BindRefusalKind::Denied | BindRefusalKind::InUse | BindRefusalKind::Other => true,
        };
        let refusals: Vec<&BindRefusal> =
            attempts.iter().filter_map(|attempt| attempt.refused.as_ref()).filter(matters).collect();
        // A refusal with a known cause comes first.
        let explained = refusals.iter().find_map(|refusal| {
            let hindrance = hindrance(self.bind_target, refusal)?;
            Some(((*refusal).clone(), hindrance))
        });
        if let Some((refusal, hindrance)) = explained {
            let may_pass = hindrance.may_pass();
            let refused = BindDenial { refusal, hindrance: Some(hindrance) };
            return Ok(Some(if may_pass {
                WaitState::NotYet(Some(refused))
            } else {
                WaitState::Never(refused)
            }));
        }
        match refusals.first() {
            None => Ok(None),
            Some(refusal) if refusal.kind == BindRefusalKind::Other => Err(Error::new(
                ErrorKind::Unsupported,
                format!("cannot test whether the port is free: {} ({})", refusal.message, refusal.name),
            )),
            Some(refusal) => {
                Ok(Some(WaitState::NotYet(Some(BindDenial { refusal: (*refusal).clone(), hindrance: None }))))
            }
        }
    }
}
