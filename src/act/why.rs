//! Collects the observation for a verdict, the cheapest facts first.

use std::time::Duration;

use super::bind;
use super::{engine_users, forwarding, orphans, udp_join};
use crate::bind_attempt::{Attempt, BindRefusalKind, BindTarget};
use crate::enrich::containers::{ContainerLookup, Runtimes};
use crate::model::Target;
use crate::model::compact::CompactSort as _;
use crate::model::{
    Connection, Error, ErrorKind, Gap, GapKind, GapReason, Holder, Listener, Protocol, Socket, State,
};
use crate::os::{self, HttpSysUrls, Row, SocketTable};
use crate::port_info::FILE_SHARING;
use crate::scan::Query;
use crate::scan::port_sockets;
use crate::verdict::{self, Observation, Verdict};

/// The most connections whose holders are searched for.
const MOST_CONNECTIONS: usize = 256;
/// The most retries if a bind is refused and no socket explains it.
const RETRIES: usize = 2;
/// The pause before a retry.
const BETWEEN: Duration = Duration::from_millis(2);

/// Returns whether a port can be bound now, and what is in the way if not.
///
/// It binds the port for an instant, with the options that servers set, and never listens on it. If nothing listens, it
/// connects to the port over loopback to find out whether connections are forwarded. The target is one port, of TCP
/// unless it names UDP.
///
/// # Errors
/// If the target is not one port, or if the socket table cannot be read.
pub fn why(target: &Target) -> Result<Verdict, Error> {
    verdict_for(&bind_target(target)?, &Runtimes::default())
}

/// Returns the verdict on a bind target.
pub(crate) fn verdict_for(bind_target: &BindTarget, runtimes: &Runtimes) -> Result<Verdict, Error> {
    Ok(verdict_and_listeners(bind_target, runtimes)?.0)
}

/// Returns the verdict, and every listener of the port that its scan found, in the way or not.
pub(crate) fn verdict_and_listeners(
    bind_target: &BindTarget,
    runtimes: &Runtimes,
) -> Result<(Verdict, Vec<Socket>), Error> {
    let bind_target = bind_target.clone();
    let (mut attempts, table) = attempt_and_scan(&bind_target)?;
    let mut gaps = table.gaps;
    // Missing bound sockets matter only if a bind was refused and no socket explains it.
    let refused = attempts.iter().any(|attempt| attempt.refused.is_some());
    if !refused || table.rows.iter().any(|row| bind_target.overlaps(&row.socket)) {
        gaps.retain(|gap| gap.reason != GapReason::Bound);
    }
    attempts.extend(bind::attempt_with_other_options(&bind_target));

    let connected = table.rows.iter().any(|row| row.socket.state == State::Established);
    let listens = table.rows.iter().any(|row| row.socket.is_listener());
    let listening = port_sockets::listening(&table.rows);
    let in_order: Vec<u64> = table.rows.iter().filter_map(|row| row.socket.inode).collect();
    let own_uid = os::own_uid();
    let without_peer = |row: &&Row| {
        row.socket.is_listener() || row.socket.state == State::Closed || row.socket.peer.is_some()
    };
    let join_options = udp_join::join_options(
        &bind_target,
        &table.rows.iter().filter(without_peer).map(|row| &row.socket).collect::<Vec<_>>(),
        own_uid,
    );
    let write_queues = table
        .rows
        .iter()
        .filter(|row| row.socket.state == State::Bound)
        .filter_map(|row| Some((row.socket.inode?, row.detail().write_queue?)))
        .collect();
    let relevant = relevant(&bind_target, table.rows);
    let (orphans, more) = orphans::orphans(&relevant);
    gaps.extend(more);
    let mut lookup = ContainerLookup::new(runtimes);
    let (sockets, more) = port_sockets::holders_and_containers(relevant, &mut lookup)?;
    gaps.extend(more);
    let clients = match connected && listens && bind_target.protocol == Protocol::Tcp {
        true => clients(&bind_target)?,
        false => Vec::new(),
    };
    let other_protocol = match listeners_of_other_protocol(&bind_target) {
        Ok(listeners) => listeners,
        Err(error) => {
            gaps.push(Gap::failed(GapKind::Sockets, os::describe_chain(&error)));
            Vec::new()
        }
    };
    let local = os::local_addresses();
    let limits = os::limits(bind_target.protocol);
    gaps.extend(limits.gaps.iter().cloned());
    let is_denied = |attempt: &Attempt| {
        attempt.refused.as_ref().is_some_and(|refusal| refusal.kind == BindRefusalKind::Denied)
    };
    let policies = attempts.iter().any(is_denied).then(os::policies);
    let findings = forwarding::find_forwarding(&bind_target, &mut lookup, &listening, &sockets);
    gaps.extend(lookup.gap());
    let (served, unnamed) = http_sys_urls(&sockets);
    gaps.extend(unnamed);
    let engine_users = engine_users::engine_users(engine_users::containers(&sockets));
    let lingers = sockets.iter().any(|listener| listener.socket.state == State::TimeWait);
    let others = other_protocol.iter().map(|listener| listener.socket.clone());
    let scanned = listening.into_iter().chain(others).collect();
    let verdict = verdict::judge(Observation {
        os: os::SYSTEM,
        sockets,
        other_protocol,
        attempts,
        decisive: bind::as_servers_do(bind_target.protocol),
        limits,
        local,
        policies,
        fin_timeout: if orphans.is_empty() { None } else { os::fin_timeout() },
        orphans,
        in_order,
        join_options,
        write_queues,
        answered: findings.answered(),
        forwarded: findings.forwarded,
        reached: findings.reached,
        forwarding_unknown: findings.unknown.is_some(),
        served,
        time_wait_left: if lingers { os::time_wait_left(bind_target.port) } else { None },
        clients,
        uid: own_uid,
        engine_users,
        gaps,
        target: bind_target,
    });
    Ok((verdict, scanned))
}

