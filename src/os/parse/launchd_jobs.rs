//! Parses the sockets in launchd's job files, as launchd.plist(5) documents them. Pure.

use std::net::IpAddr;

use plist::{Dictionary, Value};

use crate::model::{Protocol, Socket, Text};

use crate::os::parse::IsServicePort;

/// A job that launchd opens sockets for.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::os) struct Job {
    pub(in crate::os) label: Text,
    sockets: Vec<DeclaredSocket>,
}

/// A socket in a job's file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DeclaredSocket {
    /// A port, or the name of a service.
    service: String,
    protocol: Protocol,
    node: Option<String>,
    /// `IPv4`, `IPv6`, or both.
    family: Option<String>,
}

/// Returns the job in a file, XML or binary. `None` if it has no sockets with ports.
pub(in crate::os) fn read(bytes: &[u8]) -> Option<Job> {
    let file = Value::from_reader(std::io::Cursor::new(bytes)).ok()?.into_dictionary()?;
    let label = file.get("Label")?.as_string().filter(|label| !label.is_empty())?;
    let mut sockets = Vec::new();
    for named in file.get("Sockets")?.as_dictionary()?.values() {
        match named {
            Value::Dictionary(one) => sockets.extend(declared(one)),
            Value::Array(several) => {
                sockets.extend(several.iter().filter_map(Value::as_dictionary).filter_map(declared));
            }
            _ => {}
        }
    }
    (!sockets.is_empty()).then(|| Job { label: label.into(), sockets })
}

fn declared(socket: &Dictionary) -> Option<DeclaredSocket> {
    let text = |key: &str| socket.get(key).and_then(Value::as_string);
    // A socket that connects names the peer's port.
    if socket.get("SockPassive").and_then(Value::as_boolean) == Some(false) {
        return None;
    }
    let service = match socket.get("SockServiceName")? {
        Value::Integer(port) => port.to_string(),
        Value::String(name) => name.clone(),
        _ => return None,
    };
    let datagrams = text("SockType").is_some_and(|kind| kind.eq_ignore_ascii_case("dgram"))
        || text("SockProtocol").is_some_and(|protocol| protocol.eq_ignore_ascii_case("udp"));
    Some(DeclaredSocket {
        service,
        protocol: if datagrams { Protocol::Udp } else { Protocol::Tcp },
        node: text("SockNodeName").map(str::to_owned),
        family: text("SockFamily").map(str::to_owned),
    })
}

impl DeclaredSocket {
    fn matches(&self, socket: &Socket, is_service_port: IsServicePort) -> bool {
        let (Some(address), Some(port)) = (socket.endpoint.address(), socket.endpoint.port()) else {
            return false;
        };
        let at_port = match self.service.parse::<u16>() {
            Ok(number) => number == port,
            Err(_) => is_service_port(&self.service, self.protocol, port),
        };
        let at_node = match self.node.as_deref().map(|node| (node, node.parse::<IpAddr>())) {
            Some((_, Ok(wanted))) => wanted == address,
            Some(("localhost", _)) => address.is_loopback(),
            // Only launchd resolves other names.
            Some(_) => !address.is_unspecified(),
            None => address.is_unspecified(),
        };
        let of_family = match self.family.as_deref() {
            Some("IPv4") => address.is_ipv4(),
            Some("IPv6") => address.is_ipv6(),
            Some("Unix") => false,
            _ => true,
        };
        self.protocol == socket.protocol && at_port && at_node && of_family
    }
}

