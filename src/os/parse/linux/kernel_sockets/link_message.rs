//! Network interfaces with sockets of their own, as rtnetlink reports them (linux/if_link.h).

use super::{Bound, KernelSocketReport, Strength, kernel_socket, text};
use crate::model::{Family, KernelSocket, KernelSocketKind, Protocol, Text};
use crate::os::parse::linux::netlink::{attributes, u16_at, u32_at};

/// The ports of the GPRS tunneling protocol, which are fixed in the kernel's driver (drivers/net/gtp.c).
const GTP_PORTS: [u16; 2] = [3386, 2152];

/// An interface of a kind that has sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Link {
    pub(in crate::os) index: u32,
    pub(in crate::os) name: Text,
    pub(in crate::os) kind: KernelSocketKind,
    /// Whether it is up: most kinds open their sockets then.
    pub(in crate::os) up: bool,
    /// The id that the interface's namespace has for the namespace of its sockets, if that is another one.
    pub(in crate::os) socket_namespace: Option<i32>,
    /// `None` if the message does not report it.
    pub(in crate::os) port: Option<u16>,
    /// The families of its sockets; `None` for either.
    family: Option<Family>,
}

/// Reads an RTM_NEWLINK message. Returns `None` for interfaces of other kinds.
pub(in crate::os) fn parse_link(message: &[u8]) -> Option<Link> {
    const IFF_UP: u32 = 1;
    const IFLA_IFNAME: u16 = 3;
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_LINK_NETNSID: u16 = 37;
    const IFLA_INFO_KIND: u16 = 1;
    const IFLA_INFO_DATA: u16 = 2;
    let (mut name, mut info, mut socket_namespace) = (None, &[][..], None);
    attributes(message.get(16..)?, |kind, value| match kind {
        IFLA_IFNAME => name = Some(text(value)),
        IFLA_LINKINFO => info = value,
        // It is absent if it would be the interface's own namespace.
        IFLA_LINK_NETNSID => socket_namespace = u32_at(value, 0).map(u32::cast_signed),
        _ => {}
    });
    let (mut kind, mut data) = (&[][..], &[][..]);
    attributes(info, |attribute, value| match attribute {
        IFLA_INFO_KIND => kind = value.strip_suffix(b"\0").unwrap_or(value),
        IFLA_INFO_DATA => data = value,
        _ => {}
    });
    let found = kind_attributes(kind, data)?;
    Some(Link {
        index: u32_at(message, 4)?,
        name: name?,
        kind: found.kind,
        up: u32_at(message, 8)? & IFF_UP != 0,
        socket_namespace,
        port: found.port,
        family: found.family,
    })
}

/// The attributes of an interface of one kind.
struct KindAttributes {
    kind: KernelSocketKind,
    port: Option<u16>,
    family: Option<Family>,
}

fn kind_attributes(kind: &[u8], data: &[u8]) -> Option<KindAttributes> {
    use KernelSocketKind as Kind;
    /// The attributes of one kind: the port, those that make it an IPv6 tunnel, and the flag of one without addresses.
    struct Layout {
        port: u16,
        ipv6: &'static [u16],
        external: u16,
    }
    let (kind, layout) = match kind {
        // IFLA_VXLAN_PORT; _GROUP6, _LOCAL6; _COLLECT_METADATA.
        b"vxlan" => (Kind::Vxlan, Some(Layout { port: 15, ipv6: &[16, 17], external: 25 })),
        // IFLA_GENEVE_PORT; _REMOTE6; _COLLECT_METADATA.
        b"geneve" => (Kind::Geneve, Some(Layout { port: 5, ipv6: &[7], external: 6 })),
        // Its socket takes both families if the kernel has IPv6 (drivers/net/bareudp.c). IFLA_BAREUDP_PORT.
        b"bareudp" => (Kind::Bareudp, Some(Layout { port: 1, ipv6: &[], external: 0 })),
        b"wireguard" => (Kind::Wireguard, None),
        b"gtp" => (Kind::Gtp, None),
        _ => return None,
    };
    let mut found = KindAttributes { kind, port: None, family: None };
    if let Some(layout) = layout {
        let (mut ipv6, mut external) = (false, false);
        attributes(data, |attribute, value| match attribute {
            at if at == layout.port => found.port = u16_at(value, 0).map(u16::from_be),
            at if layout.ipv6.contains(&at) => ipv6 = true,
            // A flag (no value), or a byte.
            at if at == layout.external => external = value.first().is_none_or(|byte| *byte != 0),
            _ => {}
        });
        found.family = match (kind, external, ipv6) {
            (Kind::Bareudp, ..) | (_, true, _) => None,
            (_, false, true) => Some(Family::Ipv6),
            (_, false, false) => Some(Family::Ipv4),
        };
    }
    Some(found)
}

