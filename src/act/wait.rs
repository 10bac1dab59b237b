//! Waits until ports and Unix sockets are in a state. A pass reads each socket table once for all of them, and no process
//! before a state is reached.

mod bindable;
mod connect;
mod http;
mod pass;
mod tables;
mod targets;
mod unix;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::model::names::names;
use crate::model::{Error, ErrorKind, Listener, Target};
use crate::os::Row;
use crate::scan::port_sockets;

use super::backoff::Backoff;
use bindable::Bindable;
use connect::{OwnAddresses, Test};
pub(crate) use http::HttpPath;
pub(crate) use pass::BindDenial;
pub use pass::WaitAttempt;
use pass::{Pass, WaitState};
use tables::Tables;
pub(crate) use targets::WaitTarget;

/// The state of a port that [`wait`](crate::wait) waits for.
///
/// ```
/// use allears::WaitFor;
///
/// assert_eq!("listening".parse(), Ok(WaitFor::Listening));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitFor {
    /// Something listens there.
    Listening,
    /// A TCP connection over loopback, or to the target's address, is not closed within 100 ms.
    ///
    /// The kernel completes connections for a server that has not called `accept` yet. The proxy of a container listens
    /// before the server inside does, and closes a connection at once until then. [`WaitFor::Http`] is the stronger test.
    Accepts,
    /// A GET over HTTP/1.1 is answered with a status below 400. Redirects are not followed.
    Http,
    /// The caller can bind it.
    Free,
}

names! { WaitFor, "state to wait for":
    Listening => "listening",
    Accepts => "accepts",
    Http => "http",
    Free => "free",
}

/// What is waited for, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct WaitRequest {
    pub(crate) wanted: WaitFor,
    /// The path for [`WaitFor::Http`].
    pub(crate) http_path: HttpPath,
    /// Whether one target is enough.
    pub(crate) any: bool,
    /// `None` waits forever.
    pub(crate) timeout: Option<Duration>,
    /// Whether the holders of what was reached are searched for.
    pub(crate) holders: bool,
}

/// The result of waiting for one target.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waited {
    pub(crate) reached: bool,
    /// Whether the last scan was complete, so that its answer is certain.
    pub(crate) complete: bool,
    pub(crate) took: Duration,
    /// Why a bind is refused although no socket seems to have the port.
    pub(crate) refused: Option<BindDenial>,
    /// Whether waiting cannot change the refusal.
    pub(crate) is_hopeless: bool,
    /// The result of the last connection.
    pub(crate) attempt: Option<WaitAttempt>,
    /// The listeners that were waited for, with their holders.
    pub(crate) listeners: Vec<Listener>,
}

/// Receives the progress of waiting.
pub(crate) trait Observer {
    /// Handles the end of a pass after which more follow. `took` is the time since the start.
    fn passed(&mut self, _took: Duration) {}

