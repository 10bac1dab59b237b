//! Determines what manages a holder, and the command that makes the manager stop it. Pure.

mod container_command;
mod head;
pub(crate) mod kernel_socket;
pub(crate) mod proxy;
pub(crate) mod restart;
pub(crate) mod role;
pub(crate) mod service_command;
pub(crate) mod suspension;
#[cfg(test)]
pub(crate) mod test_support;

use restart::HolderKind;
pub use restart::RestarterKind;
use std::collections::BTreeMap;

use crate::model::names::names_without_serde;
use crate::model::{Container, Holder, Listener, Process, Service, Text};
use crate::os::parse::unit_name;
pub(crate) use container_command::stop_container;
use role::{Role, role};
use service_command::stop_service;

/// How the holders of a port are ended.
///
/// ```
/// use allears::{FreeOptions, FreeVia, Target};
///
/// let options = FreeOptions::new().via(FreeVia::Service);
/// for plan in allears::free(&Target::port(10309)?, &options)? {
///     println!("{} commands of services", plan.steps().len());
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Via {
    /// By signals to the holders.
    Signal,
    /// By the engine of their container.
    Container,
    /// By their service manager.
    Service,
    /// By the supervisor that restarts them.
    Supervisor,
}

/// The user of a rootless container engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineUser {
    pub(crate) uid: u32,
    pub(crate) name: Text,
}

/// A manager that can stop a holder instead of a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Manager {
    Container {
        container: Container,
        engine_user: Option<EngineUser>,
    },
    Service {
        service: Service,
        also: Option<Text>,
    },
    /// `find` is a command that lists what the supervisor runs, if the program's name is unknown.
    Supervisor {
        kind: ManagingProgram,
        program: Option<Text>,
        stop: Option<Vec<Text>>,
        find: Option<Vec<Text>>,
    },
}

/// A program that can stop, or start again, what it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ManagingProgram {
    /// One that restarts what ends.
    Restarter(RestarterKind),
    /// One that holds sockets for what it runs, and is no restarter.
    SocketHolder(HolderKind),
}

impl From<HolderKind> for ManagingProgram {
    fn from(kind: HolderKind) -> Self {
        match kind {
            HolderKind::Supervisord => ManagingProgram::Restarter(RestarterKind::Supervisord),
            HolderKind::Circus => ManagingProgram::Restarter(RestarterKind::Circus),
            HolderKind::Pm2 => ManagingProgram::Restarter(RestarterKind::Pm2),
            other => ManagingProgram::SocketHolder(other),
        }
    }
}

impl Manager {
    pub(crate) fn via(&self) -> Via {
        match self {
            Manager::Container { .. } => Via::Container,
            Manager::Service { .. } => Via::Service,
            Manager::Supervisor { .. } => Via::Supervisor,
        }
    }

    /// Returns the command that stops the holder, as words. `None` if no command is known.
    pub(crate) fn stop(&self, own_uid: Option<u32>) -> Option<Vec<Text>> {
        match self {
            Manager::Container { container, engine_user } => {
                stop_container(container, engine_user.as_ref(), own_uid)
            }
            Manager::Service { service, also } => {
                Some(stop_service(service, own_uid)?.into_iter().chain(also.clone()).collect())
            }
            Manager::Supervisor { stop, .. } => stop.clone(),
        }
    }
}

