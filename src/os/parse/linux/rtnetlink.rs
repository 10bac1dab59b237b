//! Messages of rtnetlink(7) about links, addresses and ids of namespaces. Pure. `kernel_sockets::link_message` reads the links
//! that have sockets.

use std::net::IpAddr;

use super::netlink::{attributes, u32_at};

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
// Flags of an address (linux/if_addr.h).
const IFA_F_OPTIMISTIC: u32 = 0x04;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_TENTATIVE: u32 = 0x40;
/// struct ifaddrmsg of linux/if_addr.h; the interface's number is its last field.
pub(in crate::os) const ADDRESS_HEADER: usize = 8;

/// Whether an address of this machine can be bound. Only Linux reports anything but [`Usability::Usable`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Usability {
    /// It can be bound, as far as the system reports. An optimistic address (RFC 4429) is one of these.
    #[default]
    Usable,
    /// Duplicate address detection (RFC 4862) has not ended. Until then the kernel refuses to bind it.
    Tentative,
    /// Duplicate address detection found another machine that has it. The kernel refuses to bind it.
    Duplicate,
}

/// Returns whether an RTM_NEWLINK message (rtnetlink(7), linux/if_link.h) describes the host's end of a container's
/// link: a veth that is a bridge's port, or one with a name that Docker, Podman, CNI plugins, Calico and Cilium choose.
/// The container's end, usually `eth0`, is another one.
pub(in crate::os) fn is_containers_link(message: &[u8]) -> bool {
    const IFLA_IFNAME: u16 = 3;
    const IFLA_MASTER: u16 = 10;
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_INFO_KIND: u16 = 1;
    let (mut is_veth, mut is_port, mut is_named) = (false, false, false);
    attributes(message.get(16..).unwrap_or_default(), |kind, value| match kind {
        IFLA_IFNAME => {
            is_named = [&b"veth"[..], b"cali", b"lxc"].iter().any(|prefix| value.starts_with(prefix));
        }
        IFLA_MASTER => is_port = true,
        IFLA_LINKINFO => attributes(value, |kind, value| {
            is_veth |= kind == IFLA_INFO_KIND && value.strip_suffix(b"\0").unwrap_or(value) == b"veth";
        }),
        _ => {}
    });
    is_veth && (is_port || is_named)
}

/// Returns whether a link in an RTM_NEWLINK message is connected to another namespace. `None` for the kinds that every
/// namespace has of its own: loopback, and tunnels without an end.
#[cfg(feature = "cli")]
pub(in crate::os) fn leads_elsewhere(message: &[u8]) -> Option<bool> {
    const IFLA_LINK_NETNSID: u16 = 37;
    /// ARPHRD_TUNNEL, TUNNEL6, LOOPBACK, SIT, IPGRE and IP6GRE of linux/if_arp.h.
    const EVERYWHERE: [u16; 6] = [768, 769, 772, 776, 778, 823];
    let kind = super::netlink::u16_at(message, 2)?;
    if EVERYWHERE.contains(&kind) {
        return None;
    }
    let mut leads = false;
    attributes(message.get(16..)?, |attribute, _| leads |= attribute == IFLA_LINK_NETNSID);
    Some(leads)
}

/// Returns the id that a namespace has for another one, from an RTM_NEWNSID message (linux/net_namespace.h). `None` if it has
/// none.
pub(in crate::os) fn namespace_id(message: &[u8]) -> Option<i32> {
    const NETNSA_NSID: u16 = 1;
    let mut number = None;
    // struct rtgenmsg and its padding.
    attributes(message.get(4..)?, |kind, value| {
        if kind == NETNSA_NSID {
            number = u32_at(value, 0).map(u32::cast_signed);
        }
    });
    number.filter(|number| *number >= 0)
}

/// Returns the address in an RTM_NEWADDR message, the number of its interface, and whether it can be bound. Of a
/// point-to-point link IFA_ADDRESS is the other end's.
pub(in crate::os) fn address(message: &[u8]) -> Option<(IpAddr, u32, Usability)> {
    let index = u32::from_ne_bytes(message.get(4..ADDRESS_HEADER)?.try_into().ok()?);
    // The header holds the lower eight flags only; IFA_FLAGS holds all of them.
    let mut flags = u32::from(*message.get(2)?);
    let (mut own, mut other) = (None, None);
    attributes(message.get(ADDRESS_HEADER..)?, |kind, value| match kind {
        IFA_LOCAL => own = ip(value),
        IFA_ADDRESS => other = ip(value),
        IFA_FLAGS => flags = value.try_into().map_or(flags, u32::from_ne_bytes),
        _ => {}
    });
    own.or(other).map(|address| (address, index, usability(address, flags)))
}

