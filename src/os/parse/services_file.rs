//! The services file (services(5)): names of ports. Pure: compiled and tested on every system.

use crate::model::Protocol;

/// One name or alias of one port.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ServiceEntry {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) protocol: Protocol,
}

/// Parses lines `name port/protocol alias ... # comment`. Others are skipped, as are protocols without ports.
pub(crate) fn parse(bytes: &[u8]) -> Vec<ServiceEntry> {
    let mut entries = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let mut fields = line.split_ascii_whitespace();
        let (Some(name), Some(place)) = (fields.next(), fields.next()) else { continue };
        let Some((port, protocol)) = place.split_once('/') else { continue };
        let (Ok(port), Some(protocol)) = (port.parse(), Protocol::parse(protocol)) else { continue };
        if port == 0 || protocol == Protocol::Unix {
            continue;
        }
        let names = std::iter::once(name).chain(fields);
        entries.extend(names.map(|name| ServiceEntry { name: name.to_owned(), port, protocol }));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let entry = |name: &str, port, protocol| ServiceEntry { name: name.to_owned(), port, protocol };
        let file = b"# a comment\nhttp\t80/tcp\twww # WorldWideWeb\nz39.50 210/udp\n\
            torn\nbad x/tcp\nzero 0/tcp\nrtmp 1/ddp\n\xff 9/tcp\n";
        assert_eq!(
            parse(file),
            [
                entry("http", 80, Protocol::Tcp),
                entry("www", 80, Protocol::Tcp),
                entry("z39.50", 210, Protocol::Udp),
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_parsed(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            parse(&bytes);
        }
    }
}
