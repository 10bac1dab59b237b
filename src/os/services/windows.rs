//! The service control manager of Windows.

use crate::model::{Gap, GapDetail, GapKind, GapReason, Listener, Text};
use crate::os::parse::windows::services;

/// No manager of this system is asked.
pub(in crate::os) fn restart_policy(
    _service: &crate::model::Service,
) -> Option<crate::os::services::restart_policy::RestartPolicy> {
    None
}

/// Gives holders the services that run in them: one question to their manager, where a holder is of a kind that may
/// have some.
pub(in crate::os) fn socket_units(listeners: &mut [Listener]) -> Vec<Gap> {
    let holders = || listeners.iter().flat_map(|listener| &listener.holders);
    if !holders().any(|holder| services::may_serve(&holder.process)) {
        return Vec::new();
    }
    match crate::os::windows_api::services() {
        Ok(known) => {
            services::name(listeners, &known);
            Vec::new()
        }
        Err(error) => {
            let detail = GapDetail::WindowsServices(Text::from_display(error));
            vec![Gap::new(GapKind::Services, GapReason::Error, 1, detail, None)]
        }
    }
}

/// No rules of a container runtime stand in this system itself.
pub(in crate::os) fn containers_run() -> bool {
    false
}
