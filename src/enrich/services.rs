//! Adds the services that sockets and their holders belong to.

mod sessions;

use std::collections::BTreeMap;

use super::holder_processes;
use crate::model::{Gap, Listener, Note, Process, Protocol, Service};
use crate::os::{self, ServiceQuery};
use crate::port_info;

/// Adds services and returns the gaps. With `thorough`, managers that are not visible as holders are queried too.
pub(crate) fn add(listeners: &mut [Listener], thorough: bool) -> Vec<Gap> {
    sessions::leave_out(listeners);
    let queries: Vec<ServiceQuery<'_>> = listeners.iter().map(query).collect();
    let facts = os::services_of(&queries, thorough, is_service_port);
    for (listener, found) in listeners.iter_mut().zip(facts.sockets) {
        listener.service = found.service.map(Box::new).or(listener.service.take());
        listener.descriptor_store = found.descriptor_store.map(Box::new).or(listener.descriptor_store.take());
    }
    add_to_holders(listeners, &facts.processes);
    facts.gaps
}

fn query(listener: &Listener) -> ServiceQuery<'_> {
    ServiceQuery {
        socket: &listener.socket,
        service: listener.service.as_deref(),
        holders: listener.holders.iter().map(|holder| &*holder.process).collect(),
        in_container: listener.container.is_some()
            || listener.holders.iter().any(|holder| holder.process.container.is_some()),
    }
}

/// Returns whether the IANA registry has a port under this name.
fn is_service_port(name: &str, protocol: Protocol, port: u16) -> bool {
    port_info::named(name, Some(protocol)).iter().any(|named| named.ports.contains(&port))
}

/// Adds the services of holders. If a process runs several services, it is unknown which of them has the socket: a note
/// names them.
fn add_to_holders(listeners: &mut [Listener], services: &BTreeMap<u32, Vec<Service>>) {
    if services.is_empty() {
        return;
    }
    let of = |process: &Process| services.get(&process.id.pid).map_or(&[][..], Vec::as_slice);
    let is_single = |process: &Process| process.service.is_none() && of(process).len() == 1;
    holder_processes::change(listeners, is_single, |process| process.service = of(process).first().cloned());
    for listener in listeners {
        for process in listener.holders.iter().map(|holder| &holder.process) {
            if let several @ [_, _, ..] = of(process) {
                let services = several.iter().map(|service| service.name.clone()).collect();
                let note = Note::SeveralServices { process: process.name.clone(), services };
                listener.note.get_or_insert_with(|| note.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::test_support::system_unit;
    use crate::model::{Endpoint, Evidence, Holder, ProcessId, Socket, State};

    fn windows_service(name: &str) -> Service {
        Service { manager: "windows".into(), ..system_unit(name) }
    }

    /// Returns the service of the holder and the note, if these services run in the holder's process.
    fn added(services: &[&str]) -> (Option<String>, Option<String>) {
        let endpoint = Endpoint::Ip { address: [127, 0, 0, 1].into(), port: 135, interface: None };
        let mut listener = Listener::new(Socket::new(Protocol::Tcp, endpoint, State::Listen));
        let process = Process::new(ProcessId { pid: 7, start: None }, "svchost.exe".into());
        listener.holders =
            vec![Holder { process: process.into(), descriptors: Vec::new(), evidence: Evidence::Table }];
        let services = services.iter().map(|name| windows_service(name)).collect();
        add_to_holders(std::slice::from_mut(&mut listener), &BTreeMap::from([(7, services)]));
        let name = |service: &Service| service.name.to_string_lossy().into_owned();
        let note = listener.note.map(|note| note.to_string());
        (listener.holders[0].process.service.as_ref().map(name), note)
    }

    #[test]
    fn a_single_service_is_added_and_several_are_noted() {
        assert_eq!(added(&[]), (None, None));
        assert_eq!(added(&["RpcSs"]), (Some("RpcSs".to_owned()), None));
        let (service, note) = added(&["Dnscache", "CryptSvc"]);
        assert_eq!(service, None);
        let note = note.unwrap();
        assert_eq!(note, "svchost.exe runs several services, one of which has it: Dnscache, CryptSvc");
    }

    #[test]
    fn service_names_stand_for_their_registered_ports() {
        assert!(is_service_port("ssh", Protocol::Tcp, 22) && is_service_port("tftp", Protocol::Udp, 69));
        assert!(
            !is_service_port("ssh", Protocol::Tcp, 23)
                && !is_service_port("nobody-has-this", Protocol::Tcp, 22)
        );
    }
}
