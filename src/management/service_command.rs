//! Commands that make a service manager stop a service or close a socket. Pure: the input is a service, the output the
//! words of a command.

use crate::model::{DescriptorStore, Process, Service, ServiceManager, ServiceScope, Text};
use crate::os::parse::unit_name;
use crate::os::parse::unit_name::UnitKind;

/// Returns the command of its manager that stops a service, as words, for the user `own_uid`. `None` for managers whose
/// command is unknown, for scopes, which cannot be stopped as services, for names that break systemd's grammar, and if
/// the user of the manager is unknown.
///
/// `--` ends the options, because a unit's name may begin with a hyphen. `-M UID@` reaches another user's manager,
/// which root may do: systemd 248 and later (systemctl(1), `--machine=`).
pub(crate) fn stop_service(service: &Service, own_uid: Option<u32>) -> Option<Vec<Text>> {
    if service.manager == ServiceManager::Windows && !service.name.is_empty() {
        return Some(vec!["sc.exe".into(), "stop".into(), service.name.clone()]);
    }
    if service.manager != ServiceManager::Systemd {
        return None;
    }
    let kind = unit_name::runnable(service.name.as_bytes())?;
    let mut command = match (&service.scope, service.uid) {
        (ServiceScope::System, _) => systemctl(None, own_uid),
        (ServiceScope::User, Some(uid)) => systemctl(Some(uid), own_uid),
        _ => return None,
    };
    command.extend(["stop".into(), "--".into(), service.name.clone()]);
    matches!(kind, UnitKind::Service | UnitKind::Socket).then_some(command)
}

/// Returns the first words of a command with which the user `own_uid` addresses the system's manager, or the one of a user.
fn systemctl(of_user: Option<u32>, own_uid: Option<u32>) -> Vec<Text> {
    let mut words: Vec<Text> = vec!["systemctl".into()];
    if let Some(uid) = of_user {
        words.push("--user".into());
        if Some(uid) != own_uid {
            words.extend(["-M".into(), format!("{uid}@").as_str().into()]);
        }
    }
    words
}

/// Returns the commands that make a service manager close a socket in a service's descriptor store, in order, for the user
/// `own_uid`. Empty for names that break systemd's grammar.
///
/// systemd keeps a descriptor until the service stops. With FileDescriptorStorePreserve=yes it keeps it longer: then
/// `systemctl clean --what=fdstore` closes it after the service has stopped (systemd 254; systemd.service(5)).
pub(crate) fn release_store(store: &DescriptorStore, own_uid: Option<u32>) -> Vec<Vec<Text>> {
    let Some(stop) = stop_service(&store.unit, own_uid) else { return Vec::new() };
    let mut commands = Vec::new();
    if store.preserved == Some(true) {
        let mut clean = stop.clone();
        if let Some(verb) = clean.iter().position(|word| word.as_bytes() == b"stop") {
            clean.splice(verb..=verb, ["clean".into(), "--what=fdstore".into()]);
            commands.push(clean);
        }
    }
    if store.active != Some(false) || commands.is_empty() {
        commands.insert(0, stop);
    }
    commands
}

/// Returns the command that stops a socket unit together with the service that it started, which has the port open too,
/// and that service. `started` is whether a service runs. A template does not name one service. `None` for other units.
pub(crate) fn stop_socket_unit(
    unit: &Service,
    started: bool,
    own_uid: Option<u32>,
) -> Option<(Vec<Text>, Option<Text>)> {
    if !unit.is_socket_unit() {
        return None;
    }
    let mut stop = stop_service(unit, own_uid)?;
    let runs = |activates: &&Text| started && unit_name::runnable(activates.as_bytes()).is_some();
    let started = unit.activates.as_ref().filter(runs).cloned();
    stop.extend(started.clone());
    Some((stop, started))
}

/// Returns the command with which the user `own_uid` lists the sockets that a process holds for socket units, and the user
/// of that service manager. `None` for processes that are neither the first process of the system nor a user's service
/// manager.
pub(crate) fn list_sockets(process: &Process, own_uid: Option<u32>) -> Option<(Option<u32>, Vec<Text>)> {
    let is_user_manager = process.name.as_bytes() == b"systemd"
        && process.command.iter().flatten().any(|argument| argument.as_bytes() == b"--user");
    let uid = match process.id.pid {
        1 => None,
        _ if is_user_manager => Some(process.uid?),
        _ => return None,
    };
    let mut command = systemctl(uid, own_uid);
    command.push("list-sockets".into());
    Some((uid, command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_stops_a_service() {
        let command = |manager: &str, name: &str, scope: &str, uid: Option<u32>, own_uid: Option<u32>| {
            let service = Service {
                manager: manager.into(),
                name: name.into(),
                scope: scope.into(),
                uid,
                activates: None,
            };
            stop_service(&service, own_uid).map(|words| {
                words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
            })
        };
        let (root, dev) = (Some(0), Some(1000));
        for (name, scope, uid, own_uid, stops) in [
            ("nginx.service", "system", None, dev, Some("systemctl stop -- nginx.service")),
            ("web.service", "user", dev, dev, Some("systemctl --user stop -- web.service")),
            ("web.service", "user", dev, root, Some("systemctl --user -M 1000@ stop -- web.service")),
            ("web.service", "user", root, root, Some("systemctl --user stop -- web.service")),
            ("web.service", "user", root, dev, Some("systemctl --user -M 0@ stop -- web.service")),
            ("web.service", "user", dev, None, Some("systemctl --user -M 1000@ stop -- web.service")),
            ("web.service", "user", None, root, None),
            ("web.service", "other", None, root, None),
            ("--no-block.service", "system", None, root, Some("systemctl stop -- --no-block.service")),
            ("web*.service", "system", None, root, None),
            ("app-code-1.scope", "user", dev, dev, None),
            ("system.slice", "system", None, root, None),
            ("web@.service", "system", None, root, None),
            ("", "system", None, root, None),
        ] {
            assert_eq!(
                command("systemd", name, scope, uid, own_uid).as_deref(),
                stops,
                "{name} {uid:?} {own_uid:?}"
            );
        }
        assert_eq!(
            command("windows", "Dnscache", "system", None, None).as_deref(),
            Some("sc.exe stop Dnscache")
        );
        assert_eq!(command("runit", "web", "system", None, root), None);
    }
}
