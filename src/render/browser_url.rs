//! The address at which a browser on the same machine reaches a listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Endpoint, Listener, Protocol, State};

/// The ports that browsers refuse to open (Fetch standard, "port blocking"), sorted.
const BLOCKED: [u16; 82] = [
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
    109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
    526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
    3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];
/// The ports of databases, queues and remote desktops that do not speak HTTP, sorted. They are registered for, or
/// commonly used by, programs with protocols of their own.
const OTHER_PROTOCOLS: [u16; 17] =
    [1433, 1521, 1883, 2181, 3306, 3389, 5432, 5671, 5672, 5900, 6379, 8883, 9042, 9092, 11211, 27017, 33060];
/// The port of HTTP over TLS.
const HTTPS: u16 = 443;

/// Returns `http://localhost:PORT` if a TCP listener of this network namespace answers at localhost and browsers open its
/// port. Whether it speaks HTTP is unknown.
pub(crate) fn browser_url(listener: &Listener) -> Option<String> {
    let socket = &listener.socket;
    let is_opened =
        |port: &u16| BLOCKED.binary_search(port).is_err() && OTHER_PROTOCOLS.binary_search(port).is_err();
    let port = socket.endpoint.port().filter(is_opened)?;
    let Endpoint::Ip { address, interface, .. } = &socket.endpoint else { return None };
    let address = address.to_canonical();
    let is_localhost = address.is_unspecified() || LOCALHOST.contains(&address);
    let answers = socket.protocol == Protocol::Tcp
        && socket.state == State::Listen
        && socket.namespace.is_none()
        && interface.as_ref().is_none_or(|interface| matches!(interface.as_bytes(), b"lo" | b"lo0"));
    let scheme = if port == HTTPS { "https" } else { "http" };
    (is_localhost && answers).then(|| format!("{scheme}://localhost:{port}"))
}

/// The addresses of localhost. Others of 127.0.0.0/8 are not.
const LOCALHOST: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Socket;

    fn url(protocol: Protocol, state: State, address: &str, port: u16, interface: Option<&str>) -> String {
        let address = address.parse().unwrap();
        let endpoint = Endpoint::Ip { address, port, interface: interface.map(Into::into) };
        browser_url(&Listener::new(Socket::new(protocol, endpoint, state))).unwrap_or_default()
    }

    #[test]
    fn a_browser_opens_what_answers_at_localhost() {
        let tcp = |address: &str, port| url(Protocol::Tcp, State::Listen, address, port, None);
        for address in ["127.0.0.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"] {
            assert_eq!(tcp(address, 3000), "http://localhost:3000", "{address}");
        }
        assert_eq!(tcp("127.0.0.1", 443), "https://localhost:443");
        for address in ["127.0.0.2", "10.0.0.2", "fe80::1"] {
            assert_eq!(tcp(address, 3000), "", "{address}");
        }
        assert_eq!(tcp("0.0.0.0", 22), "", "browsers refuse the port of SSH");
        assert_eq!(tcp("127.0.0.1", 5432), "", "PostgreSQL does not speak HTTP");
        assert_eq!(url(Protocol::Udp, State::Bound, "0.0.0.0", 3000, None), "");
        assert_eq!(url(Protocol::Tcp, State::Established, "127.0.0.1", 3000, None), "");
        assert_eq!(url(Protocol::Tcp, State::Listen, "0.0.0.0", 3000, Some("eth0")), "");
        assert_eq!(url(Protocol::Tcp, State::Listen, "0.0.0.0", 3000, Some("lo")), "http://localhost:3000");
    }

    #[test]
    fn the_ports_are_sorted() {
        assert!(BLOCKED.is_sorted() && OTHER_PROTOCOLS.is_sorted());
    }
}
