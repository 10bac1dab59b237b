//! Service managers: systemd, launchd, the service control manager of Windows, and what they restart.

#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "systemd alone reports one"))]
pub(in crate::os) mod restart_policy;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos/mod.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub(in crate::os) mod sys;

use crate::model::Listener;
use crate::model::{Gap, Service};

pub(crate) use restart_policy::{AfterSignal, RestartPolicy};

/// Whether there are signs of containers whose ports may have no socket. Microseconds where there are none.
pub(crate) fn containers_run() -> bool {
    sys::containers_run()
}

/// Completes what is known of the socket units that listeners belong to. With `thorough` also of those whose manager was
/// not seen to hold the socket; that asks the managers of all services among the holders.
pub(crate) fn socket_units(listeners: &mut [Listener], thorough: bool) -> Vec<Gap> {
    #[cfg(target_os = "linux")]
    return sys::socket_units(listeners, thorough);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = thorough;
        sys::socket_units(listeners)
    }
}

/// Returns what the service's manager does when its main process ends. `None` if that is unknown: on systems other than
/// Linux, for managers other than systemd, for units that are no services, and if neither the manager nor the unit's
/// files tell.
pub(crate) fn restart_policy(service: &Service) -> Option<RestartPolicy> {
    sys::restart_policy(service)
}
