//! Waits until a port is in a state. A scan reads the socket table only, never a process.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::bind;
use super::hindrance::hindrance;
use crate::bind_attempt::{Attempt, BindTarget, Refusal, RefusalKind};
use crate::model::Target;
use crate::model::names::names;
use crate::model::{Error, ErrorKind, Listener, Socket, State};
use crate::os::{self, Row};
use crate::scan::port_sockets;
use crate::verdict::Hindrance;

/// The first pause. Each one is twice as long as the one before.
const SHORTEST: Duration = Duration::from_millis(5);
/// The longest pause.
const LONGEST: Duration = Duration::from_millis(200);

/// The state of a port that [`wait`](crate::wait) waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitFor {
    /// Something listens there.
    Listening,
    /// The caller can bind it.
    Free,
}

names! { WaitFor, "state to wait for":
    Listening => "listening",
    Free => "free",
}

/// Pauses that double up to a limit.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff(SHORTEST)
    }

    /// Returns the next pause, at most `left`.
    fn next(&mut self, left: Duration) -> Duration {
        let pause = self.0.min(left);
        self.0 = (self.0 * 2).min(LONGEST);
        pause
    }

    /// Sleeps for the next pause, at most `left`.
    pub(crate) fn pause(&mut self, left: Duration) {
        std::thread::sleep(self.next(left));
    }
}

/// The result of waiting.
#[derive(Debug)]
pub(crate) struct Waited {
    pub(crate) reached: bool,
    /// Whether the last scan was complete, so that its answer is certain.
    pub(crate) complete: bool,
    pub(crate) took: Duration,
    /// Why a bind is refused although no socket seems to have the port.
    pub(crate) refused: Option<Refused>,
    /// Whether waiting cannot change the refusal.
    pub(crate) is_hopeless: bool,
}

/// Waits until a state is reached, cannot be reached, or time is up. Calls `tick` with the time passed after each scan.
pub(crate) fn wait(
    target: &Target,
    bind_target: &BindTarget,
    wanted: WaitFor,
    timeout: Option<Duration>,
    tick: &mut dyn FnMut(Duration),
) -> Result<Waited, Error> {
    let mut bindable = Bindable::new(bind_target);
    let mut scan = |is_last| match wanted {
        WaitFor::Listening => {
            let (reached, complete) = is_listened_on(target, bind_target)?;
            Ok((WaitState::from_reached(reached), complete))
        }
        WaitFor::Free => Ok((bindable.scan(is_last)?, true)),
    };
    wait_until(&mut scan, timeout, tick)
}

/// Scans until a state is reached, cannot be reached, or time is up. `scan` gets whether it is the last one, and
/// returns what it found and whether that is certain.
pub(super) fn wait_until(
    scan: &mut dyn FnMut(bool) -> Result<(WaitState, bool), Error>,
    timeout: Option<Duration>,
    tick: &mut dyn FnMut(Duration),
) -> Result<Waited, Error> {
    let begun = Instant::now();
    let mut backoff = Backoff::new();
    loop {
        let is_last = timeout.is_some_and(|timeout| begun.elapsed() >= timeout);
        let (state, complete) = scan(is_last)?;
        let took = begun.elapsed();
        let left = timeout.map_or(Duration::MAX, |timeout| timeout.saturating_sub(took));
        let waited = |reached, refused, is_hopeless| Waited { reached, complete, took, refused, is_hopeless };
        match state {
            WaitState::Reached => return Ok(waited(true, None, false)),
            WaitState::Never(refused) => return Ok(waited(false, Some(refused), true)),
            WaitState::NotYet(refused) if is_last => return Ok(waited(false, refused, false)),
            WaitState::NotYet(_) => {}
        }
        tick(took);
        backoff.pause(left);
    }
}

/// Why a bind is refused.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    /// What prevents it. `None` if a socket may.
    pub(crate) hindrance: Option<Hindrance>,
}

/// The state of the port in one scan.
#[derive(Debug)]
pub(super) enum WaitState {
    Reached,
    /// Sockets have the port, or the reason for the refusal may pass.
    NotYet(Option<Refused>),
    /// The bind is refused, and waiting does not change that.
    Never(Refused),
}

impl WaitState {
    /// Returns the state of a scan that knows only whether it is reached.
    pub(super) fn from_reached(is_reached: bool) -> WaitState {
        if is_reached { WaitState::Reached } else { WaitState::NotYet(None) }
    }
}

/// Returns the listeners of the target, with their holders.
pub(crate) fn found(target: &Target, bind_target: &BindTarget) -> Result<Vec<Listener>, Error> {
    let mut rows = port_sockets::sockets(bind_target.protocol, Some(bind_target.port), false)?.rows;
    rows.retain(|row| row.socket.is_listener() && target.answered_by(&row.socket).is_some());
    Ok(port_sockets::holders(rows)?.0)
}