/// Returns the URLs that HTTP.sys serves at the port of these listeners, and a gap if they could not be listed. It is
/// asked only if it may hold one of them: port 445 and its like belong to the kernel's file sharing.
fn http_sys_urls(listeners: &[Listener]) -> (Vec<HttpSysUrls>, Option<Gap>) {
    let is_its_own = |holder: &Holder| Some(holder.process.id.pid) == os::HTTP_SYS_PID;
    let held = listeners.iter().find(|listener| listener.holders.iter().any(is_its_own));
    let port = held.and_then(|listener| listener.socket.endpoint.port());
    match port.filter(|port| !FILE_SHARING.contains(port)) {
        Some(port) => os::http_sys_urls(port),
        None => (Vec::new(), None),
    }
}

/// Attempts binds, then reads the table, so that the sockets of the attempts are closed and not in it. If the table does
/// not explain a refusal, the port may have changed between the two, and both are repeated.
fn attempt_and_scan(bind_target: &BindTarget) -> Result<(Vec<Attempt>, SocketTable), Error> {
    for _ in 0..RETRIES {
        let attempts = bind::attempt(bind_target);
        let table = port_sockets::sockets(bind_target.protocol, Some(bind_target.port), true)?;
        let in_use = attempts
            .iter()
            .filter_map(|attempt| attempt.refused.as_ref())
            .any(|refusal| refusal.kind == BindRefusalKind::InUse);
        if !in_use || table.rows.iter().any(|row| bind_target.overlaps(&row.socket)) {
            return Ok((attempts, table));
        }
        std::thread::sleep(BETWEEN);
    }
    Ok((
        bind::attempt(bind_target),
        port_sockets::sockets(bind_target.protocol, Some(bind_target.port), true)?,
    ))
}

/// Returns whether the targets are exactly one port.
#[cfg(feature = "cli")]
pub(crate) fn is_one_port(targets: &[Target]) -> bool {
    matches!(targets, [target] if bind_target(target).is_ok())
}

/// Returns whether a bind with the options of servers is refused. It is meant for targets without a listener: it takes
/// microseconds, and only a refusal needs a verdict.
#[cfg(feature = "cli")]
pub(crate) fn is_refused(target: &Target) -> bool {
    let Ok(bind_target) = bind_target(target) else { return false };
    bind::attempt(&bind_target).iter().filter_map(|attempt| attempt.refused.as_ref()).any(|refusal| {
        matches!(refusal.kind, BindRefusalKind::InUse | BindRefusalKind::Denied)
            || (refusal.kind == BindRefusalKind::NotLocal && bind_target.address.is_some())
    })
}

/// Returns the listeners of the same port and the other protocol.
pub(crate) fn listeners_of_other_protocol(bind_target: &BindTarget) -> Result<Vec<Listener>, Error> {
    let other = match bind_target.protocol {
        Protocol::Tcp => Protocol::Udp,
        Protocol::UdpLite => return Ok(Vec::new()),
        _ => Protocol::Tcp,
    };
    let rows = port_sockets::sockets(other, Some(bind_target.port), false)?.rows;
    Ok(port_sockets::holders(rows.into_iter().filter(|row| row.socket.is_listener()).collect())?.0)
}

/// Returns the bind target of a target.
///
/// # Errors
/// If the target is not one port.
pub(crate) fn bind_target(target: &Target) -> Result<BindTarget, Error> {
    let wrong = |problem: String| Error::new(ErrorKind::Usage, problem);
    let Some(port) = target.single_port() else {
        return Err(wrong(match target.is_unix() {
            true => "a Unix socket has no port".to_owned(),
            false => format!("{target} is more than one port"),
        }));
    };
    Ok(BindTarget {
        protocol: target.protocol().unwrap_or(Protocol::Tcp),
        address: target.address(),
        interface: target.interface().map(crate::model::Text::from),
        port,
    })
}

/// Returns the rows whose holders matter: sockets without a peer, and connections if nothing else is in the way.
fn relevant(bind_target: &BindTarget, rows: Vec<Row>) -> Vec<Row> {
    let has_port = |row: &Row| row.socket.has_port_without_peer();
    let taken = rows.iter().any(|row| has_port(row) && bind_target.overlaps(&row.socket));
    let (mut wanted, mut others): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(has_port);
    if !taken {
        // A connection whose address does not overlap may have been bound to a wildcard before it had a peer.
        if others.iter().any(|row| bind_target.overlaps(&row.socket)) {
            others.retain(|row| bind_target.overlaps(&row.socket));
        }
        others.compact_sort_by(|a, b| a.socket.order(&b.socket));
        others.truncate(MOST_CONNECTIONS);
        wanted.extend(others);
    }
    wanted
}

/// Returns the connections to the listeners of the port.
pub(super) fn clients(bind_target: &BindTarget) -> Result<Vec<Connection>, Error> {
    let target = Target::port(bind_target.port)?;
    let snapshot = Query::new().protocol(bind_target.protocol).target(target).connections(true).scan()?;
    let connections = snapshot.listeners.into_iter().filter_map(|listener| listener.connections);
    let mut clients: Vec<Connection> = connections.flatten().collect();
    // Listeners that share an address and port all list a connection that one of them accepted.
    clients.compact_sort_by_key(|client| (client.peer, client.state));
    clients.dedup();
    Ok(clients)
}

#[cfg(test)]
#[path = "why_tests.rs"]
mod tests;
