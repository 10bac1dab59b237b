//! Waiting for a state of a port, cheap enough to be left running: no process is looked at.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::bind::{self, Place};
use super::hindrance::hindrance;
use crate::bind_attempt::{Attempt, BindTarget, Refusal, RefusalKind};
use crate::model::Target;
use crate::model::{Error, ErrorKind, Listener, Socket, State};
use crate::os::{self, Row};
use crate::scan::port_sockets;
use crate::verdict::Hindrance;

/// The first pause, doubled after each.
const SHORTEST: Duration = Duration::from_millis(5);
/// The longest pause.
const LONGEST: Duration = Duration::from_millis(200);

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Something listens there.
    Listening,
    /// It can be bound.
    Free,
}

impl Wanted {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Wanted::Listening => "listening",
            Wanted::Free => "free",
        }
    }
}

/// Pauses that grow.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff(SHORTEST)
    }

    /// The next pause, and no longer than is left.
    fn next(&mut self, left: Duration) -> Duration {
        let pause = self.0.min(left);
        self.0 = (self.0 * 2).min(LONGEST);
        pause
    }

    /// Pauses, and no longer than is left.
    pub(crate) fn pause(&mut self, left: Duration) {
        std::thread::sleep(self.next(left));
    }
}

/// What waiting came to.
#[derive(Debug)]
pub(crate) struct Waited {
    pub(crate) reached: bool,
    /// Whether the state could be seen at all at the last look.
    pub(crate) complete: bool,
    pub(crate) took: Duration,
    /// Why the port cannot be bound although nothing seems to have it.
    pub(crate) refused: Option<Refused>,
    /// Whether waiting cannot change that.
    pub(crate) is_hopeless: bool,
}

/// Waits until a state is reached, cannot be reached, or time is up. Calls `tick` with the time passed after each scan.
pub(crate) fn wait(
    target: &Target,
    asked: &BindTarget,
    wanted: Wanted,
    timeout: Option<Duration>,
    tick: &mut dyn FnMut(Duration),
) -> Result<Waited, Error> {
    let mut bindable = Bindable::new(asked);
    let mut scan = |is_last| match wanted {
        Wanted::Listening => {
            let (reached, complete) = is_listened_on(target, asked)?;
            Ok((Now::from_reached(reached), complete))
        }
        Wanted::Free => Ok((bindable.look(is_last)?, true)),
    };
    wait_until(&mut scan, timeout, tick)
}

/// Scans again and again until a state is reached, cannot be reached, or time is up. A scan is told whether it is the last
/// one, and returns what it found, and whether that is certain.
pub(super) fn wait_until(
    scan: &mut dyn FnMut(bool) -> Result<(Now, bool), Error>,
    timeout: Option<Duration>,
    tick: &mut dyn FnMut(Duration),
) -> Result<Waited, Error> {
    let begun = Instant::now();
    let mut pace = Backoff::new();
    loop {
        let is_last = timeout.is_some_and(|timeout| begun.elapsed() >= timeout);
        let (state, complete) = scan(is_last)?;
        let took = begun.elapsed();
        let left = timeout.map_or(Duration::MAX, |timeout| timeout.saturating_sub(took));
        let waited = |reached, refused, is_hopeless| Waited { reached, complete, took, refused, is_hopeless };
        match state {
            Now::Reached => return Ok(waited(true, None, false)),
            Now::Never(refused) => return Ok(waited(false, Some(refused), true)),
            Now::NotYet(refused) if is_last => return Ok(waited(false, refused, false)),
            Now::NotYet(_) => {}
        }
        tick(took);
        pace.pause(left);
    }
}

/// Why a bind is refused.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    /// What forbids it. `None` if a socket may be in the way.
    pub(crate) hindrance: Option<Hindrance>,
}

