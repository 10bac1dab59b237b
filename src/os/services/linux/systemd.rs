//! Requests to systemd: its socket units, the addresses where they listen and the services that they start. They go
//! over the bus, which every user may use, or over systemd's private socket, which root may use. (D-Bus, because many
//! systems in use have no varlink interface; org.freedesktop.systemd1(5).)

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::model::compact::CompactSort as _;
use crate::model::{Endpoint, Protocol, Service, ServiceManager, ServiceScope, Socket, Text};
use crate::os::parse::linux::dbus_handshake;
use crate::os::parse::linux::dbus_message::{self, Argument, Call, Reply};
use crate::os::parse::linux::unit_file::{connection_template, inet_address, object_path};

const SYSTEMD: &str = "org.freedesktop.systemd1";
/// The longest line of the handshake that is read.
const LONGEST_LINE: usize = 512;
/// The most units whose addresses are read.
const MOST_UNITS: usize = 512;

/// One of the managers of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::os) enum SystemdInstance {
    System,
    /// The manager of a user.
    User(u32),
}

impl SystemdInstance {
    /// Returns the manager of a service. `None` for other managers than systemd's, and if the user is unknown.
    pub(in crate::os) fn from_service(service: &Service) -> Option<SystemdInstance> {
        match (&service.manager, &service.scope, service.uid) {
            (ServiceManager::Systemd, ServiceScope::System, _) => Some(SystemdInstance::System),
            (ServiceManager::Systemd, ServiceScope::User, Some(uid)) => Some(SystemdInstance::User(uid)),
            _ => None,
        }
    }

    /// Returns the paths of its sockets: first the manager's own, then the bus.
    fn sockets(self) -> [(String, Kind); 2] {
        match self {
            SystemdInstance::System => [
                ("/run/systemd/private".to_owned(), Kind::Private),
                ("/run/dbus/system_bus_socket".to_owned(), Kind::Bus),
            ],
            SystemdInstance::User(uid) => [
                (format!("/run/user/{uid}/systemd/private"), Kind::Private),
                (format!("/run/user/{uid}/bus"), Kind::Bus),
            ],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Private,
    Bus,
}

/// A socket unit and its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct ListeningUnit {
    pub(in crate::os) unit: Text,
    pub(in crate::os) addresses: Vec<(Text, Text)>,
}

impl ListeningUnit {
    /// Returns whether this unit listens at a socket's endpoint.
    pub(in crate::os) fn listens_on(&self, socket: &Socket) -> bool {
        self.addresses.iter().any(|(kind, address)| {
            let fits = match kind.as_bytes() {
                b"Stream" => socket.is_listener(),
                b"Datagram" => socket.protocol == Protocol::Udp,
                _ => false,
            };
            fits && is_at(&socket.endpoint, address)
        })
    }
}

/// Returns whether an address as systemd writes it is an endpoint: `[::]:80`, `/run/x.socket`, `@x`.
fn is_at(endpoint: &Endpoint, address: &Text) -> bool {
    match endpoint {
        Endpoint::Unix { path } => path.as_ref() == Some(address),
        _ => inet_address(address).is_some_and(|reported| {
            Some(reported.ip()) == endpoint.address() && Some(reported.port()) == endpoint.port()
        }),
    }
}

/// A D-Bus interface of units (org.freedesktop.systemd1(5)).
#[derive(Debug, Clone, Copy)]
pub(in crate::os) enum Interface {
    Unit,
    Service,
}

impl Interface {
    fn name(self) -> &'static str {
        match self {
            Interface::Unit => "org.freedesktop.systemd1.Unit",
            Interface::Service => "org.freedesktop.systemd1.Service",
        }
    }
}

/// A connection to a manager.
#[derive(Debug)]
pub(in crate::os) struct Connection {
    stream: UnixStream,
    serial: u32,
    until: Instant,
}