/// Returns whether the kernel lets an address with these flags be bound (ipv6_chk_addr_and_flags() in
/// net/ipv6/addrconf.c: a tentative address is refused, unless it is optimistic too). An address that is a duplicate
/// stays tentative.
fn usability(address: IpAddr, flags: u32) -> Usability {
    let has = |flag: u32| flags & flag != 0;
    match () {
        () if address.is_ipv4() || !has(IFA_F_TENTATIVE) => Usability::Usable,
        () if has(IFA_F_DADFAILED) => Usability::Duplicate,
        () if has(IFA_F_OPTIMISTIC) => Usability::Usable,
        () => Usability::Tentative,
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(value.len() + 4).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// Returns an RTM_NEWLINK message of a link of this hardware type.
    fn link(hardware: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut message = vec![0; 2];
        message.extend(hardware.to_ne_bytes());
        message.resize(16, 0);
        message.extend(attributes.concat());
        message
    }

    #[test]
    fn links_of_containers() {
        const ETHERNET: u16 = 1;
        let name = |name: &str| attribute(3, format!("{name}\0").as_bytes());
        let kind = |kind: &str| attribute(18, &attribute(1, format!("{kind}\0").as_bytes()));
        let bridge = || attribute(10, &7_u32.to_ne_bytes());
        let is = |attributes: &[Vec<u8>]| is_containers_link(&link(ETHERNET, attributes));
        assert!(is(&[name("veth1f0"), kind("veth")]));
        assert!(is(&[name("x"), bridge(), kind("veth")]));
        assert!(!is(&[name("eth0"), kind("veth")]), "the container's end");
        assert!(!is(&[name("veth1f0"), bridge(), kind("dummy")]));
        let of_its_port = attribute(18, &attribute(4, b"veth\0"));
        assert!(!is(&[name("veth1f0"), of_its_port]), "IFLA_INFO_SLAVE_KIND is the kind of its bridge");
        assert!(!is_containers_link(b""));
    }

    #[cfg(feature = "cli")]
    #[test]
    fn links_of_a_container_lead_elsewhere() {
        let link = |hardware, attributes: &[u16]| {
            let attributes: Vec<Vec<u8>> = attributes.iter().map(|kind| attribute(*kind, &[0; 4])).collect();
            link(hardware, &attributes)
        };
        assert_eq!(leads_elsewhere(&link(772, &[])), None, "loopback");
        assert_eq!(leads_elsewhere(&link(1, &[37])), Some(true));
        assert_eq!(leads_elsewhere(&link(1, &[5])), Some(false), "a link of this namespace");
        assert_eq!(leads_elsewhere(&link(1, &[])), Some(false), "a card");
        assert_eq!(leads_elsewhere(b"ab"), None);
    }

    #[test]
    fn ids_of_namespaces() {
        let message = |id: i32| {
            let bytes = [&[0; 4][..], &8_u16.to_ne_bytes(), &1_u16.to_ne_bytes(), &id.to_ne_bytes()];
            bytes.concat()
        };
        assert_eq!((namespace_id(&message(3)), namespace_id(&message(0))), (Some(3), Some(0)));
        assert_eq!(namespace_id(&message(-1)), None, "it is not assigned");
        assert_eq!(namespace_id(b""), None);
        let with_another = [&message(3)[..], &attribute(4, &7_i32.to_ne_bytes())].concat();
        assert_eq!(namespace_id(&with_another), Some(3), "NETNSA_TARGET_NSID is another one");
    }

    #[test]
    fn addresses_of_links() {
        let message = |flags: u8, attributes: &[Vec<u8>]| {
            [&[0, 64, flags, 0][..], &5_u32.to_ne_bytes(), &attributes.concat()].concat()
        };
        let own: IpAddr = "10.0.0.1".parse().unwrap();
        let point_to_point = [attribute(IFA_ADDRESS, &[10, 0, 0, 2]), attribute(IFA_LOCAL, &[10, 0, 0, 1])];
        assert_eq!(address(&message(0, &point_to_point)), Some((own, 5, Usability::Usable)));
        let one = IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1]);
        let bytes = attribute(IFA_ADDRESS, &[&[0xfd, 0][..], &[0; 13], &[1]].concat());
        let tentative = u8::try_from(IFA_F_TENTATIVE).unwrap();
        assert_eq!(
            address(&message(tentative, std::slice::from_ref(&bytes))),
            Some((one, 5, Usability::Tentative))
        );
        // All flags are in IFA_FLAGS: here IFA_F_NOPREFIXROUTE, and none of the lower eight.
        let flags = attribute(IFA_FLAGS, &0x200_u32.to_ne_bytes());
        assert_eq!(address(&message(tentative, &[bytes.clone(), flags])), Some((one, 5, Usability::Usable)));
        let flags = attribute(IFA_FLAGS, &(0x200 | IFA_F_TENTATIVE).to_ne_bytes());
        assert_eq!(address(&message(0, &[bytes, flags])), Some((one, 5, Usability::Tentative)));
        assert_eq!(address(&message(0, &[])), None);
    }

    #[test]
    fn address_flags() {
        let v6 = IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(usability(v6, 0x80), Usability::Usable);
        assert_eq!(usability(v6, IFA_F_TENTATIVE), Usability::Tentative);
        assert_eq!(usability(v6, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC), Usability::Usable);
        assert_eq!(usability(v6, IFA_F_TENTATIVE | IFA_F_DADFAILED), Usability::Duplicate);
        assert_eq!(usability(IpAddr::from([10, 0, 0, 1]), IFA_F_TENTATIVE), Usability::Usable);
    }

    proptest! {
        #[test]
        fn any_bytes(message: Vec<u8>) {
            let _ = (is_containers_link(&message), namespace_id(&message), address(&message));
            #[cfg(feature = "cli")]
            let _ = leads_elsewhere(&message);
        }
    }
}