/// What a scan found.
#[derive(Debug)]
pub(super) enum Now {
    Reached,
    /// Sockets have the port, or a bind is refused for a reason that may pass.
    NotYet(Option<Refused>),
    /// A bind is refused, and waiting does not change that.
    Never(Refused),
}

impl Now {
    /// What a scan found that tells no more than whether the state is reached.
    pub(super) fn from_reached(is_reached: bool) -> Now {
        if is_reached { Now::Reached } else { Now::NotYet(None) }
    }
}

/// The listeners that were waited for, with their holders.
pub(crate) fn found(target: &Target, asked: &BindTarget) -> Result<Vec<Listener>, Error> {
    let mut rows = port_sockets::sockets(asked.protocol, Some(asked.port), false)?.rows;
    rows.retain(|row| row.socket.is_listener() && target.answered_by(&row.socket).is_some());
    Ok(port_sockets::holders(rows)?.0)
}

fn is_listened_on(target: &Target, asked: &BindTarget) -> Result<(bool, bool), Error> {
    let table = port_sockets::sockets(asked.protocol, Some(asked.port), false)?;
    let answers = |row: &Row| row.socket.is_listener() && target.answered_by(&row.socket).is_some();
    Ok((table.rows.iter().any(answers), table.complete))
}

/// How long a bind that was refused is not tried again while the table shows the same sockets.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

/// Whether a port can be bound, asked again and again while others start and end servers there.
///
/// Nothing is attempted while the table shows a socket in the way, nor in the look after the last one went: what restarts a
/// server takes the port then. If the table shows no socket of the port at all, it decides alone, provided that
/// [`Bindable::table_decides`]. Else one attempt decides; the same attempt is repeated only when the sockets have changed, or
/// a second has passed.
struct Bindable<'a> {
    asked: &'a BindTarget,
    place: Place<'a>,
    /// Whether a table without any socket of the port proves that the caller can bind it. `None` before the first look.
    table_decides: Option<bool>,
    /// Whether the last look found sockets in the way.
    was_taken: bool,
    /// The last attempt: which sockets had the port, when it was, what it was refused for.
    tried: Option<(Vec<Socket>, Instant, Option<Refused>)>,
}

