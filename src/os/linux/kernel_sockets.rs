//! Sockets that the kernel itself holds: no process has them open.

use super::netlink::{attributes, dump, u16_at};

/// The UDP ports of this namespace's vxlan and geneve links: the kernel itself receives there.
pub(super) fn kernel_ports() -> Vec<u16> {
    const RTM_NEWLINK: u16 = 16;
    const RTM_GETLINK: u16 = 18;
    // struct ifinfomsg: any family, any link.
    let request = [0; 16];
    let ports = std::cell::RefCell::new(Vec::new());
    let mut each = |message: &[u8]| ports.borrow_mut().extend(link_port(message));
    match dump(None, RTM_GETLINK, &request, RTM_NEWLINK, &mut each, &mut || ports.borrow_mut().clear()) {
        Ok(()) => ports.into_inner(),
        Err(_) => Vec::new(),
    }
}

/// The port of a tunnel in an RTM_NEWLINK message (linux/if_link.h).
pub(super) fn link_port(message: &[u8]) -> Option<u16> {
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_INFO_KIND: u16 = 1;
    const IFLA_INFO_DATA: u16 = 2;
    const IFLA_VXLAN_PORT: u16 = 15;
    const IFLA_GENEVE_PORT: u16 = 5;
    let mut info = Vec::new();
    attributes(message.get(16..)?, |kind, value| {
        if kind == IFLA_LINKINFO {
            info = value.to_vec();
        }
    });
    let mut name = Vec::new();
    let mut data = Vec::new();
    attributes(&info, |kind, value| match kind {
        IFLA_INFO_KIND => name = value.strip_suffix(b"\0").unwrap_or(value).to_vec(),
        IFLA_INFO_DATA => data = value.to_vec(),
        _ => {}
    });
    let wanted = match name.as_slice() {
        b"vxlan" => IFLA_VXLAN_PORT,
        b"geneve" => IFLA_GENEVE_PORT,
        _ => return None,
    };
    let mut port = None;
    attributes(&data, |kind, value| {
        if kind == wanted {
            port = u16_at(value, 0).map(u16::from_be);
        }
    });
    port
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = link_port(&bytes);
        }
    }
}
