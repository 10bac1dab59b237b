//! The permissions that this process lacks.

use rustix::thread::CapabilitySet;

use super::user_namespace;
use crate::model::MissingPermissions;

/// Returns what this process lacks to read other users' descriptor tables (ptrace(2), access mode checking).
/// Capabilities decide: root may lack some, and other users may have them.
pub(in crate::os) fn missing_permissions() -> MissingPermissions {
    let held = rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let inspect = held.contains(CapabilitySet::SYS_PTRACE);
    let search = held.intersects(CapabilitySet::DAC_READ_SEARCH | CapabilitySet::DAC_OVERRIDE);
    match (inspect, search) {
        (true, true) if user_namespace::current().is_some() => MissingPermissions::UserNamespace,
        (true, true) => MissingPermissions::Guarded,
        (false, false) if !crate::os::privileged() => MissingPermissions::Privileges,
        _ => MissingPermissions::Capabilities { sys_ptrace: !inspect, dac_read_search: !search },
    }
}