impl<'a> Bindable<'a> {
    fn new(asked: &'a BindTarget) -> Bindable<'a> {
        Bindable { asked, place: Place::of(asked), table_decides: None, was_taken: false, tried: None }
    }

    /// Looks once. `is_last` if there will be no other look.
    fn look(&mut self, is_last: bool) -> Result<Now, Error> {
        if self.table_decides.is_none() {
            let rehearsed = bind::rehearse(&self.place);
            if let Some(rehearsed) = &rehearsed
                && let Some(refused) = self.refused(rehearsed)?
            {
                self.table_decides = Some(false);
                return Ok(refused);
            }
            self.table_decides = Some(rehearsed.is_some() && self.table_decides());
        }
        // Connections are many, and matter only where no listener does.
        for all in [false, true] {
            let table = port_sockets::sockets(self.asked.protocol, Some(self.asked.port), all)?;
            let in_the_way = |row: &Row| row.socket.peer.is_none() && self.asked.overlaps(&row.socket);
            if table.rows.iter().any(in_the_way) {
                self.was_taken = true;
                return Ok(Now::NotYet(None));
            }
            if !all {
                continue;
            }
            if std::mem::take(&mut self.was_taken) && !is_last {
                return Ok(Now::NotYet(None));
            }
            let has_none = table.rows.is_empty() && table.complete && table.gaps.is_empty();
            if has_none && self.table_decides == Some(true) {
                return Ok(Now::Reached);
            }
            return self.attempt(table.rows);
        }
        Ok(Now::NotYet(None))
    }

    /// Whether a table without any socket of the port proves that the caller, who passed a rehearsal, can bind it: the table
    /// shows sockets that are merely bound (Linux 6.8), and no program of the cgroup refuses ports after they were taken. Which IPv6 addresses
    /// can be bound an attempt alone tells, and one that fails for that takes no port.
    fn table_decides(&self) -> bool {
        let is_certain = |address: IpAddr| address.is_ipv4() || address.is_unspecified();
        let shows_bound = |port: u16| {
            let table = port_sockets::sockets(self.asked.protocol, Some(port), true);
            table.is_ok_and(|table| table.rows.iter().any(|row| row.socket.state == State::Bound))
        };
        self.asked.address.is_none_or(is_certain)
            && os::policies().bind_programs == Some(0)
            && bind::is_seen(&self.place, shows_bound)
    }

    /// Attempts to bind, unless the same was refused just now.
    fn attempt(&mut self, rows: Vec<Row>) -> Result<Now, Error> {
        let mut sockets: Vec<Socket> =
            rows.into_iter().map(|row| Socket { queue: None, ..row.socket }).collect();
        sockets.sort_by(|a, b| a.order(b).then_with(|| a.inode.cmp(&b.inode)));
        if let Some((known, when, refused)) = &self.tried
            && *known == sockets
            && when.elapsed() < BETWEEN_ATTEMPTS
        {
            return Ok(Now::NotYet(refused.clone()));
        }
        // What follows is so short that it ends before the scheduler takes the processor away again.
        std::thread::yield_now();
        let attempts = bind::attempt(&self.place);
        let now = self.refused(&attempts)?.unwrap_or(Now::Reached);
        if let Now::NotYet(refused) = &now {
            self.tried = Some((sockets, Instant::now(), refused.clone()));
        }
        Ok(now)
    }

    /// What refusals mean for who waits. `None` if there are none that count.
    fn refused(&self, attempts: &[Attempt]) -> Result<Option<Now>, Error> {
        // A machine without one of the families has the wildcard of the other one.
        let counts = |refusal: &&Refusal| match refusal.kind {
            RefusalKind::NotLocal | RefusalKind::NoFamily => self.asked.address.is_some(),
            RefusalKind::Denied | RefusalKind::InUse | RefusalKind::Other => true,
        };
        let refusals: Vec<&Refusal> =
            attempts.iter().filter_map(|attempt| attempt.refused.as_ref()).filter(counts).collect();
        // What waiting does not change comes first.
        let explained = refusals.iter().find_map(|refusal| {
            let hindrance = hindrance(self.asked, refusal)?;
            Some(((*refusal).clone(), hindrance))
        });
        if let Some((refusal, hindrance)) = explained {
            let may_pass = hindrance.may_pass();
            let refused = Refused { refusal, hindrance: Some(hindrance) };
            return Ok(Some(if may_pass { Now::NotYet(Some(refused)) } else { Now::Never(refused) }));
        }
        match refusals.first() {
            None => Ok(None),
            Some(refusal) if refusal.kind == RefusalKind::Other => Err(Error::new(
                ErrorKind::Unsupported,
                format!("cannot test whether the port is free: {} ({})", refusal.says, refusal.name),
            )),
            Some(refusal) => {
                Ok(Some(Now::NotYet(Some(Refused { refusal: (*refusal).clone(), hindrance: None }))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_never_exceed_what_is_left() {
        let mut pace = Backoff::new();
        let pauses: Vec<u128> = (0..8).map(|_| pace.next(Duration::MAX).as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 200, 200]);
        assert_eq!(pace.next(Duration::from_millis(7)).as_millis(), 7);
    }

    #[test]
    fn a_listener_is_waited_for_and_its_end_too() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let target: Target = listener.local_addr().unwrap().to_string().parse().unwrap();
        let asked = super::super::why::asked(&target).unwrap();
        let limit = Some(Duration::from_millis(30));
        let reached = |wanted| wait(&target, &asked, wanted, limit, &mut |_| {}).unwrap().reached;
        assert!(reached(Wanted::Listening) && !reached(Wanted::Free));
        drop(listener);
        assert!(!reached(Wanted::Listening) && reached(Wanted::Free));
    }
}
