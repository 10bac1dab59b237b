//! The settings in unit files, for when systemd itself does not answer (systemd.unit(5), systemd.socket(5),
//! systemd.service(5)). They lack what was set at run time.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::systemd::{ListeningUnit, SystemdInstance};
use super::unit_folder::{Folder, folders};
use crate::model::Text;
use crate::model::compact::CompactSort as _;
use crate::os::parse::linux::restart_policy::RestartPolicy;
use crate::os::parse::linux::restart_settings;
use crate::os::parse::linux::unit_file::{
    activation, connection_template, instance_template, listen_addresses,
};
use crate::os::parse::linux::unit_syntax::{Setting, settings};
use crate::os::parse::unit_name;

/// The most socket units whose files are read.
const MOST_UNITS: usize = 1024;

/// Returns the service that a socket unit starts. `None` if it has no files, or they do not name one.
pub(in crate::os) fn activates(manager: SystemdInstance, unit: &Text) -> Option<Text> {
    activates_among(&folders(manager), unit)
}

/// Returns the socket units that have files, and their addresses.
pub(in crate::os) fn listening(manager: SystemdInstance) -> Vec<ListeningUnit> {
    listening_among(&folders(manager), manager)
}

/// Returns the restart policy of a service.
pub(in crate::os) fn restart_policy(manager: SystemdInstance, unit: &Text) -> Option<RestartPolicy> {
    restart_policy_among(&folders(manager), unit)
}

/// Returns the settings of a unit: those of its file, then those of its drop-ins in the order of their precedence.
fn read(folders: &[Folder], unit: &str) -> Option<Vec<Setting>> {
    let template = instance_template(unit);
    // An instance has the file of its template, unless it has one of its own.
    let names = || std::iter::once(unit).chain(template.as_deref());
    // A unit whose file is empty or /dev/null is masked, so that the search ends there.
    let file = names().find_map(|name| folders.iter().find_map(|folder| folder.read(name)))??;
    let mut found = settings(&file);
    // Of two drop-ins with the same name, that in the more important folder counts; they are read in the order of their
    // names.
    let mut drop_ins: BTreeMap<OsString, Vec<u8>> = BTreeMap::new();
    for name in names() {
        for folder in folders {
            for (name, bytes) in folder.drop_ins(name) {
                drop_ins.entry(name).or_insert(bytes);
            }
        }
    }
    found.extend(drop_ins.values().flat_map(|bytes| settings(bytes)));
    Some(found)
}

fn activates_among(folders: &[Folder], unit: &Text) -> Option<Text> {
    let stem = unit.as_str()?.strip_suffix(".socket")?;
    unit_name::runnable(unit.as_bytes())?;
    match activation(&read(folders, unit.as_str()?)?) {
        // Only systemd can expand specifiers.
        (Some(service), _) if service.as_bytes().contains(&b'%') => None,
        (Some(service), false) => Some(service),
        (_, true) => connection_template(unit),
        (None, false) => Some(format!("{stem}.service").as_str().into()),
    }
}

fn listening_among(folders: &[Folder], manager: SystemdInstance) -> Vec<ListeningUnit> {
    let mut names: Vec<String> =
        folders.iter().flat_map(|folder| folder.names(".socket", MOST_UNITS)).collect();
    names.compact_sort_by(Ord::cmp);
    names.dedup();
    names.truncate(MOST_UNITS);
    let runtime = match manager {
        SystemdInstance::System => "/run".to_owned(),
        SystemdInstance::User(uid) => format!("/run/user/{uid}"),
    };
    let listening = |name: String| {
        unit_name::runnable(name.as_bytes())?;
        let addresses = listen_addresses(&read(folders, &name)?, &runtime);
        (!addresses.is_empty()).then(|| ListeningUnit { unit: name.as_str().into(), addresses })
    };
    names.into_iter().filter_map(listening).collect()
}

