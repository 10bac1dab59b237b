//! Service managers: systemd, launchd and the service control manager of Windows. Depends on `model` only, and never
//! applies what it finds.

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos/mod.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub(in crate::os) mod sys;

use std::collections::BTreeMap;

use crate::model::{DescriptorStore, Gap, Process, Service, Socket};

pub(crate) use crate::os::parse::linux::restart_policy::{AfterSignal, RestartPolicy};

/// Returns whether there are signs of containers whose ports may have no socket. Takes microseconds if there are none.
/// False on systems other than Linux.
pub(crate) fn containers_run() -> bool {
    sys::containers_run()
}

/// A socket whose service is wanted.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "the managers of other systems need less"))]
#[derive(Debug, Clone)]
pub(crate) struct ServiceQuery<'a> {
    pub(crate) socket: &'a Socket,
    /// The service that the socket's cgroup names.
    pub(crate) service: Option<&'a Service>,
    /// The processes that hold the socket.
    pub(crate) holders: Vec<&'a Process>,
    /// Whether it belongs to a container. Units in a container belong to another systemd, which is not asked.
    pub(crate) in_container: bool,
}

/// What service managers report.
#[derive(Debug, Default)]
pub(crate) struct ServiceFacts {
    /// What they report about each socket, in the order of the queries.
    pub(crate) sockets: Vec<SocketService>,
    /// The services that run in the holders, by pid. Windows may run several in one process.
    pub(crate) processes: BTreeMap<u32, Vec<Service>>,
    pub(crate) gaps: Vec<Gap>,
}

/// What a service manager reports about a socket.
#[derive(Debug, Clone, Default)]
pub(crate) struct SocketService {
    /// The service that the socket belongs to. `None` if no manager reports another one than the query has.
    pub(crate) service: Option<Service>,
    /// The service in whose descriptor store the socket is. systemd only.
    pub(crate) descriptor_store: Option<DescriptorStore>,
}

pub(crate) use crate::os::parse::IsServicePort;

/// Returns the services that sockets and their holders belong to.
///
/// Linux: socket units of systemd. `thorough` also asks the managers that were not seen to hold the socket, those of all
/// services among the holders. macOS: jobs of launchd; `is_service_port` resolves the names in their files. Windows: the
/// services that the service control manager lists. A manager that does not answer is a gap.
pub(crate) fn services_of(
    queries: &[ServiceQuery<'_>],
    thorough: bool,
    is_service_port: IsServicePort,
) -> ServiceFacts {
    sys::services_of(queries, thorough, is_service_port)
}

/// Returns what the service's manager does when its main process ends. `None` if that is unknown: on systems other than
/// Linux, for managers other than systemd, for units that are no services, and if neither the manager nor the unit's
/// files report it.
pub(crate) fn restart_policy(service: &Service) -> Option<RestartPolicy> {
    sys::restart_policy(service)
}
