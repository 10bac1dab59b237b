//! Determines which of a user's Podman containers a network helper serves, without asking Podman: it has no daemon, and
//! its API is off by default. The helper and the container share a network namespace. Pure: the input is facts (command
//! lines and numbers of namespaces), which is why this is not in `os::parse`.
//!
//! Observed with Podman 5.4: pasta and slirp4netns take the namespace's file as an argument, which is also in the
//! container's configuration. The child of rootlessport runs in the namespace. conmon's command line has the id and the
//! name of the container, and its child is the container's first process.

use crate::management::proxy;
use crate::model::{Container, ContainerRuntime, Text};

/// The monitor process of a container, and the container's network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Monitor {
    pub(crate) id: Text,
    pub(crate) name: Option<Text>,
    /// The number of the network namespace of the container's first process.
    pub(crate) namespace: Option<u64>,
    /// The file of the network namespace in the container's configuration.
    pub(crate) file: Option<Text>,
}

/// The source of a helper's network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Network {
    /// By its file.
    File(Text),
    /// By the number of the namespace of the helper's child.
    Namespace(u64),
}

/// Returns the file of the network namespace in the arguments of pasta or slirp4netns.
pub(crate) fn network_file(command: &[Text]) -> Option<Text> {
    let mut words = command.iter().skip(1).map(Text::as_bytes);
    let mut by_path = false;
    while let Some(word) = words.next() {
        let path = match word {
            b"--netns" => words.next(),
            b"--netns-type=path" => {
                by_path = true;
                None
            }
            word if by_path && word.starts_with(b"/") => Some(word),
            word => word.strip_prefix(b"--netns="),
        };
        if let Some(path) = path.filter(|path| path.starts_with(b"/")) {
            return Some(path.into());
        }
    }
    None
}

/// Returns the container of a helper. The containers of a pod share the network of its infra container, which is returned.
/// `None` if several other containers match.
pub(crate) fn container(network: &Network, monitors: &[Monitor], uid: Option<u32>) -> Option<Container> {
    let is_its = |monitor: &&Monitor| match network {
        Network::File(file) => monitor.file.as_ref() == Some(file),
        Network::Namespace(number) => monitor.namespace == Some(*number),
    };
    let found: Vec<&Monitor> = monitors.iter().filter(is_its).collect();
    let is_infra =
        |monitor: &&&Monitor| monitor.name.as_ref().is_some_and(|name| proxy::pod_of_infra(name).is_some());
    let monitor = match found.as_slice() {
        [only] => only,
        several => several.iter().find(is_infra)?,
    };
    Some(Container {
        runtime: ContainerRuntime::Podman,
        id: monitor.id.clone(),
        name: monitor.name.clone(),
        image: None,
        port: None,
        compose: None,
        uid: uid.filter(|uid| *uid != 0),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(line: &str) -> Vec<Text> {
        line.split_whitespace().map(Text::from).collect()
    }

    #[test]
    fn files_of_networks() {
        let file = Some(Text::from("/run/user/1000/netns/netns-1f"));
        for line in [
            "/usr/bin/pasta --config-net -t 127.0.0.1/7001-7001:80 --dns-forward 169.254.1.1 -u none --no-map-gw --quiet \
             --netns /run/user/1000/netns/netns-1f",
            "pasta --netns=/run/user/1000/netns/netns-1f",
            "/usr/bin/slirp4netns --disable-host-loopback --mtu=65520 --enable-sandbox -c -r 3 -e 4 \
             --netns-type=path /run/user/1000/netns/netns-1f tap0",
        ] {
            assert_eq!(network_file(&words(line)), file, "{line}");
        }
        for line in ["pasta", "pasta --netns", "slirp4netns 4121 tap0", "pasta --netns relative"] {
            assert_eq!(network_file(&words(line)), None, "{line}");
        }
    }

    fn monitor(id: &str, name: &str, namespace: u64) -> Monitor {
        Monitor {
            id: id.into(),
            name: Some(name.into()),
            namespace: Some(namespace),
            file: Some("/n".into()),
        }
    }

    #[test]
    fn a_pod_is_its_infra_container() {
        let name = |network: Network, monitors: &[Monitor]| {
            container(&network, monitors, Some(1000))
                .map(|it| it.name.unwrap().to_string_lossy().into_owned())
        };
        let one = [monitor("a", "web", 1), monitor("b", "db", 2)];
        assert_eq!(name(Network::Namespace(2), &one).as_deref(), Some("db"));
        assert_eq!(name(Network::Namespace(3), &one), None);
        assert_eq!(name(Network::File("/n".into()), &one), None, "two of one network, and no pod");
        let pod = [monitor("a", "web", 1), monitor("b", "3a2b1c0d9e8f-infra", 1)];
        assert_eq!(name(Network::Namespace(1), &pod).as_deref(), Some("3a2b1c0d9e8f-infra"));
        assert_eq!(container(&Network::Namespace(1), &one, Some(0)).unwrap().uid, None);
    }

    proptest! {
        #[test]
        fn any_bytes(command: Vec<Vec<u8>>) {
            let command: Vec<Text> = command.into_iter().map(Text::from).collect();
            let _ = network_file(&command);
        }
    }
}
