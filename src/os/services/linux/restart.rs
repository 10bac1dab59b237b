//! When systemd restarts a service, and what else starts it: from its manager, or from the unit's files if the manager
//! does not answer.

use std::io;
use std::time::{Duration, Instant};

use super::systemd::{Connection, Interface, SystemdInstance};
use super::unit_files;
use crate::model::{Service, Text};
use crate::os::parse::linux::dbus_message::Reply;
use crate::os::parse::linux::restart_policy::{ExitStatuses, KillMode, PolicySource, Restart, RestartPolicy};
use crate::os::parse::unit_name;
use crate::os::parse::unit_name::UnitKind;

/// The timeout for all requests to a manager.
const TIMEOUT: Duration = Duration::from_millis(300);

/// Returns the restart policy of a service of systemd.
pub(in crate::os) fn policy(service: &Service) -> Option<RestartPolicy> {
    if unit_name::runnable(service.name.as_bytes()) != Some(UnitKind::Service) {
        return None;
    }
    let manager = SystemdInstance::from_service(service)?;
    let answer = Connection::open(manager, Instant::now() + TIMEOUT).and_then(|connection| {
        connection.map(|mut connection| by_manager(&mut connection, &service.name)).transpose()
    });
    match answer {
        Ok(Some(answer)) => answer,
        // The manager does not run, or refuses this user's requests.
        Ok(None) | Err(_) => unit_files::restart_policy(manager, &service.name),
    }
}

/// Asks the manager. `Ok(None)` if it has no such unit. Reading a property of a unit loads its files and does
/// nothing else.
fn by_manager(connection: &mut Connection, unit: &Text) -> io::Result<Option<RestartPolicy>> {
    let loaded = connection.optional(unit, Interface::Unit, "LoadState", |reply| {
        reply.property_text().map(|state| state == b"loaded")
    })?;
    if loaded != Some(true) {
        return Ok(None);
    }
    let mut text = |name: &str| {
        connection.optional(unit, Interface::Service, name, |reply| reply.property_text().map(Text::from))
    };
    let (restart, kind, kill_mode) = (text("Restart")?, text("Type")?, text("KillMode")?);
    let Some(restart) = restart.and_then(|restart| Restart::parse(restart.as_bytes())) else {
        return Ok(None);
    };
    let mut long =
        |name: &str| connection.optional(unit, Interface::Service, name, |reply| reply.property_long());
    let delay = long("RestartUSec")?.map(duration);
    // Since 254. The delay grows only if there are steps as well.
    let longest = long("RestartMaxDelayUSec")?.map(duration).filter(|longest| *longest != Duration::MAX);
    let mut number =
        |name: &str| connection.optional(unit, Interface::Service, name, |reply| reply.property_number());
    let steps = number("RestartSteps")?.unwrap_or_default();
    let main_pid = number("MainPID")?.filter(|pid| *pid != 0);
    let mut statuses = |name: &str| {
        let read = |reply: &Reply<'_>| {
            reply.property_statuses().map(|(codes, signals)| ExitStatuses { codes, signals })
        };
        connection.optional(unit, Interface::Service, name, read).map(Option::unwrap_or_default)
    };
    let success = statuses("SuccessExitStatus")?;
    let prevent = statuses("RestartPreventExitStatus")?;
    let force = statuses("RestartForceExitStatus")?;
    let sockets = active_sockets(connection, unit)?;
    Ok(Some(RestartPolicy {
        restart,
        delay,
        longest_delay: longest.filter(|_| steps > 0),
        main_pid,
        sockets,
        kill_mode: kill_mode.map_or(KillMode::Unknown, |mode| KillMode::parse(mode.as_bytes())),
        clean_signals: kind.is_none_or(|kind| kind.as_bytes() != b"oneshot"),
        success,
        prevent,
        force,
        source: PolicySource::Manager,
    }))
}

/// Returns the socket units that start the service on the next connection.
fn active_sockets(connection: &mut Connection, unit: &Text) -> io::Result<Vec<Text>> {
    let triggers = connection.optional(unit, Interface::Unit, "TriggeredBy", |reply| {
        reply.property_texts().map(|names| names.into_iter().map(Text::from).collect::<Vec<_>>())
    })?;
    let mut active = Vec::new();
    for name in triggers.into_iter().flatten() {
        if unit_name::runnable(name.as_bytes()) != Some(UnitKind::Socket) {
            continue;
        }
        let listens = connection.optional(&name, Interface::Unit, "ActiveState", |reply| {
            reply.property_text().map(|state| state == b"active")
        })?;
        if listens == Some(true) {
            active.push(name);
        }
    }
    Ok(active)
}

/// Converts a time of systemd: microseconds, the largest number for `infinity`.
fn duration(microseconds: u64) -> Duration {
    match microseconds {
        u64::MAX => Duration::MAX,
        other => Duration::from_micros(other),
    }
}
