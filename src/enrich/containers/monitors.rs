//! Reads the monitor processes of Podman's containers: they name the container behind a network helper, and the unit of a
//! container on the machine's network.

use std::io::Read;

use super::rootless::{Monitor, Network, container, network_file};
use crate::enrich::holder_processes;
use crate::management::proxy;
use crate::management::proxy::ContainerRef;
use crate::model::process_table::{ProcessEntry, ProcessTable};
use crate::model::{Listener, Process, ProcessId, Text};
use crate::os;
use crate::os::parse::oci_config;

/// The longest configuration of a container that is read.
const LONGEST_CONFIG: u64 = 1024 * 1024;
/// The most monitors that are read.
const MOST_MONITORS: usize = 256;

/// Adds the containers of listeners that a network helper of Podman holds, if no engine reported them.
pub(crate) fn add(listeners: &mut [Listener]) {
    let is_open = |listener: &Listener| listener.container.is_none() && helper(listener).is_some();
    if !listeners.iter().any(is_open) {
        return;
    }
    let Ok(table) = os::process_table() else { return };
    for listener in listeners.iter_mut().filter(|listener| is_open(listener)) {
        let found = helper(listener).and_then(|process| {
            let network = network(process, &table)?;
            container(&network, &monitors(process.uid, &network, &table), process.uid)
        });
        listener.container = found.map(Box::new);
    }
}

/// Adds the unit of a container's monitor to the processes in the container, whose own cgroup is outside of the unit.
pub(crate) fn add_units(listeners: &mut [Listener]) {
    let is_open = |process: &Process| process.container.is_some() && process.service.is_none();
    if !listeners.iter().flat_map(|listener| &listener.holders).any(|holder| is_open(&holder.process)) {
        return;
    }
    let Ok(table) = os::process_table() else { return };
    holder_processes::change(listeners, is_open, |process| {
        let ancestors = table.ancestors(process.id.pid);
        let monitor = ancestors.iter().find(|entry| entry.name.as_bytes() == b"conmon");
        let known = monitor.and_then(|entry| os::describe_ids(&[entry.id]).remove(&entry.id.pid));
        process.service = known.and_then(|monitor| monitor.service);
    });
}

/// Returns the network helper that holds a listener, if its command line does not name the container.
fn helper(listener: &Listener) -> Option<&Process> {
    let is_helper = |process: &&Process| {
        let name = process.name.as_bytes();
        let of_podman =
            name.starts_with(b"rootlessport") || name.starts_with(b"pasta") || name == b"slirp4netns";
        of_podman && proxy::proxy(process).is_some_and(|proxy| proxy.container == ContainerRef::Unknown)
    };
    listener.holders.iter().map(|holder| &*holder.process).find(is_helper)
}

/// Returns the container network of a helper.
fn network(process: &Process, table: &ProcessTable) -> Option<Network> {
    if let Some(file) = network_file(process.command.as_deref().unwrap_or_default()) {
        return Some(Network::File(file));
    }
    // The listener is in this process's own namespace. The helper's first thread may be in the container's (Podman 5.4:
    // one thread of rootlessport moves there), and its child always is.
    let here = os::network_namespace(std::process::id())?;
    let family = table.descendants(process.id.pid).into_iter().map(|child| child.id.pid);
    let mut others = family.chain([process.id.pid]).filter_map(os::network_namespace);
    others.find(|number| *number != here).map(Network::Namespace)
}

/// Returns the monitors of a user's containers.
fn monitors(uid: Option<u32>, network: &Network, table: &ProcessTable) -> Vec<Monitor> {
    let is_monitor = |entry: &&ProcessEntry| entry.name.as_bytes() == b"conmon";
    let ids: Vec<ProcessId> =
        table.iter().filter(is_monitor).map(|entry| entry.id).take(MOST_MONITORS).collect();
    let known = os::describe_ids(&ids);
    let own = known.values().filter(|process| process.uid == uid);
    own.filter_map(|process| monitor(process, network, table)).collect()
}

fn monitor(process: &Process, network: &Network, table: &ProcessTable) -> Option<Monitor> {
    let command = process.command.as_deref()?;
    let ContainerRef::Id(id, name) = proxy::proxy_by_name(&"conmon".into(), command)?.container else {
        return None;
    };
    let first = table.children(process.id.pid).next().map(|child| child.id.pid);
    // The configuration is read only if the network is known by its file.
    let file = matches!(network, Network::File(_)).then(|| configuration(command)).flatten();
    Some(Monitor {
        id,
        name,
        namespace: first.and_then(os::network_namespace),
        file: file.as_deref().and_then(oci_config::network_namespace),
    })
}

/// Reads the configuration of a monitor's container, from the bundle folder in its arguments.
fn configuration(command: &[Text]) -> Option<Vec<u8>> {
    let bundle = proxy::bundle_folder(command)?;
    let path = std::path::Path::new(bundle.as_str()?).join("config.json");
    let mut bytes = Vec::new();
    os::open_file(&path).ok()?.0.take(LONGEST_CONFIG).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