impl Connection {
    /// Connects to the first socket that accepts. `Ok(None)` if no such manager runs.
    pub(in crate::os) fn open(manager: SystemdInstance, until: Instant) -> io::Result<Option<Connection>> {
        let mut refused = None;
        for (path, kind) in manager.sockets() {
            match Connection::connect(&path, kind, until) {
                Ok(connection) => return Ok(Some(connection)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => refused = Some(error),
            }
        }
        refused.map_or(Ok(None), Err)
    }

    fn connect(path: &str, kind: Kind, until: Instant) -> io::Result<Connection> {
        // A connection would wait while no process accepts it; a non-blocking socket returns an error instead.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        let stream = UnixStream::from(socket);
        stream.set_nonblocking(false)?;
        let mut connection = Connection { stream, serial: 0, until };
        connection.introduce()?;
        if kind == Kind::Bus {
            let bus = "org.freedesktop.DBus";
            let hello = Call {
                destination: bus,
                path: "/org/freedesktop/DBus",
                interface: bus,
                member: "Hello",
                arguments: &[],
            };
            connection.call(&hello, |reply| (!reply.refused).then_some(()))?;
        }
        Ok(connection)
    }

    /// Authenticates by the credentials that the kernel passes (EXTERNAL). All lines are sent at once: systemd does not
    /// see a call that arrives together with BEGIN until something else arrives.
    fn introduce(&mut self) -> io::Result<()> {
        let uid = rustix::process::geteuid().as_raw();
        self.send(dbus_handshake::external(uid).as_bytes())?;
        let mut line = Vec::new();
        while !dbus_handshake::is_whole(&line) {
            // The line is read by single bytes, so that nothing after it is consumed. It has some forty.
            line.extend_from_slice(&self.receive(1)?);
            if line.len() > LONGEST_LINE {
                return Err(not_understood());
            }
        }
        if !dbus_handshake::is_accepted(&line) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it does not let this user ask"));
        }
        Ok(())
    }

    /// Returns the service that a socket unit starts. `None` if it starts none.
    pub(in crate::os) fn activates(&mut self, unit: &Text) -> io::Result<Option<Text>> {
        let path = object_path(unit);
        let unit_interface = "org.freedesktop.systemd1.Unit";
        let triggers = self.property(&path, unit_interface, "Triggers", |reply| {
            reply.property_texts().map(|names| names.into_iter().map(Text::from).collect::<Vec<_>>())
        })?;
        if let Some(first) = triggers.into_iter().next() {
            return Ok(Some(first));
        }
        let each =
            self.property(&path, "org.freedesktop.systemd1.Socket", "Accept", |reply| reply.property_flag())?;
        Ok(each.then(|| connection_template(unit)).flatten())
    }