/// Returns the managers of a holder. The first is the one that has to stop it: the outermost that would restart it.
/// `supervisor` is the outermost supervisor among its ancestors.
///
/// If a unit runs a container (quadlet), the unit restarts the container, and comes first. If a unit runs a supervisor,
/// the unit does nothing as long as the supervisor runs, and the supervisor comes first.
pub(crate) fn managers(
    listener: &Listener,
    holder: &Holder,
    engine_user: Option<EngineUser>,
    supervisor: Option<Manager>,
) -> Vec<Manager> {
    let process = &holder.process;
    let role = role(process);
    let container = process.container.as_ref().or(listener.container.as_deref());
    let socket_unit = listener.service.as_deref().filter(|service| service.is_socket_unit());
    let unit = match role {
        // These processes hold sockets for socket units.
        Some(Role::FirstProcess | Role::UserManager | Role::ServiceManager) => socket_unit,
        // A socket unit restarts the service that it started.
        _ if listener.service.as_deref().is_some_and(|unit| is_activated(process, unit)) => {
            listener.service.as_deref()
        }
        // The engine's own unit runs every container.
        Some(Role::Engine) => None,
        _ => process.service.as_ref().filter(|service| !is_engine(service)),
    };
    // Scopes and units with invalid names cannot be stopped.
    let unit = unit.filter(|service| stop_service(service, service.uid).is_some());
    let service = unit.map(|service| Manager::Service {
        // The service that a socket unit started holds the port too.
        also: service
            .activates
            .clone()
            .filter(|activates| unit_name::runnable(activates.as_bytes()).is_some())
            .filter(|_| service.is_socket_unit() && is_started(listener, service)),
        service: service.clone(),
    });
    match container {
        Some(container) => {
            let container = Manager::Container { container: container.clone(), engine_user };
            service.into_iter().chain([container]).collect()
        }
        None => supervisor.into_iter().chain(service).collect(),
    }
}

/// Returns the manager of a socket with unseen holders, by the socket's cgroup.
pub(crate) fn manager_of_socket(listener: &Listener) -> Option<Manager> {
    let container = listener
        .container
        .clone()
        .map(|container| Manager::Container { container: *container, engine_user: None });
    let is_stoppable =
        |service: &&Service| !is_engine(service) && stop_service(service, service.uid).is_some();
    let service = listener.service.as_deref().filter(is_stoppable).cloned();
    let service = service.map(|service| Manager::Service { service, also: None });
    service.or(container)
}

/// Returns whether the service that a socket unit starts holds the socket too. A template does not name one service.
fn is_started(listener: &Listener, unit: &Service) -> bool {
    listener.holders.iter().any(|holder| is_activated(&holder.process, unit))
}

/// Returns whether a process belongs to the service that a socket unit starts.
fn is_activated(process: &Process, unit: &Service) -> bool {
    let service = process.service.as_ref().filter(|_| unit.is_socket_unit());
    service.is_some_and(|service| {
        unit.activates.as_ref() == Some(&service.name)
            && service.scope == unit.scope
            && service.uid == unit.uid
    })
}

/// Returns whether a unit runs a container engine with all of its containers.
fn is_engine(service: &Service) -> bool {
    const STEMS: [&str; 16] = [
        "docker",
        "containerd",
        "podman",
        "crio",
        "cri-docker",
        "kubelet",
        "k3s",
        "k3s-agent",
        "k0scontroller",
        "rke2-server",
        "snap.docker.dockerd",
        "snap.lxd.daemon",
        "lxd",
        "incus",
        "buildkit",
        "docker-desktop",
    ];
    let name = service.name.to_string_lossy();
    let stem = name.strip_suffix(".service").or_else(|| name.strip_suffix(".socket")).unwrap_or(&name);
    STEMS.contains(&stem)
}

/// Returns the user whose engine runs the container of a holder. The uid of the process does not matter: a container
/// of the system's engine may run as any uid.
pub(crate) fn engine_user(
    listener: &Listener,
    holder: &Holder,
    engine_users: &BTreeMap<u32, EngineUser>,
) -> Option<EngineUser> {
    let container = holder.process.container.as_ref().or(listener.container.as_deref())?;
    engine_users.get(&container.uid?).cloned()
}

names_without_serde! { Via as FreeVia, "way to end holders":
    Signal => "signal",
    Container => "container",
    Service => "service",
    Supervisor => "supervisor",
}

#[cfg(test)]
mod tests {
    use super::test_support::{container, line, system_unit};
    use super::*;
    use crate::model::{Endpoint, Evidence, Process, ProcessId, Protocol, Socket, State};

