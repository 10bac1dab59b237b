//! The services file of the machine (services(5)). Pure: `os` reads the file.

use std::cell::OnceCell;

use super::service_names::{ServicePorts, named as by_registry};
use crate::model::Protocol;
use crate::os::parse::services_file::{ServiceEntry, parse};

/// The content of a services file.
#[derive(Debug)]
pub(crate) struct ServicesFile {
    /// Its path.
    pub(crate) path: String,
    /// Its bytes, or why it could not be read. A missing file is empty.
    pub(crate) read: Result<Vec<u8>, String>,
}

impl Default for Services {
    /// Returns only the names of the registry.
    fn default() -> Services {
        Services {
            load: || ServicesFile { path: String::new(), read: Ok(Vec::new()) },
            file: OnceCell::new(),
        }
    }
}

/// The names of the services file, which is read on the first lookup.
#[derive(Debug)]
pub(crate) struct Services {
    load: fn() -> ServicesFile,
    file: OnceCell<(ServicesFile, Vec<ServiceEntry>)>,
}

/// The ports of a name, and their source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ResolvedService {
    pub(crate) ports: Vec<ServicePorts>,
    /// The path of the services file, if the ports come from it.
    pub(crate) file: Option<String>,
}

impl Services {
    /// Returns the names of the file that `load` reads.
    #[cfg(feature = "cli")]
    pub(crate) fn new(load: fn() -> ServicesFile) -> Services {
        Services { load, file: OnceCell::new() }
    }

    fn file(&self) -> &(ServicesFile, Vec<ServiceEntry>) {
        self.file.get_or_init(|| {
            let file = (self.load)();
            let entries = file.read.as_ref().map(|bytes| parse(bytes)).unwrap_or_default();
            (file, entries)
        })
    }

    /// Returns the path of the file and the error, if it could not be read.
    pub(crate) fn unread(&self) -> Option<(&str, &str)> {
        let (file, _) = self.file();
        file.read.as_ref().err().map(|error| (file.path.as_str(), error.as_str()))
    }

    /// Returns whether the file has this name, for any protocol.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        let (_, entries) = self.file();
        entries.iter().any(|entry| entry.name.eq_ignore_ascii_case(name))
    }

    /// Returns the ports of a name, of one protocol or of all. If the registry has every port that the file gives the
    /// name, both count; else only the file does, which programs on this machine use (getservbyname(3)).
    pub(crate) fn resolve(&self, name: &str, wanted: Option<Protocol>) -> ResolvedService {
        let registry = by_registry(name, wanted);
        let (file, entries) = self.file();
        let own: Vec<&ServiceEntry> = entries
            .iter()
            .filter(|entry| entry.name.eq_ignore_ascii_case(name))
            .filter(|entry| wanted.is_none_or(|wanted| wanted == entry.protocol))
            .collect();
        let is_registered = |entry: &&ServiceEntry| {
            by_registry(name, Some(entry.protocol)).iter().any(|place| place.ports.contains(&entry.port))
        };
        if own.iter().all(is_registered) {
            return ResolvedService { ports: registry, file: None };
        }
        let mut ports: Vec<ServicePorts> = Vec::new();
        for entry in &own {
            let has = |protocol| own.iter().any(|one| one.port == entry.port && one.protocol == protocol);
            let both = has(Protocol::Tcp) && has(Protocol::Udp);
            let is_one_of_both = matches!(entry.protocol, Protocol::Tcp | Protocol::Udp);
            let protocol =
                if wanted.is_none() && both && is_one_of_both { None } else { Some(entry.protocol) };
            let place = ServicePorts { protocol, ports: entry.port..=entry.port };
            if !ports.contains(&place) {
                ports.push(place);
            }
        }
        ResolvedService { ports, file: Some(file.path.clone()) }
    }

    /// Returns the names of the file nearest to this one.
    pub(crate) fn nearest(&self, name: &str) -> Option<String> {
        let (_, entries) = self.file();
        let far = (name.len() / 3).max(1);
        let name = name.to_ascii_lowercase();
        let near = entries
            .iter()
            .map(|entry| (strsim::osa_distance(&name, &entry.name.to_ascii_lowercase()), entry));
        let nearest = near.filter(|(distance, _)| *distance <= far).min_by_key(|(distance, _)| *distance);
        nearest.map(|(_, entry)| entry.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"# a comment\n\
        http\t80/tcp\twww # WorldWideWeb\n\
        shop-db\t15432/tcp\tshopdb\n\
        shop-db\t15432/udp\n\
        postgresql 5433/tcp\n\
        portmapper 111/tcp\n\
        z39.50 210/tcp\n\
        lite 77/udplite\n\
        torn\nbad x/tcp\nzero 0/tcp\nrtmp 1/ddp\n\xff 9/tcp\n";

    fn services() -> Services {
        Services::new(|| ServicesFile { path: "/etc/services".to_owned(), read: Ok(FILE.into()) })
    }

    fn resolved(name: &str, wanted: Option<Protocol>) -> (Vec<(Option<Protocol>, u16)>, bool) {
        let resolved = services().resolve(name, wanted);
        let ports = resolved.ports.iter().map(|place| (place.protocol, *place.ports.start())).collect();
        (ports, resolved.file.is_some())
    }

    #[test]
    fn names_of_the_file_alone() {
        assert_eq!(resolved("shop-db", None), (vec![(None, 15432)], true));
        assert_eq!(resolved("SHOPDB", None), (vec![(Some(Protocol::Tcp), 15432)], true));
        assert_eq!(resolved("shop-db", Some(Protocol::Udp)), (vec![(Some(Protocol::Udp), 15432)], true));
        assert_eq!(resolved("z39.50", None), (vec![(Some(Protocol::Tcp), 210)], true));
        assert_eq!(resolved("lite", None), (vec![(Some(Protocol::UdpLite), 77)], true));
        for unknown in ["torn", "bad", "zero", "rtmp", "comment"] {
            assert!(!services().has_name(unknown), "{unknown}");
        }
    }

    #[test]
    fn the_file_counts_only_where_it_differs() {
        let registry: Vec<ServicePorts> = by_registry("http", None);
        assert_eq!(services().resolve("http", None), ResolvedService { ports: registry, file: None });
        assert_eq!(resolved("postgresql", None), (vec![(Some(Protocol::Tcp), 5433)], true));
        assert_eq!(resolved("postgresql", Some(Protocol::Udp)), (vec![(Some(Protocol::Udp), 5432)], false));
        assert_eq!(resolved("ssh", Some(Protocol::Tcp)), (vec![(Some(Protocol::Tcp), 22)], false));
        assert_eq!(resolved("nobody-has-this", None), (vec![], false));
    }

    #[test]
    fn a_file_that_cannot_be_read_leaves_the_registry() {
        let services = Services::new(|| ServicesFile {
            path: "/x".to_owned(),
            read: Err("Permission denied".to_owned()),
        });
        assert_eq!(services.resolve("ssh", Some(Protocol::Tcp)).file, None);
        assert_eq!(services.unread(), Some(("/x", "Permission denied")));
        assert_eq!(Services::default().unread(), None);
    }

    #[test]
    fn a_slip_in_a_name_of_the_file() {
        assert_eq!(services().nearest("shop-bd").as_deref(), Some("shop-db"));
        assert_eq!(services().nearest("entirely-else"), None);
    }
}