    /// Handles a reached target, by its index. A break ends waiting.
    fn reached(&mut self, _at: usize, _waited: &Waited) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Observer for () {}

/// Returns whether all targets, or with `any` one of them, are reached. `None` if that could not be determined: a table was incomplete,
/// or a bind is refused for a reason that waiting does not change.
#[cfg(feature = "cli")]
pub(crate) fn outcome(waited: &[Waited], any: bool) -> Option<bool> {
    let each = |one: &Waited| match one.reached {
        true => Some(true),
        false => (one.complete && !one.is_hopeless).then_some(false),
    };
    let mut each = waited.iter().map(each);
    match any {
        true if waited.iter().any(|one| one.reached) => Some(true),
        true => each.all(|one| one.is_some()).then_some(false),
        // One that is certainly not reached decides, unless waiting for another cannot help.
        false if waited.iter().any(|one| one.is_hopeless) => None,
        false if waited.iter().all(|one| one.reached) => Some(true),
        false => each.any(|one| one == Some(false)).then_some(false),
    }
}

/// Waits until all targets, or one of them, are in a state; until one of them cannot be; or until time is up. Returns
/// the result of each target. If `observer` breaks, it returns what is known then.
///
/// # Errors
/// If a socket table cannot be read, if a bind fails for a reason that does not concern its port, or if a target that
/// is not a TCP port is to be connected to.
pub(crate) fn wait(
    targets: &[WaitTarget],
    request: &WaitRequest,
    observer: &mut dyn Observer,
) -> Result<Vec<Waited>, Error> {
    if matches!(request.wanted, WaitFor::Accepts | WaitFor::Http)
        && let Some(other) = targets.iter().find(|target| !target.is_tcp())
    {
        let attempted = format!("cannot connect to {}: only TCP ports can be connected to", other.target);
        return Err(Error::new(ErrorKind::Usage, attempted));
    }
    let begun = Instant::now();
    let mut backoff = Backoff::new();
    let mut passes = Passes::new(targets, request);
    let mut waited = vec![Waited::default(); targets.len()];
    loop {
        let is_last = request.timeout.is_some_and(|timeout| begun.elapsed() >= timeout);
        let left = request.timeout.map(|timeout| timeout.saturating_sub(begun.elapsed()));
        let is_pending = |(_, one): &(usize, &Waited)| !one.reached && !one.is_hopeless;
        let pending: Vec<usize> = waited.iter().enumerate().filter(is_pending).map(|(at, _)| at).collect();
        let scans = passes.pass(&pending, is_last, left)?;
        let took = begun.elapsed();
        let mut reached = Vec::new();
        for (at, scan) in pending.into_iter().zip(scans) {
            let Some(one) = waited.get_mut(at) else { continue };
            let (is_reached, refused, is_hopeless) = match scan.state {
                WaitState::Reached => (true, None, false),
                WaitState::NotYet(refused) => (false, refused, false),
                WaitState::Never(refused) => (false, Some(refused), true),
            };
            let (complete, attempt) = (scan.complete, scan.attempt);
            *one = Waited {
                reached: is_reached,
                complete,
                took,
                refused,
                is_hopeless,
                attempt,
                listeners: vec![],
            };
            if is_reached {
                reached.push((at, scan.rows));
            }
        }
        let mut listeners = match request.holders && request.wanted != WaitFor::Free {
            true => reached_listeners(targets, &reached)?,
            false => HashMap::new(),
        };
        for (at, _) in reached {
            let Some(one) = waited.get_mut(at) else { continue };
            one.listeners = listeners.remove(&at).unwrap_or_default();
            if observer.reached(at, one).is_break() {
                return Ok(waited);
            }
        }
        let hopeless = waited.iter().filter(|one| one.is_hopeless).count();
        let is_done = match request.any {
            true => waited.iter().any(|one| one.reached) || hopeless == waited.len(),
            false => waited.iter().all(|one| one.reached) || hopeless > 0,
        };
        if is_done || is_last {
            return Ok(waited);
        }
        observer.passed(took);
        backoff
            .pause(request.timeout.map_or(Duration::MAX, |timeout| timeout.saturating_sub(begun.elapsed())));
    }
}

/// The passes, with what one remembers of those before it.
struct Passes<'a> {
    targets: &'a [WaitTarget],
    request: &'a WaitRequest,
    /// For [`WaitFor::Free`].
    bindable: HashMap<usize, Bindable<'a>>,
}

impl<'a> Passes<'a> {
    fn new(targets: &'a [WaitTarget], request: &'a WaitRequest) -> Passes<'a> {
        Passes { targets, request, bindable: HashMap::new() }
    }

    /// Scans each pending target once.
    fn pass(&mut self, pending: &[usize], is_last: bool, left: Option<Duration>) -> Result<Vec<Pass>, Error> {
        let targets: Vec<&'a WaitTarget> = pending.iter().filter_map(|at| self.targets.get(*at)).collect();
        let mut tables = Tables::new(targets.iter().copied());
        match self.request.wanted {
            WaitFor::Free => self.free(pending, is_last, &mut tables),
            WaitFor::Listening => listening(&targets, &mut tables),
            WaitFor::Accepts => connected(&targets, &mut tables, Test::Accepts, left),
            WaitFor::Http => connected(&targets, &mut tables, Test::Http(&self.request.http_path), left),
        }
    }

    fn free(&mut self, pending: &[usize], is_last: bool, tables: &mut Tables) -> Result<Vec<Pass>, Error> {
        let mut scans = Vec::with_capacity(pending.len());
        for at in pending {
            let Some(target) = self.targets.get(*at) else { continue };
            scans.push(Pass::new(match &target.port {
                None => unix::is_free(&target.target)?,
                Some(port) => {
                    let bindable = self.bindable.entry(*at).or_insert_with(|| Bindable::new(port));
                    (bindable.scan(is_last, tables)?, true)
                }
            }));
        }
        Ok(scans)
    }
}