    /// node's images run as uid 1000, and the engine is the system's.
    #[test]
    fn an_engine_is_not_that_of_the_processs_user() {
        let dev = EngineUser { uid: 1000, name: "dev".into() };
        let engine_users = BTreeMap::from([(1000, dev.clone())]);
        let endpoint = Endpoint::Ip { address: [127, 0, 0, 1].into(), port: 3000, interface: None };
        let listener = Listener::new(Socket::new(Protocol::Tcp, endpoint, State::Listen));
        let command_for = |uid| {
            let mut process = process("node");
            process.uid = Some(1000);
            process.container = Some(Container { uid, ..container("docker", "web-1") });
            let holder =
                Holder { process: process.into(), descriptors: vec![3], evidence: Evidence::Descriptor };
            let engine_user = engine_user(&listener, &holder, &engine_users);
            line(stop_container(holder.process.container.as_ref().unwrap(), engine_user.as_ref(), Some(0)))
        };
        assert_eq!(command_for(None), "docker stop web-1");
        assert_eq!(command_for(Some(1000)), "docker --host=unix:///run/user/1000/docker.sock stop web-1");
        assert_eq!(command_for(Some(1001)), "", "an unknown user");
    }

    /// The commands of a holder's managers, the right one first.
    fn commands(
        process: Process,
        on: impl FnOnce(&mut Listener),
        supervisor: Option<Manager>,
    ) -> Vec<String> {
        let endpoint = Endpoint::Ip { address: [127, 0, 0, 1].into(), port: 3000, interface: None };
        let mut listener = Listener::new(Socket::new(Protocol::Tcp, endpoint, State::Listen));
        let holder = Holder { process: process.into(), descriptors: vec![3], evidence: Evidence::Descriptor };
        listener.holders = vec![holder.clone()];
        on(&mut listener);
        managers(&listener, &holder, None, supervisor).iter().map(|one| line(one.stop(Some(0)))).collect()
    }

    fn process(name: &str) -> Process {
        Process::new(ProcessId { pid: 4121, start: Some(1) }, name.into())
    }

    #[test]
    fn the_outermost_that_would_start_it_again() {
        let mut server = process("node");
        server.service = Some(system_unit("web.service"));
        let unit = |listener: &mut Listener| assert!(listener.service.is_none());
        let found = commands(server.clone(), unit, None);
        assert!(found.len() == 1 && found[0].ends_with("web.service"), "{found:?}");

        let supervisor = Manager::Supervisor {
            kind: ManagingProgram::Restarter(RestarterKind::Supervisord),
            program: Some("web".into()),
            stop: Some(vec!["supervisorctl".into(), "stop".into(), "web".into()]),
            find: None,
        };
        let found = commands(server.clone(), unit, Some(supervisor.clone()));
        assert_eq!(found[0], "supervisorctl stop web", "systemd would start the supervisor alone");

        server.container = Some(container("podman", "web"));
        let found = commands(server.clone(), unit, Some(supervisor));
        assert!(found[0].ends_with("web.service") && found[1] == "podman stop web", "{found:?}");

        let mut proxy = process("docker-proxy");
        proxy.service = Some(system_unit("docker.service"));
        let of_container =
            |listener: &mut Listener| listener.container = Some(Box::new(container("docker", "web")));
        assert_eq!(commands(proxy, of_container, None), ["docker stop web"]);

        let mut engine = process("dockerd");
        engine.service = Some(system_unit("docker.service"));
        assert_eq!(commands(engine, unit, None), Vec::<String>::new());
    }

    #[test]
    fn a_socket_unit_is_stopped_with_what_it_started() {
        let mut systemd = process("systemd");
        systemd.id.pid = 1;
        let mut unit = system_unit("web.socket");
        unit.activates = Some("web.service".into());
        let on = |started: bool| {
            let unit = unit.clone();
            move |listener: &mut Listener| {
                listener.service = Some(unit.into());
                let mut server = process("node");
                server.service = Some(system_unit("web.service"));
                let holder =
                    Holder { process: server.into(), descriptors: vec![3], evidence: Evidence::Descriptor };
                listener.holders.extend(started.then_some(holder));
            }
        };
        let waiting = commands(systemd.clone(), on(false), None);
        assert!(waiting.len() == 1 && waiting[0].ends_with(" web.socket"), "{waiting:?}");
        let started = commands(systemd, on(true), None);
        assert!(started[0].ends_with(" web.socket web.service"), "{started:?}");
    }
}
