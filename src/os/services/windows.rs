//! The service control manager of Windows.

use crate::model::{Gap, GapDetail, GapKind, GapReason, Text};
use crate::os::parse::windows::services;
use crate::os::services::{IsServicePort, ServiceFacts, ServiceQuery};

/// Returns nothing: restart policies are not read on this system.
pub(in crate::os) fn restart_policy(
    _service: &crate::model::Service,
) -> Option<crate::os::services::RestartPolicy> {
    None
}

/// Returns the services that run in holders. Their manager is asked once, if a holder is of a kind that may have some.
pub(in crate::os) fn services_of(
    queries: &[ServiceQuery<'_>],
    _thorough: bool,
    _is_service_port: IsServicePort,
) -> ServiceFacts {
    let mut facts = ServiceFacts::default();
    let processes = || queries.iter().flat_map(|query| query.holders.iter().copied());
    if !processes().any(services::may_serve) {
        return facts;
    }
    match crate::os::windows_api::services() {
        Ok(known) => {
            for pid in processes().map(|process| process.id.pid) {
                let names = known.get(&pid).into_iter().flatten();
                facts.processes.insert(pid, names.map(services::service).collect());
            }
        }
        Err(error) => {
            let detail = GapDetail::WindowsServices(Text::from_display(error));
            facts.gaps.push(Gap::new(GapKind::Services, GapReason::Error, 1, detail, None));
        }
    }
    facts
}

/// Returns false: container runtimes keep their rules in a virtual machine on this system.
pub(in crate::os) fn containers_run() -> bool {
    false
}
