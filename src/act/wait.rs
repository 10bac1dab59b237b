//! Waiting for a state of a port, cheap enough to be left running: no process is looked at.

use std::time::{Duration, Instant};

use super::bind::{self, Place, RefusalKind};
use super::observe;
use crate::verdict::Asked;
use crate::{Error, ErrorKind, Listener, Target};

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
pub(crate) struct Pace(Duration);

impl Pace {
    pub(crate) fn new() -> Pace {
        Pace(SHORTEST)
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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waited {
    pub(crate) reached: bool,
    /// Whether the state was to be seen at all at the last look.
    pub(crate) complete: bool,
    pub(crate) took: Duration,
}

/// Waits until a state is reached or time is up. `tick` is told how long it has been after each look.
pub(crate) fn wait(
    target: &Target,
    asked: &Asked,
    wanted: Wanted,
    timeout: Option<Duration>,
    tick: &mut dyn FnMut(Duration),
) -> Result<Waited, Error> {
    let mut scan = || match wanted {
        Wanted::Listening => is_listened_on(target, asked),
        Wanted::Free => Ok((is_free(asked)?, true)),
    };
    wait_until(&mut scan, timeout, tick)
}

/// Scans again and again until a state is reached or time is up. A scan returns whether the state is reached, and whether
/// that is known.
pub(super) fn wait_until(
    scan: &mut dyn FnMut() -> Result<(bool, bool), Error>,
    timeout: Option<Duration>,
    tick: &mut dyn FnMut(Duration),
) -> Result<Waited, Error> {
    let begun = Instant::now();
    let mut pace = Pace::new();
    loop {
        let (reached, complete) = scan()?;
        let took = begun.elapsed();
        let left = timeout.map_or(Duration::MAX, |timeout| timeout.saturating_sub(took));
        if reached || left.is_zero() {
            return Ok(Waited { reached, complete, took });
        }
        tick(took);
        pace.pause(left);
    }
}

/// The listeners that were waited for, with their holders.
pub(crate) fn found(target: &Target, asked: &Asked) -> Result<Vec<Listener>, Error> {
    let mut rows = observe::sockets(asked.protocol, Some(asked.port), false)?.rows;
    rows.retain(|row| row.socket.is_listener() && target.answered_by(&row.socket).is_some());
    Ok(observe::holders(rows)?.0)
}

fn is_listened_on(target: &Target, asked: &Asked) -> Result<(bool, bool), Error> {
    let table = observe::sockets(asked.protocol, Some(asked.port), false)?;
    let answers =
        |row: &crate::os::Row| row.socket.is_listener() && target.answered_by(&row.socket).is_some();
    Ok((table.rows.iter().any(answers), table.complete))
}

/// Whether a bind succeeds. While something is seen to listen none is tried: an attempt is for an instant in the way of
/// others.
fn is_free(asked: &Asked) -> Result<bool, Error> {
    let in_the_way = |all: bool| -> Result<bool, Error> {
        let rows = observe::sockets(asked.protocol, Some(asked.port), all)?.rows;
        Ok(rows.iter().any(|row| row.socket.peer.is_none() && asked.overlaps(&row.socket)))
    };
    if in_the_way(false)? {
        return Ok(false);
    }
    let place = Place::of(asked);
    let attempts = bind::attempt(&place);
    let refused = |kind: RefusalKind| {
        attempts
            .iter()
            .filter_map(|attempt| attempt.refused.as_ref())
            .find(move |refusal| refusal.kind == kind)
    };
    if refused(RefusalKind::InUse).is_some() {
        return Ok(false);
    }
    // A port that this user may not bind is free when nothing has it.
    if refused(RefusalKind::Denied).is_some() {
        return in_the_way(true).map(|taken| !taken);
    }
    let hopeless = match asked.address {
        Some(_) => refused(RefusalKind::NotLocal).or_else(|| refused(RefusalKind::NoFamily)),
        None => None,
    };
    match hopeless.or_else(|| refused(RefusalKind::Other)) {
        Some(refusal) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("it cannot be tried whether the port is free: {} ({})", refusal.says, refusal.name),
        )),
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_never_exceed_what_is_left() {
        let mut pace = Pace::new();
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