/// Returns whether something listens on each target.
fn listening(targets: &[&WaitTarget], tables: &mut Tables) -> Result<Vec<Pass>, Error> {
    let unix = unix::answered(targets)?;
    let (rows, complete) = answering(targets, tables)?;
    let scan = |(at, rows): (usize, Vec<Row>)| match unix.get(&at) {
        Some((is_reached, is_certain)) => Pass::new((WaitState::from_reached(*is_reached), *is_certain)),
        None => {
            Pass { rows: rows.clone(), ..Pass::new((WaitState::from_reached(!rows.is_empty()), complete)) }
        }
    };
    Ok(rows.into_iter().enumerate().map(scan).collect())
}

/// Returns whether a connection to each target has the wanted result. That is certain, whatever the table lacks.
fn connected(
    targets: &[&WaitTarget],
    tables: &mut Tables,
    test: Test<'_>,
    left: Option<Duration>,
) -> Result<Vec<Pass>, Error> {
    let (rows, _) = answering(targets, tables)?;
    let mut own = OwnAddresses::default();
    let addresses = |(target, rows): (&&WaitTarget, &Vec<Row>)| match &target.port {
        Some(port) => {
            let mut addresses = connect::addresses(port, rows, &mut own);
            let other = target.other_loopback.as_ref().and_then(Target::address);
            addresses.extend(other.map(|address| SocketAddr::new(address, port.port)));
            addresses
        }
        None => Vec::new(),
    };
    let addresses: Vec<_> = targets.iter().zip(&rows).map(addresses).collect();
    let attempts = connect::attempt_all(&addresses, test, left);
    let scan = |(rows, attempt): (Vec<Row>, WaitAttempt)| Pass {
        rows,
        attempt: Some(attempt),
        ..Pass::new((WaitState::from_reached(attempt.is_success()), true))
    };
    Ok(rows.into_iter().zip(attempts).map(scan).collect())
}

/// Returns the rows that answer for each target that is a port, and whether the table is complete.
fn answering(targets: &[&WaitTarget], tables: &mut Tables) -> Result<(Vec<Vec<Row>>, bool), Error> {
    if targets.iter().all(|target| target.port.is_none()) {
        return Ok((vec![Vec::new(); targets.len()], true));
    }
    let table = tables.listeners()?;
    let mut by_port: HashMap<u16, Vec<&Row>> = HashMap::new();
    for row in table.rows.iter().filter(|row| row.socket.is_listener()) {
        by_port.entry(row.socket.endpoint.port().unwrap_or_default()).or_default().push(row);
    }
    let rows = targets.iter().map(|target| {
        let rows = target.port.as_ref().and_then(|port| by_port.get(&port.port));
        let answers = |row: &&&Row| target.answered_by(&row.socket);
        rows.into_iter().flatten().filter(answers).map(|row| (*row).clone()).collect()
    });
    Ok((rows.collect(), table.complete))
}

/// Returns the listeners of reached targets with their holders, by the index of the target. One search for all ports.
fn reached_listeners(
    targets: &[WaitTarget],
    reached: &[(usize, Vec<Row>)],
) -> Result<HashMap<usize, Vec<Listener>>, Error> {
    let mut rows: Vec<Row> = Vec::new();
    for row in reached.iter().flat_map(|(_, rows)| rows) {
        // Two targets may have the same listener.
        if !rows.iter().any(|known| known.socket == row.socket) {
            rows.push(row.clone());
        }
    }
    let (listeners, _) = port_sockets::holders(rows)?;
    let mut found = HashMap::new();
    for (at, _) in reached {
        let Some(target) = targets.get(*at) else { continue };
        let of_target = match &target.port {
            None => unix::listeners(&target.target)?,
            Some(_) => {
                let answers = |listener: &&Listener| target.answered_by(&listener.socket);
                listeners.iter().filter(answers).cloned().collect()
            }
        };
        found.insert(*at, of_target);
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
