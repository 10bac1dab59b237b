//! The socket units among listeners: which one a port belongs to that systemd holds, and what it starts. Each of its
//! managers is asked once, and only if there is such a port. One that does not answer has files.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use super::systemd::{Connection, Listening, Manager};
use super::{session_units, unit_files};
use crate::model::{DescriptorStore, Gap, GapDetail, GapKind, GapReason, Listener, Process, Service, Text};

/// How long systemd is listened to in all.
const PATIENCE: Duration = Duration::from_millis(300);

/// Completes what is known of the socket units that listeners belong to. With `thorough` the manager of a holder's service is
/// asked too: it may hold the socket as well, and not let itself be looked into, as a user's manager not even by its
/// user (it keeps a capability; seen with systemd 257).
pub(in crate::os) fn complete(listeners: &mut [Listener], thorough: bool) -> Vec<Gap> {
    let mut managers: BTreeMap<Manager, UnitQuery> = BTreeMap::new();
    let until = Instant::now() + PATIENCE;
    for listener in listeners {
        session_units::leave_out(listener);
        // A container's units are another systemd's, inside of it.
        let contained = listener.holders.iter().any(|holder| holder.process.container.is_some());
        if contained || listener.container.is_some() {
            continue;
        }
        if !listener.service.as_ref().is_some_and(Service::is_socket_unit)
            && listener.socket.namespace.is_none()
        {
            let holders = || listener.holders.iter().map(|holder| &holder.process);
            let of_service = |process: &Process| process.service.as_ref().and_then(Manager::of);
            let manager = holders().find_map(manager);
            let manager = manager.or_else(|| holders().find_map(of_service).filter(|_| thorough));
            // Nobody was seen to hold it: it may be the manager of the user who opened it.
            let of_opener = |uid| if uid == 0 { Manager::System } else { Manager::User(uid) };
            let unseen = thorough && listener.holders.is_empty();
            let manager = manager.or_else(|| listener.socket.uid.filter(|_| unseen).map(of_opener));
            let unit = manager.and_then(|manager| {
                let asked = managers.entry(manager).or_insert_with(|| UnitQuery::open(manager, until));
                Some(service(manager, asked.unit_of(listener)?))
            });
            // A manager that has it, or may, and not for a socket unit.
            if let Some(manager) = manager.filter(|_| unit.is_none()) {
                let holds = holders().any(|process| self::manager(process) == Some(manager));
                let asked = managers.entry(manager).or_insert_with(|| UnitQuery::open(manager, until));
                listener.descriptor_store = asked.store_of(listener, holds);
            }
            let keeps = listener.descriptor_store.as_ref().map(|store| store.unit.clone());
            listener.service = unit.or(listener.service.take()).or(keeps);
        }
        let Some(service) = listener.service.as_mut().filter(|service| service.is_socket_unit()) else {
            continue;
        };
        let Some(manager) = Manager::of(service) else { continue };
        let asked = managers.entry(manager).or_insert_with(|| UnitQuery::open(manager, until));
        service.activates = asked.activates(&service.name);
    }
    managers.into_values().filter_map(UnitQuery::gap).collect()
}

fn service(manager: Manager, unit: Text) -> Service {
    let (scope, uid) = match manager {
        Manager::System => ("system", None),
        Manager::User(uid) => ("user", Some(uid)),
    };
    Service { manager: "systemd".into(), name: unit, scope: scope.into(), uid, activates: None }
}

/// The manager that a process is.
fn manager(process: &Process) -> Option<Manager> {
    if process.name.as_bytes() != b"systemd" {
        return None;
    }
    let of_user = process.command.iter().flatten().any(|argument| argument.as_bytes() == b"--user");
    match (process.id.pid, of_user) {
        (1, _) => Some(Manager::System),
        (_, true) => process.uid.map(Manager::User),
        _ => None,
    }
}

/// A manager, and what it told.
struct UnitQuery {
    manager: Manager,
    connection: Option<Connection>,
    listening: Option<Vec<Listening>>,
    /// Whether that is from files.
    by_files: bool,
    activates: BTreeMap<Text, Option<Text>>,
    services: Option<Vec<Text>>,
    stores: BTreeMap<Text, Store>,
    failed: Option<io::Error>,
}

/// What a manager keeps for a service.
struct Store {
    /// How many descriptors.
    count: u32,
    /// The inode numbers of the sockets among them, if the manager lists them.
    sockets: Option<Vec<u64>>,
}

impl UnitQuery {
    fn open(manager: Manager, until: Instant) -> UnitQuery {
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

    /// The answer to a question. Who did not answer one is asked no other.
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

    /// Returns the unit that listens where a listener is: as the manager says, and if it says nothing, by the files of
    /// its units. These may be of units that are not active, so that only one may fit.
    fn unit_of(&mut self, listener: &Listener) -> Option<Text> {
        if self.listening.is_none() {
            let told = self.ask(Connection::listening);
            self.by_files = told.is_none();
            self.listening = Some(told.unwrap_or_else(|| unit_files::listening(self.manager)));
        }
        let mut units = self.listening.iter().flatten().filter(|unit| unit.is_of(&listener.socket));
        let first = units.next()?;
        (!self.by_files || units.next().is_none()).then(|| first.unit.clone())
    }

    /// Returns the unit in whose descriptor store a listener is: as the manager lists the stores, by the inode. One that
    /// does not list them says how many descriptors it keeps for a unit: if it was seen to hold the socket (`holds`), and
    /// that was made in this unit's cgroup, this is why.
    fn store_of(&mut self, listener: &Listener, holds: bool) -> Option<DescriptorStore> {
        let inode = listener.socket.inode?;
        let made_by = listener.service.as_ref().filter(|service| Manager::of(service) == Some(self.manager));
        let made_by = made_by.map(|service| service.name.clone());
        let is_in = |unit: &Text, store: &Store| match &store.sockets {
            Some(sockets) => sockets.contains(&inode),
            None => holds && store.count > 0 && made_by.as_ref() == Some(unit),
        };
        // The service that made the socket gave it away, as a rule; the others are asked if it did not.
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

    /// What a manager keeps for a service.
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

    /// The services that are loaded: first those that do not run and for which it keeps something.
    fn services(&mut self) -> Vec<Text> {
        if self.services.is_none() {
            self.services = Some(self.ask(Connection::services).unwrap_or_default());
        }
        self.services.clone().unwrap_or_default()
    }

    /// What a unit starts: as its manager says, and where it says nothing, its files.
    fn activates(&mut self, unit: &Text) -> Option<Text> {
        if let Some(known) = self.activates.get(unit) {
            return known.clone();
        }
        let told = self.ask(|connection| connection.activates(unit));
        let told = told.unwrap_or_else(|| unit_files::activates(self.manager, unit));
        self.activates.insert(unit.clone(), told.clone());
        told
    }

    fn gap(self) -> Option<Gap> {
        let error = self.failed?;
        let reason = match error.kind() {
            io::ErrorKind::PermissionDenied => GapReason::Permission,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => GapReason::Timeout,
            _ => GapReason::Error,
        };
        let uid = match self.manager {
            Manager::System => None,
            Manager::User(uid) => Some(uid),
        };
        let detail = GapDetail::Systemd { uid, error: Text::from_display(error) };
        Some(Gap::new(GapKind::Services, reason, 1, detail, None))
    }
}
