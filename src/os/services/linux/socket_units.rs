//! The socket units of systemd: finds the one for a socket that systemd holds, and the service that it starts. Each
//! manager is asked once, and only if there is such a socket. If one does not answer, its unit files are read.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use super::systemd::{Connection, ListeningUnit, SystemdInstance};
use super::unit_files;
use crate::model::{
    DescriptorStore, Gap, GapDetail, GapKind, GapReason, Process, Service, ServiceManager, ServiceScope,
    Socket, Text,
};
use crate::os::services::{IsServicePort, ServiceFacts, ServiceQuery, SocketService};

/// The timeout for all requests to all managers.
const TIMEOUT: Duration = Duration::from_millis(300);

/// Returns the socket units that sockets belong to, and what these start. With `thorough` the manager of a holder's
/// service is asked too: it may hold the socket as well, and its descriptors may be unreadable, a user's manager's even
/// by its own user (it keeps a capability; systemd 257).
pub(in crate::os) fn services_of(
    queries: &[ServiceQuery<'_>],
    thorough: bool,
    _is_service_port: IsServicePort,
) -> ServiceFacts {
    let mut managers = Managers { known: BTreeMap::new(), until: Instant::now() + TIMEOUT };
    let sockets = queries
        .iter()
        .map(|query| match query.in_container {
            // A container's units belong to another systemd inside of it.
            true => SocketService::default(),
            false => managers.service_of(query, thorough),
        })
        .collect();
    let gaps = managers.known.into_values().filter_map(UnitQuery::gap).collect();
    ServiceFacts { sockets, processes: BTreeMap::new(), gaps }
}

/// The managers that were asked.
struct Managers {
    known: BTreeMap<SystemdInstance, UnitQuery>,
    /// The common deadline.
    until: Instant,
}

impl Managers {
    fn get(&mut self, manager: SystemdInstance) -> &mut UnitQuery {
        self.known.entry(manager).or_insert_with(|| UnitQuery::open(manager, self.until))
    }

    fn service_of(&mut self, query: &ServiceQuery<'_>, thorough: bool) -> SocketService {
        let mut found = SocketService { service: query.service.cloned(), descriptor_store: None };
        let is_known = query.service.is_some_and(Service::is_socket_unit);
        if !is_known && query.socket.namespace.is_none() {
            let holders = || query.holders.iter().copied();
            let of_service =
                |process: &Process| process.service.as_ref().and_then(SystemdInstance::from_service);
            let seen = holders().find_map(manager);
            let asked = seen.or_else(|| holders().find_map(of_service).filter(|_| thorough));
            // No holder was found: it may be the manager of the user who opened it.
            let of_opener = |uid| if uid == 0 { SystemdInstance::System } else { SystemdInstance::User(uid) };
            let unseen = thorough && query.holders.is_empty();
            let asked = asked.or_else(|| query.socket.uid.filter(|_| unseen).map(of_opener));
            let unit = asked.and_then(|one| Some(service(one, self.get(one).unit_of(query.socket)?)));
            // A manager that holds it, or may hold it, for another reason than a socket unit.
            if let Some(one) = asked.filter(|_| unit.is_none()) {
                let holds = holders().any(|process| manager(process) == Some(one));
                found.descriptor_store = self.get(one).store_of(query, holds);
            }
            let keeps = found.descriptor_store.as_ref().map(|store| store.unit.clone());
            found.service = unit.or(found.service).or(keeps);
        }
        if let Some(unit) = found.service.as_mut().filter(|service| service.is_socket_unit())
            && let Some(manager) = SystemdInstance::from_service(unit)
        {
            unit.activates = self.get(manager).activates(&unit.name);
        }
        found
    }
}

fn service(manager: SystemdInstance, unit: Text) -> Service {
    let (scope, uid) = match manager {
        SystemdInstance::System => (ServiceScope::System, None),
        SystemdInstance::User(uid) => (ServiceScope::User, Some(uid)),
    };
    Service { manager: ServiceManager::Systemd, name: unit, scope, uid, activates: None }
}

/// Returns the manager that a process is.
fn manager(process: &Process) -> Option<SystemdInstance> {
    if process.name.as_bytes() != b"systemd" {
        return None;
    }
    let of_user = process.command.iter().flatten().any(|argument| argument.as_bytes() == b"--user");
    match (process.id.pid, of_user) {
        (1, _) => Some(SystemdInstance::System),
        (_, true) => process.uid.map(SystemdInstance::User),
        _ => None,
    }
}

/// A manager and its answers.
struct UnitQuery {
    manager: SystemdInstance,
    connection: Option<Connection>,
    listening: Option<Vec<ListeningUnit>>,
    /// Whether the answers come from files.
    by_files: bool,
    activates: BTreeMap<Text, Option<Text>>,
    services: Option<Vec<Text>>,
    stores: BTreeMap<Text, Store>,
    failed: Option<io::Error>,
}

/// The descriptor store of a service.
struct Store {
    /// The number of descriptors.
    count: u32,
    /// The inode numbers of the sockets among them, if the manager lists them.
    sockets: Option<Vec<u64>>,
}

impl UnitQuery {
    fn open(manager: SystemdInstance, until: Instant) -> UnitQuery {
        let (connection, failed) = match Connection::open(manager, until) {
            Ok(connection) => (connection, None),
            Err(error) => (None, Some(error)),
        };
        UnitQuery {
            manager,
            connection,
            listening: None,
            by_files: false,
            activates: BTreeMap::new(),
            services: None,
            stores: BTreeMap::new(),
            failed,
        }
    }

    /// Returns the reply to a request. A manager that failed once is not asked again.
    fn ask<T>(&mut self, question: impl FnOnce(&mut Connection) -> io::Result<T>) -> Option<T> {
        match question(self.connection.as_mut()?) {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.connection = None;
                self.failed = Some(error);
                None
            }
        }
    }

    /// Returns the unit that listens at a socket's address, by the manager, or by its unit files if the manager does
    /// not answer. Since files may belong to inactive units, the result is used only if exactly one unit matches.
    fn unit_of(&mut self, socket: &Socket) -> Option<Text> {
        if self.listening.is_none() {
            let reported = self.ask(Connection::listening);
            self.by_files = reported.is_none();
            self.listening = Some(reported.unwrap_or_else(|| unit_files::listening(self.manager)));
        }
        let mut units = self.listening.iter().flatten().filter(|unit| unit.listens_on(socket));
        let first = units.next()?;
        (!self.by_files || units.next().is_none()).then(|| first.unit.clone())
    }

    /// Returns the unit in whose descriptor store a socket is, by its inode if the manager lists the stores. A manager
    /// that does not list them reports how many descriptors it keeps for a unit: if it holds the socket (`holds`), and
    /// the socket was created in this unit's cgroup, the store is the reason.
    fn store_of(&mut self, query: &ServiceQuery<'_>, holds: bool) -> Option<DescriptorStore> {
        let inode = query.socket.inode?;
        let made_by =
            query.service.filter(|service| SystemdInstance::from_service(service) == Some(self.manager));
        let made_by = made_by.map(|service| service.name.clone());
        let is_in = |unit: &Text, store: &Store| match &store.sockets {
            Some(sockets) => sockets.contains(&inode),
            None => holds && store.count > 0 && made_by.as_ref() == Some(unit),
        };
        // Usually the service that created the socket stored it; the other services are asked otherwise.
        let of_maker =
            made_by.clone().filter(|unit| self.store(unit).is_some_and(|store| is_in(unit, store)));
        let unit = of_maker.or_else(|| {
            let services = self.services();
            services.into_iter().find(|unit| self.store(unit).is_some_and(|store| is_in(unit, store)))
        })?;
        let state = self.ask(|connection| connection.store_state(&unit));
        let (active, preserved) = state.unwrap_or_default();
        Some(DescriptorStore { unit: service(self.manager, unit), active, preserved })
    }

    /// Returns the descriptor store of a service.
    fn store(&mut self, unit: &Text) -> Option<&Store> {
        if !self.stores.contains_key(unit) {
            let store = self.ask(|connection| {
                let count = connection.stored_count(unit)?;
                let sockets = if count > 0 { connection.stored_sockets(unit)? } else { None };
                Ok(Store { count, sockets })
            })?;
            self.stores.insert(unit.clone(), store);
        }
        self.stores.get(unit)
    }

    /// Returns the loaded services, those that do not run and have a descriptor store first.
    fn services(&mut self) -> Vec<Text> {
        if self.services.is_none() {
            self.services = Some(self.ask(Connection::services).unwrap_or_default());
        }
        self.services.clone().unwrap_or_default()
    }

    /// Returns what a unit starts, from its manager, or from its files if that does not answer.
    fn activates(&mut self, unit: &Text) -> Option<Text> {
        if let Some(known) = self.activates.get(unit) {
            return known.clone();
        }
        let reported = self.ask(|connection| connection.activates(unit));
        let reported = reported.unwrap_or_else(|| unit_files::activates(self.manager, unit));
        self.activates.insert(unit.clone(), reported.clone());
        reported
    }

    fn gap(self) -> Option<Gap> {
        let error = self.failed?;
        let reason = match error.kind() {
            io::ErrorKind::PermissionDenied => GapReason::Permission,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => GapReason::Timeout,
            _ => GapReason::Error,
        };
        let uid = match self.manager {
            SystemdInstance::System => None,
            SystemdInstance::User(uid) => Some(uid),
        };
        let detail = GapDetail::Systemd { uid, error: Text::from_display(error) };
        Some(Gap::new(GapKind::Services, reason, 1, detail, None))
    }
}