impl Link {
    /// Returns the claims of its sockets.
    pub(in crate::os) fn claims(&self) -> Vec<KernelSocketReport> {
        let kernel = KernelSocket { interface: Some(self.name.clone()), ..kernel_socket(self.kind) };
        let claim = |port, strength| KernelSocketReport {
            protocol: Protocol::Udp,
            port,
            family: self.family,
            bound: Bound::Wildcard,
            strength,
            kernel: kernel.clone(),
        };
        match (self.kind, self.port, self.up) {
            // It has them while it exists. A program may have created them and passed them on, and then has them open.
            (KernelSocketKind::Gtp, ..) => {
                GTP_PORTS.iter().map(|port| claim(Some(*port), Strength::Fixed)).collect()
            }
            (_, Some(port), true) => vec![claim(Some(port), Strength::Reported)],
            _ => Vec::new(),
        }
    }

    /// Returns the claim of a WireGuard interface with this port, which its own family of netlink reports. One that is
    /// up has a socket in each family, in the namespace in which it was created.
    pub(in crate::os) fn wireguard_claim(&self, port: Option<u16>) -> Option<KernelSocketReport> {
        (port != Some(0)).then(|| KernelSocketReport {
            protocol: Protocol::Udp,
            port,
            family: None,
            bound: Bound::Wildcard,
            strength: if port.is_some() { Strength::Reported } else { Strength::Possible },
            kernel: KernelSocket { interface: Some(self.name.clone()), ..kernel_socket(self.kind) },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::bytes_of_hex as bytes;
    use super::*;

    /// Recorded on Linux 6.12.118, little-endian, of each message the header, the name and the kind's own attributes.
    #[cfg(target_endian = "little")]
    mod recorded {
        use super::*;

        /// `ip link add vx0 type vxlan id 42 dstport 4789`, up.
        const VXLAN: &str = "000001000200000043100100000000000800030076783000cc0012000a00010076786c616e000000bc0002000800\
            01002a000000050005000000000005001c0000000000050006000000000005001d000000000008001a000000000008002000000000000500\
            07000100000005000b000000000005000c000000000005000d000000000005000e00000000000500190000000000080008002c0100000800\
            09000000000006000f0012b500000500120001000000050013000000000005001400000000000500150000000000050016000000000005\
            001f000100000008000a0000000000";
        /// `type vxlan id 44 dstport 4790 remote ::1`.
        const VXLAN_IPV6: &str = "000001000400000043100100000000000800030076783600e00012000a00010076786c616e000000d0000200\
            080001002c0000001400100000000000000000000000000000000001050005000000000005001c0000000000050006000000000005001d00\
            0000000008001a00000000000800200000000000050007000100000005000b000000000005000c000000000005000d000000000005000e00\
            000000000500190000000000080008002c010000080009000000000006000f0012b600000500120001000000050013000000000005001400\
            000000000500150000000000050016000000000005001f000100000008000a0000000000";
        /// `type vxlan external dstport 4791`.
        const VXLAN_EXTERNAL: &str = "000001000500000043100100000000000800030076786500cc0012000a00010076786c616e000000bc00\
            02000800010000000000050005000000000005001c0000000000050006000000000005001d000000000008001a0000000000080020000000\
            0000050007000000000005000b000000000005000c000000000005000d000000000005000e00000000000500190001000000080008002c01\
            0000080009000000000006000f0012b70000050012000100000005001300000000000500140000000000050015000000000005001600000000\
            0005001f000100000008000a0000000000";
        /// `type geneve id 7 remote 127.0.0.1`.
        const GENEVE: &str = "0000010007000000431001000000000008000300676e3000640012000b00010067656e65766500005400020008\
            00010007000000080002007f00000105000800000000000500030000000000050004000000000008000b000000000005000d000000000006\
            00050017c1000005000a000100000005000c0000000000";
        /// `type geneve id 7 remote ::1 dstport 6082`.
        const GENEVE_IPV6: &str = "0000010008000000431001000000000008000300676e3600700012000b00010067656e6576650000600002\
            000800010007000000140007000000000000000000000000000000000105000900000000000500030000000000050004000000000008000b\
            000000000005000d00000000000600050017c2000005000a000000000005000c0000000000";
        /// `type geneve external dstport 6083`.
        const GENEVE_EXTERNAL: &str = "0000010009000000431001000000000008000300676e6500580012000b00010067656e657665000048\
            00020008000100000000000500030000000000050004000000000008000b000000000005000d00000000000600050017c300000400060005\
            000a000100000005000c0000000000";
        const WIREGUARD: &str =
            "0000feff0a000000d1000100000000000800030077673000140012000e000100776972656775617264000000";
        /// `type gtp role sgsn`, not up.
        const GTP: &str = "0000feff0200000090100000000000000900030067747030000000002800120008000100677470001c00020008000300\
            0004000008000400010000000500060000000000";

        fn link(hex: &str) -> Link {
            parse_link(&bytes(&hex.replace(' ', ""))).unwrap()
        }

        #[test]
        fn ports_and_families_of_tunnels() {
            for (hex, name, port, family) in [
                (VXLAN, "vx0", 4789, Some(Family::Ipv4)),
                (VXLAN_IPV6, "vx6", 4790, Some(Family::Ipv6)),
                (VXLAN_EXTERNAL, "vxe", 4791, None),
                (GENEVE, "gn0", 6081, Some(Family::Ipv4)),
                (GENEVE_IPV6, "gn6", 6082, Some(Family::Ipv6)),
                (GENEVE_EXTERNAL, "gne", 6083, None),
            ] {
                let link = link(hex);
                assert_eq!((link.name.as_str(), link.port, link.family), (Some(name), Some(port), family));
                assert!(link.up && link.socket_namespace.is_none());
                let claims = link.claims();
                assert_eq!((claims.len(), claims[0].port), (1, Some(port)));
                assert_eq!(claims[0].kernel.interface, Some(name.into()));
                // Down, it has no socket.
                assert_eq!(Link { up: false, ..link }.claims(), []);
            }
        }

        #[test]
        fn links_that_report_no_port() {
            let wireguard = link(WIREGUARD);
            assert_eq!((wireguard.kind, wireguard.index), (KernelSocketKind::Wireguard, 10));
            assert_eq!(wireguard.claims(), []);
            let claim = wireguard.wireguard_claim(Some(51820)).unwrap();
            assert_eq!((claim.port, claim.strength, claim.family), (Some(51820), Strength::Reported, None));
            assert_eq!((claim.kernel.kind, claim.kernel.interface), (wireguard.kind, Some("wg0".into())));
            let claim = wireguard.wireguard_claim(None).unwrap();
            assert_eq!((claim.port, claim.strength), (None, Strength::Possible));
            assert_eq!(wireguard.wireguard_claim(Some(0)), None, "it has no socket yet");
            let gtp = link(GTP);
            assert!(!gtp.up);
            let ports: Vec<_> = gtp.claims().iter().map(|claim| (claim.port, claim.strength)).collect();
            assert_eq!(ports, [(Some(3386), Strength::Fixed), (Some(2152), Strength::Fixed)]);
        }

        #[test]
        fn a_link_whose_socket_is_in_another_namespace() {
            // IFLA_LINK_NETNSID of 0, as a vxlan interface has it that was moved.
            let moved = format!("{VXLAN}0800250000000000");
            assert_eq!(link(&moved).socket_namespace, Some(0));
        }

        #[test]
        fn other_links_are_left_alone() {
            let mut veth = bytes(&WIREGUARD.replace(' ', ""));
            let at = veth.windows(9).position(|window| window == b"wireguard").unwrap();
            veth[at..at + 9].copy_from_slice(b"veth\0\0\0\0\0");
            assert_eq!(parse_link(&veth), None);
        }
    }

    /// IFLA_BAREUDP_PORT, which is in network order; drivers/net/bareudp.c opens a socket for both families.
    #[test]
    fn the_port_of_a_bareudp_interface() {
        let attribute = |kind: u16, value: &[u8]| {
            let mut bytes = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let mut message = vec![0; 16];
        message[8..12].copy_from_slice(&1_u32.to_ne_bytes());
        message.extend(attribute(3, b"bu0\0"));
        let data = attribute(2, &attribute(1, &6635_u16.to_be_bytes()));
        message.extend(attribute(18, &[attribute(1, b"bareudp\0"), data].concat()));
        let link = parse_link(&message).unwrap();
        assert_eq!((link.kind, link.port, link.family), (KernelSocketKind::Bareudp, Some(6635), None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(link) = parse_link(&bytes) {
                let _ = link.claims();
            }
        }
    }
}
