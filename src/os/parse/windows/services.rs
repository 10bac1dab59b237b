//! Parses the buffer that `EnumServicesStatusExW` fills: the services of Windows by the process that each runs in.
//! Pure.

use std::collections::BTreeMap;

use crate::model::{Process, Service, ServiceManager, ServiceScope, Text};

const POINTER: usize = size_of::<usize>();
/// `ENUM_SERVICE_STATUS_PROCESSW`: two pointers to names, and the nine numbers of `SERVICE_STATUS_PROCESS`.
pub(in crate::os) const ROW: usize = (2 * POINTER + 36).next_multiple_of(POINTER);
/// The eighth of the numbers is the pid.
pub(in crate::os) const PID: usize = 2 * POINTER + 28;

/// Returns the names of services by pid, ascending. `begins` is the address of the buffer: its rows have pointers into
/// it.
pub(in crate::os) fn by_pid(bytes: &[u8], begins: usize, count: usize) -> BTreeMap<u32, Vec<Text>> {
    let mut services: BTreeMap<u32, Vec<Text>> = BTreeMap::new();
    for row in bytes.chunks_exact(ROW).take(count) {
        let pid = row.get(PID..).and_then(<[u8]>::first_chunk).copied().map(u32::from_le_bytes);
        let name = row
            .first_chunk::<POINTER>()
            .and_then(|pointer| usize::from_le_bytes(*pointer).checked_sub(begins))
            .and_then(|at| wide_text(bytes.get(at..)?));
        if let (Some(pid @ 1..), Some(name)) = (pid, name) {
            services.entry(pid).or_default().push(name);
        }
    }
    for names in services.values_mut() {
        names.sort();
        names.dedup();
    }
    services
}

/// Returns the text at the beginning, up to its NUL. `None` if there is no NUL.
fn wide_text(bytes: &[u8]) -> Option<Text> {
    let mut units = Vec::new();
    for unit in bytes.chunks_exact(2) {
        match unit.first_chunk().copied().map_or(0, u16::from_le_bytes) {
            0 => return (!units.is_empty()).then(|| text(&units)),
            unit => units.push(unit),
        }
    }
    None
}

/// Converts UTF-16 without loss to the encoding of the rest of the program: UTF-8, with the three bytes for a lone
/// surrogate that Rust's own OsString uses.
pub(in crate::os) fn text(units: &[u16]) -> Text {
    let mut bytes = Vec::with_capacity(units.len());
    for decoded in char::decode_utf16(units.iter().copied()) {
        match decoded {
            Ok(character) => bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(half) => {
                let [high, low] = half.unpaired_surrogate().to_be_bytes();
                // 1110xxxx 10xxxxxx 10xxxxxx
                bytes.extend([0xE0 | high >> 4, 0x80 | (high & 0xF) << 2 | low >> 6, 0x80 | low & 0x3F]);
            }
        }
    }
    Text::from(bytes)
}

/// Returns whether services may run in a process: in the system's host for services, or in a child of their manager.
pub(in crate::os) fn may_serve(process: &Process) -> bool {
    is_host(process)
        || process
            .parents
            .first()
            .is_some_and(|parent| parent.name.as_bytes().eq_ignore_ascii_case(b"services.exe"))
}

fn is_host(process: &Process) -> bool {
    process.name.as_bytes().eq_ignore_ascii_case(b"svchost.exe")
}

/// Returns the service of this name.
pub(in crate::os) fn service(name: &Text) -> Service {
    Service {
        manager: ServiceManager::Windows,
        name: name.clone(),
        scope: ServiceScope::System,
        uid: None,
        activates: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ProcessId, RelatedProcess};
    use proptest::prelude::*;

    const BEGINS: usize = 0x7000_0000;

    /// What the system would write for these services.
    fn buffer(services: &[(u32, &[u16])]) -> Vec<u8> {
        let mut rows = Vec::new();
        let mut names: Vec<u8> = Vec::new();
        for (pid, name) in services {
            let at = BEGINS + services.len() * ROW + names.len();
            names.extend(name.iter().chain(&[0]).flat_map(|unit| unit.to_le_bytes()));
            let mut row = vec![0xAA; ROW];
            row[..POINTER].copy_from_slice(&at.to_le_bytes());
            row[PID..PID + 4].copy_from_slice(&pid.to_le_bytes());
            rows.extend(row);
        }
        rows.extend(names);
        rows
    }

    fn wide(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    #[test]
    fn services_of_one_host_and_of_others() {
        let [dns, cache, own, stopped] = ["Dnscache", "CryptSvc", "Größe", "Stopped"].map(wide);
        let bytes = buffer(&[(800, &dns), (900, &own), (800, &cache), (0, &stopped)]);
        let services = by_pid(&bytes, BEGINS, 4);
        assert_eq!(services.len(), 2, "what does not run has no process");
        assert_eq!(services[&800], ["CryptSvc".into(), "Dnscache".into()] as [Text; 2]);
        assert_eq!(services[&900], ["Größe".into()] as [Text; 1]);
        assert_eq!(by_pid(&bytes, BEGINS, 1).len(), 1);
    }

    #[test]
    fn names_that_are_elsewhere_are_not_followed() {
        let bytes = buffer(&[(800, &wide("Dnscache"))]);
        assert!(by_pid(&bytes, BEGINS + ROW + 1_000, 1).is_empty(), "before the buffer");
        assert!(by_pid(&bytes, 0, 1).is_empty(), "behind it");
        assert!(by_pid(&bytes[..bytes.len() - 2], BEGINS, 1).is_empty(), "without its end");
    }

    #[test]
    fn half_of_a_pair_is_kept() {
        assert_eq!(text(&[0x61, 0xD800, 0x62]).as_bytes(), b"a\xED\xA0\x80b");
        assert_ne!(text(&[0xD800]), text(&[0xDC00]));
        assert_eq!(text(&[0xDBFF]).as_bytes(), b"\xED\xAF\xBF");
    }

    #[test]
    fn processes_in_which_services_run() {
        let process = |name: &str| Process::new(ProcessId { pid: 800, start: None }, name.into());
        let mut child = process("server.exe");
        assert!(may_serve(&process("SvcHost.exe")) && !may_serve(&child));
        let parent = |name: &str| RelatedProcess { pid: 700, name: name.into() };
        child.parents = vec![parent("Services.exe"), parent("wininit.exe")];
        assert!(may_serve(&child));
        child.parents.remove(0);
        assert!(!may_serve(&child));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300), begins: usize, count: usize) {
            let _ = by_pid(&bytes, begins, count);
        }

        #[test]
        fn valid_text_is_the_same_in_both(text in any::<String>()) {
            prop_assert_eq!(super::text(&wide(&text)), Text::from(text.as_str()));
        }

        #[test]
        #[cfg(windows)]
        fn it_is_what_the_standard_library_makes_of_it(units: Vec<u16>) {
            let system: std::ffi::OsString = std::os::windows::ffi::OsStringExt::from_wide(&units);
            prop_assert_eq!(text(&units), Text::from(system.as_os_str()));
        }
    }
}
