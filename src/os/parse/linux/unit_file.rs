//! Names of units, and the settings of socket units (systemd.unit(5), systemd.socket(5)). Pure.

use std::net::{Ipv6Addr, SocketAddr};

use crate::model::Text;
use crate::os::parse::linux::unit_syntax::{Setting, is_true};

/// Returns the template that a unit is an instance of: `x@.service` for `x@1.service`.
pub(in crate::os) fn instance_template(unit: &str) -> Option<String> {
    let (stem, suffix) = unit.rsplit_once('.')?;
    let (prefix, instance) = stem.split_once('@')?;
    (!prefix.is_empty() && !instance.is_empty()).then(|| format!("{prefix}@.{suffix}"))
}

/// Returns the template of the services that a socket unit starts, one for each connection: `x@.service` for
/// `x.socket`.
pub(in crate::os) fn connection_template(unit: &Text) -> Option<Text> {
    let stem = unit.as_bytes().strip_suffix(b".socket")?;
    let stem = stem.split(|byte| *byte == b'@').next().unwrap_or(stem);
    Some([stem, b"@.service"].concat().into())
}

/// Returns the path of a unit's object on D-Bus: every character but letters and digits is written by its number.
pub(in crate::os) fn object_path(unit: &Text) -> String {
    let mut path = String::from("/org/freedesktop/systemd1/unit/");
    for (at, byte) in unit.as_bytes().iter().enumerate() {
        match byte {
            b'0'..=b'9' if at == 0 => path.push_str(&format!("_{byte:02x}")),
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => path.push(char::from(*byte)),
            _ => path.push_str(&format!("_{byte:02x}")),
        }
    }
    path
}

/// Parses an IP address and a port as systemd writes them: `[::]:80`. `None` for paths and other names.
pub(in crate::os) fn inet_address(address: &Text) -> Option<SocketAddr> {
    address.as_str()?.parse().ok()
}

/// Returns Service= and Accept= of a socket unit.
pub(in crate::os) fn activation(settings: &[Setting]) -> (Option<Text>, bool) {
    let (mut service, mut each) = (None, false);
    for setting in settings.iter().filter(|setting| setting.section == b"Socket") {
        match setting.key.as_slice() {
            b"Service" => service = Some(setting.value.as_slice()).filter(|value| !value.is_empty()),
            b"Accept" => each = is_true(&setting.value),
            _ => {}
        }
    }
    (service.map(Text::from), each)
}

/// Returns the addresses of a socket unit, as its manager writes them, with their kinds. `runtime` is the directory that
/// `%t` stands for.
pub(in crate::os) fn listen_addresses(settings: &[Setting], runtime: &str) -> Vec<(Text, Text)> {
    let mut listen_addresses: Vec<(Text, Text)> = Vec::new();
    for setting in settings.iter().filter(|setting| setting.section == b"Socket") {
        let kind = match setting.key.as_slice() {
            b"ListenStream" => "Stream",
            b"ListenDatagram" => "Datagram",
            b"ListenSequentialPacket" => "SequentialPacket",
            _ => continue,
        };
        if setting.value.is_empty() {
            // An empty value resets all three.
            listen_addresses.clear();
        } else if let Some(listen_address) = listen_address(&setting.value, runtime) {
            listen_addresses.push((kind.into(), listen_address.as_str().into()));
        }
    }
    listen_addresses
}

/// Returns one address of a ListenStream= or its like, as the manager writes it. `None` for anything but ports and
/// paths, and for specifiers other than `%t`.
fn listen_address(value: &[u8], runtime: &str) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?;
    let value = value.replace("%t", runtime);
    if value.starts_with('/') || value.starts_with('@') {
        return (!value.contains('%')).then_some(value);
    }
    if let Ok(port) = value.parse::<u16>() {
        return Some(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port).to_string());
    }
    // A device may follow: `[x]:y%dev`.
    let address = value.split('%').next().unwrap_or_default();
    address.parse::<SocketAddr>().ok().map(|address| address.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::os::parse::linux::unit_syntax::settings;

    #[test]
    fn names_of_units() {
        let path = |unit: &str| object_path(&unit.into());
        assert_eq!(path("cups.socket"), "/org/freedesktop/systemd1/unit/cups_2esocket");
        assert_eq!(path("web2.socket"), "/org/freedesktop/systemd1/unit/web2_2esocket");
        assert_eq!(inet_address(&"[::]:80".into()), Some("[::]:80".parse().unwrap()));
        assert_eq!(inet_address(&"/run/x".into()), None);
        assert_eq!(path("9p@a-b.socket"), "/org/freedesktop/systemd1/unit/_39p_40a_2db_2esocket");
        assert_eq!(connection_template(&"x.socket".into()), Some("x@.service".into()));
        assert_eq!(connection_template(&"x.service".into()), None);
    }

    #[test]
    fn templates_of_instances() {
        assert_eq!(instance_template("x@1.service").as_deref(), Some("x@.service"));
        assert_eq!(instance_template("x@a@b.socket").as_deref(), Some("x@.socket"));
        assert_eq!(instance_template("x.service"), None);
        assert_eq!(instance_template("x@.service"), None);
        assert_eq!(instance_template("@x.service"), None);
    }

    #[test]
    fn what_a_socket_unit_starts() {
        let activation = |text: &str| activation(&settings(text.as_bytes()));
        let named = activation("[Unit]\nService=no\n[Socket]\n Service = other.service \n");
        assert_eq!(named, (Some("other.service".into()), false));
        assert_eq!(activation("[Socket]\nAccept=yes\n"), (None, true));
        assert_eq!(activation("[Socket]\nService=x.service\nService=\n"), (None, false));
    }

    #[test]
    fn where_a_socket_unit_listens() {
        let listen_addresses = |text: &str| {
            let listen_addresses = listen_addresses(&settings(text.as_bytes()), "/run/user/1000");
            let listen_address = |(kind, listen_address): (Text, Text)| {
                format!("{} {}", kind.to_string_lossy(), listen_address.to_string_lossy())
            };
            listen_addresses.into_iter().map(listen_address).collect::<Vec<String>>()
        };
        assert_eq!(
            listen_addresses(
                "[Socket]\nListenStream=8080\nListenDatagram=[::1]:53\nListenSequentialPacket=%t/x\n"
            ),
            ["Stream [::]:8080", "Datagram [::1]:53", "SequentialPacket /run/user/1000/x"]
        );
        assert_eq!(
            listen_addresses("[Socket]\nListenStream=1\nListenDatagram=\nListenStream=[fe80::1]:82%eth0\n"),
            ["Stream [fe80::1]:82"]
        );
        assert_eq!(listen_addresses("[Socket]\nListenStream=@x\nListenStream=/run/%n\n"), ["Stream @x"]);
        assert!(
            listen_addresses("[Socket]\nListenStream=vsock:2:1\nListenStream=%h/x\nListenFIFO=/x\n")
                .is_empty()
        );
    }

    proptest! {
        #[test]
        fn any_bytes(key in prop::sample::select(vec![
            "Service", "Accept", "ListenStream", "ListenDatagram", "ListenSequentialPacket",
        ]), value: Vec<u8>) {
            let unit = Text::from(value.as_slice());
            let _ = (object_path(&unit), connection_template(&unit));
            let _ = unit.as_str().map(instance_template);
            let settings = [Setting { section: b"Socket".to_vec(), key: key.into(), value }];
            let _ = (activation(&settings), listen_addresses(&settings, "/run"));
        }
    }
}