/// Returns the label of the one job that this socket was opened for. `None` if no job or several jobs have such a
/// socket.
pub(in crate::os) fn label<'a>(
    socket: &Socket,
    jobs: &'a [Job],
    is_service_port: IsServicePort,
) -> Option<&'a Text> {
    let asks = |job: &&Job| job.sockets.iter().any(|declared| declared.matches(socket, is_service_port));
    let mut asking = jobs.iter().filter(asks);
    let first = asking.next()?;
    asking.all(|job| job.label == first.label).then_some(&first.label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, State};
    use proptest::prelude::*;

    fn label<'a>(socket: &Socket, jobs: &'a [Job]) -> Option<&'a Text> {
        super::label(socket, jobs, |name, protocol, port| {
            [("ssh", Protocol::Tcp, 22), ("tftp", Protocol::Udp, 69)].contains(&(name, protocol, port))
        })
    }

    fn file(label: &str, sockets: &str) -> Vec<u8> {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
             \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\"><dict>\
             <key>Disabled</key><true/><key>Label</key><string>{label}</string>\
             <key>ProgramArguments</key><array><string>/usr/sbin/x</string></array>\
             <key>Sockets</key><dict>{sockets}</dict></dict></plist>"
        )
        .into_bytes()
    }

    fn dictionary(name: &str, pairs: &[(&str, &str)]) -> String {
        let pairs = pairs.iter().map(|(key, value)| format!("<key>{key}</key>{value}")).collect::<String>();
        format!("<key>{name}</key><dict>{pairs}</dict>")
    }

    fn string(text: &str) -> String {
        format!("<string>{text}</string>")
    }

    fn job(label: &str, pairs: &[(&str, &str)]) -> Job {
        read(&file(label, &dictionary("Listeners", pairs))).unwrap()
    }

    fn socket(protocol: Protocol, address: &str, port: u16) -> Socket {
        let state = if protocol == Protocol::Tcp { State::Listen } else { State::Bound };
        Socket::new(
            protocol,
            Endpoint::Ip { address: address.parse().unwrap(), port, interface: None },
            state,
        )
    }

    #[test]
    fn ssh_is_known_by_the_name_of_its_service() {
        let ssh =
            job("com.openssh.sshd", &[("SockServiceName", "<string>ssh</string>"), ("Bonjour", "<true/>")]);
        let found = |socket: Socket| label(&socket, std::slice::from_ref(&ssh)).is_some();
        assert!(found(socket(Protocol::Tcp, "::", 22)) && found(socket(Protocol::Tcp, "0.0.0.0", 22)));
        assert!(!found(socket(Protocol::Tcp, "::", 2222)) && !found(socket(Protocol::Udp, "::", 22)));
        assert!(!found(socket(Protocol::Tcp, "127.0.0.1", 22)), "no address was asked for");
    }

    #[test]
    fn what_a_socket_may_be_narrowed_by() {
        let node = string("127.0.0.1");
        let local = job("a", &[("SockServiceName", "<string>8021</string>"), ("SockNodeName", &node)]);
        let six =
            job("b", &[("SockServiceName", "<integer>8021</integer>"), ("SockFamily", &string("IPv6"))]);
        let datagrams = job("c", &[("SockServiceName", &string("tftp")), ("SockType", &string("dgram"))]);
        let jobs = [local, six, datagrams];
        let of = |protocol, address, port| {
            label(&socket(protocol, address, port), &jobs).map(|label| label.to_string_lossy().into_owned())
        };
        assert_eq!(of(Protocol::Tcp, "127.0.0.1", 8021).as_deref(), Some("a"));
        assert_eq!(of(Protocol::Tcp, "::", 8021).as_deref(), Some("b"));
        assert_eq!(of(Protocol::Tcp, "0.0.0.0", 8021), None);
        assert_eq!(of(Protocol::Udp, "0.0.0.0", 69).as_deref(), Some("c"));
        assert_eq!(of(Protocol::Tcp, "0.0.0.0", 69), None);
    }

    #[test]
    fn families_protocols_and_names() {
        let found = |key: &str, value: &str, protocol, address| {
            let job = job("a", &[("SockServiceName", "<integer>8022</integer>"), (key, &string(value))]);
            label(&socket(protocol, address, 8022), &[job]).is_some()
        };
        for (key, value, protocol, address, expected) in [
            ("SockFamily", "IPv4", Protocol::Tcp, "0.0.0.0", true),
            ("SockFamily", "IPv4", Protocol::Tcp, "::", false),
            ("SockFamily", "Unix", Protocol::Tcp, "::", false),
            ("SockProtocol", "UDP", Protocol::Udp, "::", true),
            ("SockProtocol", "UDP", Protocol::Tcp, "::", false),
            ("SockNodeName", "localhost", Protocol::Tcp, "::1", true),
            ("SockNodeName", "localhost", Protocol::Tcp, "10.0.0.1", false),
            ("SockNodeName", "db.example", Protocol::Tcp, "10.0.0.1", true),
            ("SockNodeName", "db.example", Protocol::Tcp, "::", false),
        ] {
            assert_eq!(found(key, value, protocol, address), expected, "{key} {value} {address}");
        }
    }

    #[test]
    fn a_socket_of_two_jobs_names_neither() {
        let one = |label| job(label, &[("SockServiceName", "<string>8021</string>")]);
        let asked = socket(Protocol::Tcp, "::", 8021);
        assert_eq!(label(&asked, &[one("a"), one("a")]).unwrap(), &Text::from("a"), "the same file twice");
        assert_eq!(label(&asked, &[one("a"), one("b")]), None);
    }

    #[test]
    fn files_of_other_jobs_are_none() {
        let path = dictionary("Listeners", &[("SockPathName", "<string>/var/run/x</string>")]);
        let calls =
            dictionary("Out", &[("SockServiceName", "<string>80</string>"), ("SockPassive", "<false/>")]);
        for sockets in ["", &path, &calls, "<key>Listeners</key><string>ssh</string>"] {
            assert_eq!(read(&file("a", sockets)), None, "{sockets}");
        }
        assert_eq!(read(b""), None);
        assert_eq!(read(b"bplist00"), None);
        let several =
            "<key>L</key><array><dict><key>SockServiceName</key><string>1</string></dict><dict/></array>";
        assert_eq!(read(&file("a", several)).unwrap().sockets.len(), 1);
        assert_eq!(read(&file("", several)), None);
    }

    #[test]
    fn the_binary_form_is_read_too() {
        let value = Value::from_reader(std::io::Cursor::new(file(
            "com.apple.tftpd",
            &dictionary("L", &[("SockServiceName", "<string>tftp</string>")]),
        )))
        .unwrap();
        let mut binary = Vec::new();
        value.to_writer_binary(&mut binary).unwrap();
        assert_eq!(read(&binary).unwrap().label, Text::from("com.apple.tftpd"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let mut binary = b"bplist00".to_vec();
            binary.extend(&bytes);
            let _ = read(&binary);
        }
    }
}
