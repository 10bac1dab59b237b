//! Which sockets are shown, by protocol, family, exposure and state. What the query does not read must be read first.

use crate::model::{Exposure, Protocol, Selection, Socket, State};

/// What a key shows or hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toggle {
    Tcp,
    Udp,
    Unix,
    Ipv4,
    Ipv6,
    /// Only sockets that other machines can reach.
    Exposed,
    /// Sockets in every state.
    All,
}

/// The sockets that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Toggles {
    tcp: bool,
    udp: bool,
    unix: bool,
    ipv4: bool,
    ipv6: bool,
    exposed: bool,
    pub(super) all: bool,
}

impl Toggles {
    /// Returns those that a query reads.
    pub(super) fn of(selection: &Selection) -> Toggles {
        Toggles {
            tcp: selection.wants(Protocol::Tcp),
            udp: selection.wants(Protocol::Udp),
            unix: selection.wants(Protocol::Unix),
            ipv4: selection.ipv4 || !selection.ipv6,
            ipv6: selection.ipv6 || !selection.ipv4,
            exposed: selection.exposed,
            all: selection.all,
        }
    }

    pub(super) fn flip(&mut self, toggle: Toggle) {
        let one = match toggle {
            Toggle::Tcp => &mut self.tcp,
            Toggle::Udp => &mut self.udp,
            Toggle::Unix => &mut self.unix,
            Toggle::Ipv4 => &mut self.ipv4,
            Toggle::Ipv6 => &mut self.ipv6,
            Toggle::Exposed => &mut self.exposed,
            Toggle::All => &mut self.all,
        };
        *one = !*one;
    }

    /// Returns the selection that also reads what is shown, or `None` if `selection` does.
    pub(super) fn widened(self, selection: &Selection) -> Option<Selection> {
        let read = Toggles::of(selection);
        let is_read = (read.tcp || !self.tcp)
            && (read.udp || !self.udp)
            && (read.unix || !self.unix)
            && (read.ipv4 || !self.ipv4)
            && (read.ipv6 || !self.ipv6)
            && (!read.exposed || self.exposed)
            && (read.all || !self.all);
        if is_read {
            return None;
        }
        let mut wider = selection.clone();
        let shown = |protocol| match protocol {
            Protocol::Tcp => self.tcp,
            Protocol::Udp => self.udp,
            Protocol::Unix => self.unix,
            _ => false,
        };
        let protocols =
            [Protocol::Tcp, Protocol::Udp, Protocol::UdpLite, Protocol::Sctp, Protocol::Dccp, Protocol::Unix];
        wider.protocols = protocols.into_iter().filter(|one| selection.wants(*one) || shown(*one)).collect();
        // Both families are selected by both or neither.
        let both = (read.ipv4 || self.ipv4) && (read.ipv6 || self.ipv6);
        (wider.ipv4, wider.ipv6) = if both { (false, false) } else { (selection.ipv4, selection.ipv6) };
        wider.exposed = read.exposed && self.exposed;
        wider.all = read.all || self.all;
        Some(wider)
    }

    pub(super) fn shows(&self, socket: &Socket) -> bool {
        let protocol = match socket.protocol {
            Protocol::Tcp => self.tcp,
            Protocol::Udp | Protocol::UdpLite => self.udp,
            Protocol::Unix => self.unix,
            _ => true,
        };
        let family = socket.endpoint.address().is_none_or(|address| {
            (self.ipv4 && socket.takes_ipv4() != Some(false)) || (self.ipv6 && address.is_ipv6())
        });
        let exposed = matches!(socket.exposure(), Exposure::All | Exposure::Address);
        let state = socket.is_listener() && (socket.state != State::Bound || socket.protocol.is_datagram());
        protocol && family && (!self.exposed || exposed) && (self.all || state)
    }

    /// Returns what differs from `usual`, as in `, without udp, exposed`.
    pub(super) fn differences(&self, usual: &Toggles) -> String {
        let mut text = String::new();
        for (name, now, before) in [
            ("tcp", self.tcp, usual.tcp),
            ("udp", self.udp, usual.udp),
            ("unix", self.unix, usual.unix),
            ("IPv4", self.ipv4, usual.ipv4),
            ("IPv6", self.ipv6, usual.ipv6),
        ] {
            match (now, before) {
                (true, false) => text.push_str(&format!(", with {name}")),
                (false, true) => text.push_str(&format!(", without {name}")),
                _ => {}
            }
        }
        match (self.exposed, usual.exposed) {
            (true, false) => text.push_str(", exposed only"),
            (false, true) => text.push_str(", not only exposed"),
            _ => {}
        }
        match (self.all, usual.all) {
            (true, false) => text.push_str(", all states"),
            (false, true) => text.push_str(", listeners only"),
            _ => {}
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Endpoint;
    use crate::scan::Query;

    fn socket(protocol: Protocol, address: &str, state: State) -> Socket {
        let address = address.parse().unwrap();
        Socket::new(protocol, Endpoint::Ip { address, port: 80, interface: None }, state)
    }

    #[test]
    fn what_is_read_is_filtered_and_the_rest_must_be_read() {
        let selection = Query::new().selection().clone();
        let usual = Toggles::of(&selection);
        let tcp = socket(Protocol::Tcp, "127.0.0.1", State::Listen);
        let exposed = socket(Protocol::Tcp, "0.0.0.0", State::Listen);
        let connection = socket(Protocol::Tcp, "127.0.0.1", State::Established);
        assert!(usual.shows(&tcp) && usual.shows(&exposed) && !usual.shows(&connection));
        for (toggle, shows, hidden) in [
            (Toggle::Tcp, None, Some(&tcp)),
            (Toggle::Ipv4, None, Some(&tcp)),
            (Toggle::Exposed, Some(&exposed), Some(&tcp)),
        ] {
            let mut toggles = usual;
            toggles.flip(toggle);
            assert_eq!(toggles.widened(&selection), None, "{toggle:?}");
            assert!(shows.is_none_or(|socket| toggles.shows(socket)), "{toggle:?}");
            assert!(hidden.is_none_or(|socket| !toggles.shows(socket)), "{toggle:?}");
        }
        for (toggle, expected) in [(Toggle::Unix, Protocol::Unix), (Toggle::All, Protocol::Tcp)] {
            let mut toggles = usual;
            toggles.flip(toggle);
            let wider = toggles.widened(&selection).expect("not read yet");
            assert!(wider.wants(expected) && wider.wants(Protocol::Udp) && wider.wants(Protocol::Sctp));
            assert_eq!(toggles.widened(&wider), None, "{toggle:?}");
        }
        let only_tcp4 = Query::new().protocol(Protocol::Tcp).ipv4(true).exposed(true).selection().clone();
        let mut toggles = Toggles::of(&only_tcp4);
        for toggle in [Toggle::Udp, Toggle::Ipv6, Toggle::Exposed] {
            toggles.flip(toggle);
        }
        let wider = toggles.widened(&only_tcp4).expect("not read yet");
        assert!(wider.admits(&socket(Protocol::Udp, "::1", State::Bound)));
        assert!(!wider.wants(Protocol::Unix) && !wider.wants(Protocol::Sctp));
        assert_eq!(toggles.differences(&Toggles::of(&only_tcp4)), ", with udp, with IPv6, not only exposed");
    }
}
