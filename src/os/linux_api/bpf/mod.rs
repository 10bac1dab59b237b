//! What programs in the kernel (BPF) need: permissions, the kernel's type information, instructions, and bpf(2).

pub(in crate::os) mod assembly;
pub(in crate::os) mod calls;
#[cfg(feature = "cli")]
pub(in crate::os) mod tracing;
pub(in crate::os) mod types;

use rustix::thread::CapabilitySet;

use super::{pid_namespace, procfs};
use crate::model::BpfUnavailable;
use crate::os::parse::linux::lockdown;

/// Returns whether lockdown takes from BPF programs the function that reads the kernel's memory; `None` if that cannot
/// be read, for instance because securityfs is not mounted. The verifier calls a program that uses the function invalid
/// (observed on 6.12 with lockdown=confidentiality; kernel/trace/bpf_trace.c since 5.4).
pub(in crate::os) fn is_locked_down() -> Option<bool> {
    std::fs::read("/sys/kernel/security/lockdown").ok().map(|modes| lockdown::forbids_reading(&modes))
}

/// Checks the conditions that cost little to check.
///
/// # Errors
/// If one of them rules it out.
pub(in crate::os) fn allowed() -> Result<(), BpfUnavailable> {
    let held = rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    if !held.contains(CapabilitySet::SYS_ADMIN) && !held.contains(CapabilitySet::BPF | CapabilitySet::PERFMON)
    {
        return Err(BpfUnavailable::Capabilities);
    }
    match () {
        () if procfs::is_in_pid_namespace() => Err(BpfUnavailable::PidNamespace),
        () if pid_namespace::is_own() != Some(true) => Err(BpfUnavailable::ForeignProc),
        () if procfs::counts_from_another_boot() => Err(BpfUnavailable::TimeNamespace),
        () if procfs::hides_processes() => Err(BpfUnavailable::HiddenProc),
        () => Ok(()),
    }
}
