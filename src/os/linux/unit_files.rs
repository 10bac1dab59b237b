//! What a socket unit starts by its files, where systemd itself does not answer (systemd.unit(5), systemd.socket(5)).

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::procfs;
use super::systemd::{Manager, template};
use crate::Text;

/// The most that is read of a unit's file.
const LONGEST_FILE: u64 = 64 << 10;

/// The service that a socket unit starts, by its files. `None` where it has none, or they are not told.
pub(super) fn activates(manager: Manager, unit: &Text) -> Option<Text> {
    activates_among(&directories(manager), unit)
}

/// Where a manager's units are, the most important first.
fn directories(manager: Manager) -> Vec<PathBuf> {
    let below = match manager {
        Manager::System => "system",
        Manager::User(_) => "user",
    };
    ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd"]
        .iter()
        .map(|place| PathBuf::from(place).join(below))
        .collect()
}

fn activates_among(directories: &[PathBuf], unit: &Text) -> Option<Text> {
    let name = unit.as_str().filter(|name| !name.contains('/'))?;
    let stem = name.strip_suffix(".socket")?;
    // An instance has the file of its template, unless it has one of its own.
    let whole = stem.split_once('@').map(|(stem, _)| format!("{stem}@.socket"));
    let read = |path: PathBuf| procfs::read_at(rustix::fs::CWD, path, LONGEST_FILE).ok();
    let names = || std::iter::once(name).chain(whole.as_deref());
    let file =
        names().find_map(|name| directories.iter().find_map(|directory| read(directory.join(name))))?;
    let mut settings = Settings::default();
    settings.read(&file);
    // Of two additions with the same name the more important counts; they are read in the order of their names.
    let mut additions: BTreeMap<std::ffi::OsString, PathBuf> = BTreeMap::new();
    for name in names() {
        for directory in directories {
            let entries = std::fs::read_dir(directory.join(format!("{name}.d"))).into_iter().flatten();
            for entry in entries.flatten().filter(|entry| entry.path().extension() == Some("conf".as_ref())) {
                additions.entry(entry.file_name()).or_insert_with(|| entry.path());
            }
        }
    }
    for bytes in additions.into_values().filter_map(read) {
        settings.read(&bytes);
    }
    match (settings.service, settings.accept) {
        // What a specifier stands for is systemd's to say.
        (Some(service), _) if service.as_bytes().contains(&b'%') => None,
        (Some(service), false) => Some(service),
        (_, true) => template(unit),
        (None, false) => Some(format!("{stem}.service").as_str().into()),
    }
}

/// What a socket unit's files say of the service.
#[derive(Debug, Default, PartialEq, Eq)]
struct Settings {
    service: Option<Text>,
    accept: bool,
}

impl Settings {
    fn read(&mut self, file: &[u8]) {
        let mut in_section = false;
        for line in file.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
            if line.starts_with(b"[") {
                in_section = line == b"[Socket]";
                continue;
            }
            let Some(at) = line.iter().position(|byte| *byte == b'=').filter(|_| in_section) else {
                continue;
            };
            let (key, value) = line.split_at(at);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            match key.trim_ascii() {
                b"Service" => self.service = (!value.is_empty()).then(|| value.into()),
                b"Accept" => {
                    self.accept = [&b"1"[..], b"y", b"yes", b"t", b"true", b"on"]
                        .iter()
                        .any(|yes| value.eq_ignore_ascii_case(yes));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn files_and_what_is_added_to_them() {
        let root = std::env::temp_dir().join(format!("allears-units-{}", std::process::id()));
        let (etc, lib) = (root.join("etc"), root.join("lib"));
        let write = |path: PathBuf, text: &str| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(lib.join("plain.socket"), "[Socket]\nListenStream=631\n");
        write(lib.join("named.socket"), "[Unit]\nService=no\n[Socket]\n Service = other.service \n");
        write(lib.join("each.socket"), "[Socket]\nAccept=yes\n");
        write(lib.join("both.socket"), "[Socket]\nService=lib.service\n");
        write(etc.join("both.socket"), "[Socket]\nService=etc.service\n");
        write(lib.join("added.socket"), "[Socket]\nService=lib.service\n");
        write(lib.join("added.socket.d/10.conf"), "[Socket]\nService=added.service\n");
        write(etc.join("added.socket.d/10.conf"), "[Socket]\nService=\n");
        write(lib.join("many@.socket"), "[Socket]\nListenStream=%i\n");
        write(lib.join("told@.socket"), "[Socket]\nService=told-%i.service\n");
        let places = [etc, lib];
        let told: Vec<Option<String>> = [
            "plain.socket",
            "named.socket",
            "each.socket",
            "both.socket",
            "added.socket",
            "many@a.socket",
            "told@a.socket",
            "none.socket",
            "../plain.socket",
            "plain.service",
        ]
        .iter()
        .map(|unit| activates_among(&places, &(*unit).into()).map(|name| name.to_string_lossy().into_owned()))
        .collect();
        std::fs::remove_dir_all(&root).unwrap();
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(
            told,
            [
                some("plain.service"),
                some("other.service"),
                some("each@.service"),
                some("etc.service"),
                some("added.service"),
                some("many@a.service"),
                None,
                None,
                None,
                None,
            ]
        );
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let mut settings = Settings::default();
            settings.read(&bytes);
        }
    }
}