/// Returns whether something listens on the target, and whether the table is complete.
fn is_listened_on(target: &Target, bind_target: &BindTarget) -> Result<(bool, bool), Error> {
    let table = port_sockets::sockets(bind_target.protocol, Some(bind_target.port), false)?;
    let answers = |row: &Row| row.socket.is_listener() && target.answered_by(&row.socket).is_some();
    Ok((table.rows.iter().any(answers), table.complete))
}

/// How long a refused attempt is not repeated while the table has the same sockets.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

/// Tests repeatedly whether a port can be bound, while others start and stop servers on it.
///
/// It attempts no bind while the table has a conflicting socket, nor in the scan after the last one closed: a
/// supervisor restarts its server then. If the table has no socket of the port at all and [`Bindable::table_decides`],
/// that is the answer. Otherwise it attempts one bind, and repeats it only after the sockets changed or a second
/// passed.
struct Bindable<'a> {
    bind_target: &'a BindTarget,
    /// Whether a table without a socket of the port proves that the caller can bind it. `None` before the first scan.
    table_decides: Option<bool>,
    /// Whether the last scan found conflicting sockets.
    was_taken: bool,
    /// The last refused attempt: the sockets of the port, the time, and the refusal.
    last_refused: Option<(Vec<Socket>, Instant, Option<Refused>)>,
}

impl<'a> Bindable<'a> {
    fn new(bind_target: &'a BindTarget) -> Bindable<'a> {
        Bindable { bind_target, table_decides: None, was_taken: false, last_refused: None }
    }

    /// Scans once. `is_last` if no other scan follows.
    fn scan(&mut self, is_last: bool) -> Result<WaitState, Error> {
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
            let table = port_sockets::sockets(self.bind_target.protocol, Some(self.bind_target.port), all)?;
            let conflicts = |row: &Row| row.socket.peer.is_none() && self.bind_target.overlaps(&row.socket);
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
            let has_none = table.rows.is_empty() && table.complete && table.gaps.is_empty();
            if has_none && self.table_decides == Some(true) {
                return Ok(WaitState::Reached);
            }
            return self.attempt(table.rows);
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
    fn attempt(&mut self, rows: Vec<Row>) -> Result<WaitState, Error> {
        let mut sockets: Vec<Socket> =
            rows.into_iter().map(|row| Socket { queue: None, ..row.socket }).collect();
        sockets.sort_by(|a, b| a.order(b).then_with(|| a.inode.cmp(&b.inode)));
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
        let matters = |refusal: &&Refusal| match refusal.kind {
            RefusalKind::NotLocal | RefusalKind::NoFamily => self.bind_target.address.is_some(),
            RefusalKind::Denied | RefusalKind::InUse | RefusalKind::Other => true,
        };
        let refusals: Vec<&Refusal> =
            attempts.iter().filter_map(|attempt| attempt.refused.as_ref()).filter(matters).collect();
        // A refusal with a known cause comes first.
        let explained = refusals.iter().find_map(|refusal| {
            let hindrance = hindrance(self.bind_target, refusal)?;
            Some(((*refusal).clone(), hindrance))
        });
        if let Some((refusal, hindrance)) = explained {
            let may_pass = hindrance.may_pass();
            let refused = Refused { refusal, hindrance: Some(hindrance) };
            return Ok(Some(if may_pass {
                WaitState::NotYet(Some(refused))
            } else {
                WaitState::Never(refused)
            }));
        }
        match refusals.first() {
            None => Ok(None),
            Some(refusal) if refusal.kind == RefusalKind::Other => Err(Error::new(
                ErrorKind::Unsupported,
                format!("cannot test whether the port is free: {} ({})", refusal.says, refusal.name),
            )),
            Some(refusal) => {
                Ok(Some(WaitState::NotYet(Some(Refused { refusal: (*refusal).clone(), hindrance: None }))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_never_exceed_what_is_left() {
        let mut backoff = Backoff::new();
        let pauses: Vec<u128> = (0..8).map(|_| backoff.next(Duration::MAX).as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 200, 200]);
        assert_eq!(backoff.next(Duration::from_millis(7)).as_millis(), 7);
    }

    #[test]
    fn a_listener_is_waited_for_and_its_end_too() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let target: Target = listener.local_addr().unwrap().to_string().parse().unwrap();
        let bind_target = super::super::why::bind_target(&target).unwrap();
        let limit = Some(Duration::from_millis(30));
        let reached = |wanted| wait(&target, &bind_target, wanted, limit, &mut |_| {}).unwrap().reached;
        assert!(reached(WaitFor::Listening) && !reached(WaitFor::Free));
        drop(listener);
        assert!(!reached(WaitFor::Listening) && reached(WaitFor::Free));
    }
}