    /// Returns a unit's property, read by `read`. `Ok(None)` if the manager does not have it: another version, or
    /// another kind of unit.
    pub(in crate::os) fn optional<T>(
        &mut self,
        unit: &Text,
        interface: Interface,
        name: &str,
        read: impl FnOnce(&Reply<'_>) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let read = |reply: &Reply<'_>| match reply.refused {
            true => Some(None),
            false => read(reply).map(Some),
        };
        self.property(&object_path(unit), interface.name(), name, read)
    }

    /// Returns the loaded socket units and their addresses.
    pub(in crate::os) fn listening(&mut self) -> io::Result<Vec<ListeningUnit>> {
        let list = Call {
            destination: SYSTEMD,
            path: "/org/freedesktop/systemd1",
            interface: "org.freedesktop.systemd1.Manager",
            member: "ListUnitsByPatterns",
            arguments: &[Argument::Texts(&["active"]), Argument::Texts(&["*.socket"])],
        };
        let units = self.call(&list, |reply| {
            let units = reply.units()?.into_iter().take(MOST_UNITS);
            Some(units.map(|(name, path)| (Text::from(name), Text::from(path))).collect::<Vec<_>>())
        })?;
        let mut listening = Vec::new();
        for (unit, path) in units {
            let Some(path) = path.as_str() else { continue };
            let socket_interface = "org.freedesktop.systemd1.Socket";
            let addresses = self.property(path, socket_interface, "Listen", |reply| {
                let pairs = reply.property_pairs()?.into_iter();
                Some(pairs.map(|(kind, address)| (Text::from(kind), Text::from(address))).collect())
            })?;
            listening.push(ListeningUnit { unit, addresses });
        }
        Ok(listening)
    }

    /// Returns the loaded services, running or not: first those that have stopped and may have a descriptor store.
    pub(in crate::os) fn services(&mut self) -> io::Result<Vec<Text>> {
        let list = Call {
            destination: SYSTEMD,
            path: "/org/freedesktop/systemd1",
            interface: "org.freedesktop.systemd1.Manager",
            member: "ListUnitsByPatterns",
            arguments: &[Argument::Texts(&[]), Argument::Texts(&["*.service"])],
        };
        self.call(&list, |reply| {
            let mut units = reply.unit_states()?;
            units.compact_sort_by_key(|unit| match unit.state {
                b"dead-resources-pinned" => 0,
                b"failed" => 1,
                b"auto-restart" | b"auto-restart-queued" => 2,
                _ => 3,
            });
            Some(units.into_iter().map(|unit| Text::from(unit.name)).collect())
        })
    }

    /// Returns how many descriptors are in the store of a service.
    pub(in crate::os) fn stored_count(&mut self, unit: &Text) -> io::Result<u32> {
        let count =
            self.optional(unit, Interface::Service, "NFileDescriptorStore", |reply| reply.property_number())?;
        Ok(count.unwrap_or(0))
    }

    /// Returns the inode numbers of the sockets in the store of a service. `Ok(None)` if the manager does not list
    /// them: before systemd 254 it cannot, and Debian's bus lets root alone ask (systemd 257).
    pub(in crate::os) fn stored_sockets(&mut self, unit: &Text) -> io::Result<Option<Vec<u64>>> {
        let Some(name) = unit.as_str() else { return Ok(None) };
        let dump = Call {
            destination: SYSTEMD,
            path: "/org/freedesktop/systemd1",
            interface: "org.freedesktop.systemd1.Manager",
            member: "DumpUnitFileDescriptorStore",
            arguments: &[Argument::Text(name)],
        };
        let is_socket = |mode: u32| mode & libc::S_IFMT == libc::S_IFSOCK;
        self.call(&dump, |reply| match reply.refused {
            true => Some(None),
            false => {
                let stored = reply.stored_descriptors()?.into_iter();
                Some(Some(stored.filter(|(mode, _)| is_socket(*mode)).map(|(_, inode)| inode).collect()))
            }
        })
    }

    /// Returns whether a service runs, and whether its store stays when it stops (FileDescriptorStorePreserve=, systemd
    /// 254).
    pub(in crate::os) fn store_state(&mut self, unit: &Text) -> io::Result<(Option<bool>, Option<bool>)> {
        let is =
            |value: &'static [u8]| move |reply: &Reply<'_>| reply.property_text().map(|text| text == value);
        let stopped =
            |reply: &Reply<'_>| reply.property_text().map(|state| matches!(state, b"inactive" | b"failed"));
        let stopped = self.optional(unit, Interface::Unit, "ActiveState", stopped)?;
        let preserved = self.optional(unit, Interface::Service, "FileDescriptorStorePreserve", is(b"yes"))?;
        Ok((stopped.map(|stopped| !stopped), preserved))
    }

    fn property<T>(
        &mut self,
        path: &str,
        interface: &str,
        name: &str,
        read: impl FnOnce(&Reply<'_>) -> Option<T>,
    ) -> io::Result<T> {
        let call = Call {
            destination: SYSTEMD,
            path,
            interface: "org.freedesktop.DBus.Properties",
            member: "Get",
            arguments: &[Argument::Text(interface), Argument::Text(name)],
        };
        self.call(&call, read)
    }

    fn call<T>(&mut self, call: &Call<'_>, read: impl FnOnce(&Reply<'_>) -> Option<T>) -> io::Result<T> {
        self.serial += 1;
        self.send(&call.message(self.serial))?;
        // A bus also sends messages that are no replies; the deadline ends this loop.
        loop {
            let mut message = self.receive(dbus_message::PREFIX)?;
            let whole = dbus_message::message_length(&message).ok_or_else(not_understood)?;
            message.extend_from_slice(&self.receive(whole - dbus_message::PREFIX)?);
            let reply = dbus_message::reply(&message).ok_or_else(not_understood)?;
            if reply.to == Some(self.serial) {
                return read(&reply).ok_or_else(not_understood);
            }
        }
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        match self.until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(Some(left)),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write_all(bytes)
    }

    fn receive(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        let mut rest = bytes.as_mut_slice();
        while !rest.is_empty() {
            self.stream.set_read_timeout(self.left()?)?;
            let read = match self.stream.read(rest) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(error) => return Err(error),
            };
            rest = rest.get_mut(read..).unwrap_or_default();
        }
        Ok(bytes)
    }
}

fn not_understood() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its answer cannot be parsed")
}

#[cfg(test)]
mod tests;