fn restart_policy_among(folders: &[Folder], unit: &Text) -> Option<RestartPolicy> {
    unit_name::runnable(unit.as_bytes())?;
    Some(restart_settings::policy(&read(folders, unit.as_str()?)?))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::os::parse::linux::restart_policy::{PolicySource, Restart};

    /// Folders for units, which go with it.
    struct Units(PathBuf);

    impl Units {
        fn new(name: &str) -> Units {
            let root = std::env::temp_dir().join(format!("allears-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&root).unwrap();
            Units(root)
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn folders(&self) -> Vec<Folder> {
            vec![Folder::system_folder(self.0.join("etc")), Folder::system_folder(self.0.join("lib"))]
        }
    }

    impl Drop for Units {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_a_socket_unit_starts() {
        let units = Units::new("activates");
        units.write("lib/plain.socket", "[Socket]\nListenStream=631\n");
        units.write("lib/named.socket", "[Unit]\nService=no\n[Socket]\n Service = other.service \n");
        units.write("lib/each.socket", "[Socket]\nAccept=yes\n");
        units.write("lib/both.socket", "[Socket]\nService=lib.service\n");
        units.write("etc/both.socket", "[Socket]\nService=etc.service\n");
        units.write("lib/added.socket", "[Socket]\nService=lib.service\n");
        units.write("lib/added.socket.d/10.conf", "[Socket]\nService=added.service\n");
        units.write("etc/added.socket.d/10.conf", "[Socket]\nService=\n");
        units.write("lib/many@.socket", "[Socket]\nListenStream=%i\n");
        units.write("lib/told@.socket", "[Socket]\nService=told-%i.service\n");
        units.write("lib/masked.socket", "[Socket]\nService=x.service\n");
        std::os::unix::fs::symlink("/dev/null", units.0.join("etc/masked.socket")).unwrap();
        for (unit, service) in [
            ("plain.socket", Some("plain.service")),
            ("named.socket", Some("other.service")),
            ("each.socket", Some("each@.service")),
            ("both.socket", Some("etc.service")),
            ("added.socket", Some("added.service")),
            ("many@a.socket", Some("many@a.service")),
            ("told@a.socket", None),
            ("none.socket", None),
            ("../plain.socket", None),
            ("plain.service", None),
            ("masked.socket", None),
        ] {
            let found = activates_among(&units.folders(), &unit.into());
            assert_eq!(found, service.map(Text::from), "{unit}");
        }
    }

    #[test]
    fn where_socket_units_listen() {
        let units = Units::new("listening");
        units.write(
            "lib/web.socket",
            "[Socket]\nListenStream=8080\nListenStream=127.0.0.1:81\nListenDatagram=[::1]:53\n",
        );
        units.write(
            "lib/path.socket",
            "[Socket]\nListenStream=%t/x.sock\nListenStream=@x\nListenStream=%h/x\n",
        );
        units.write("etc/web.socket.d/a.conf", "[Socket]\nListenStream=\nListenStream=[fe80::1]:82%eth0\n");
        units.write("etc/x@.socket", "[Socket]\nListenStream=83\n");
        units.write("etc/vsock.socket", "[Socket]\nListenStream=vsock:2:1\n");
        let listening = |manager| {
            let found = listening_among(&units.folders(), manager);
            let place = |(kind, place): &(Text, Text)| {
                format!("{} {}", kind.to_string_lossy(), place.to_string_lossy())
            };
            found
                .iter()
                .map(|it| (it.unit.to_string_lossy().into_owned(), it.addresses.iter().map(place).collect()))
                .collect::<Vec<(String, Vec<String>)>>()
        };
        let web = ("web.socket".to_owned(), vec!["Stream [fe80::1]:82".to_owned()]);
        let path = |run: &str| {
            ("path.socket".to_owned(), vec![format!("Stream {run}/x.sock"), "Stream @x".to_owned()])
        };
        assert_eq!(listening(SystemdInstance::System), [path("/run"), web.clone()]);
        assert_eq!(listening(SystemdInstance::User(1000)), [path("/run/user/1000"), web]);
    }

    #[test]
    fn when_a_service_comes_back() {
        let units = Units::new("restart");
        units.write("lib/web.service", "[Service]\nRestart=on-failure\nRestartSec=5\n");
        units.write("etc/web.service.d/a.conf", "[Service]\nRestart=always\nRestartSec=1min 500ms\n");
        units.write("lib/other.service", "[Service]\nExecStart=/bin/true\n");
        let policy = restart_policy_among(&units.folders(), &"web.service".into()).unwrap();
        assert_eq!((policy.restart, policy.source), (Restart::Always, PolicySource::UnitFiles));
        assert_eq!(policy.delay, Some(Duration::from_millis(60_500)));
        let policy = restart_policy_among(&units.folders(), &"other.service".into()).unwrap();
        assert_eq!((policy.restart, policy.delay), (Restart::No, Some(Duration::from_millis(100))));
        assert_eq!(restart_policy_among(&units.folders(), &"none.service".into()), None);
    }
}
