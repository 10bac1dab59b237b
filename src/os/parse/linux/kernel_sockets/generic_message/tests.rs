use proptest::prelude::*;

use super::super::bytes_of_hex as bytes;
use super::*;

/// Recorded on Linux 6.12.118, little-endian: `ip fou add port 5558 gue local 127.0.0.1`, `port 5557 ipproto 41 -6`,
/// `port 5555 ipproto 4`.
#[cfg(target_endian = "little")]
#[test]
fn receive_ports_of_fou() {
    let gue = bytes(
        "0301000005000200020000000600010015b6000006000a00000000000500030000000000050004000200000008000b0000000000\
         080006007f0000010800080000000000",
    );
    let claims = read_message(Message::Fou, &gue);
    assert_eq!(claims.len(), 1);
    assert_eq!((claims[0].port, claims[0].family), (Some(5558), Some(Family::Ipv4)));
    assert_eq!(claims[0].bound, Bound::Address("127.0.0.1".parse().unwrap()));
    assert_eq!(claims[0].kernel.kind, KernelSocketKind::Gue);
    let of_ipv6 = bytes(
        "03010000050002000a0000000600010015b5000006000a00000000000500030029000000050004000100000008000b0000000000\
         14000700000000000000000000000000000000001400090000000000000000000000000000000000",
    );
    let claims = read_message(Message::Fou, &of_ipv6);
    assert_eq!((claims[0].port, claims[0].family), (Some(5557), Some(Family::Ipv6)));
    assert_eq!(claims[0].bound, Bound::Wildcard);
    assert_eq!(claims[0].kernel.kind, KernelSocketKind::Fou);
}

/// Recorded on Linux 6.12.118: tunnel 3000 over UDP from 127.0.0.1 port 5000, and tunnel 3002 over IP.
#[cfg(target_endian = "little")]
#[test]
fn tunnels_of_l2tp() {
    let over_udp = bytes(
        "04010000050007000300000008000900b80b000008000a00a00f0000080011000000000006000200000000007c001e000c000100\
         00000000000000000c00020000000000000000000c00030000000000000000000c00040000000000000000000c00050000000000\
         000000000c00060000000000000000000c000a0000000000000000000c00070000000000000000000c0008000000000000000000\
         0c000b00000000000000000005000d000000000006001a008813000006001b0070170000080018007f000001080019007f000001",
    );
    let claims = read_message(Message::L2tp, &over_udp);
    assert_eq!(claims.len(), 1);
    assert_eq!((claims[0].port, claims[0].kernel.id), (Some(5000), Some(3000)));
    assert_eq!(claims[0].bound, Bound::Address("127.0.0.1".parse().unwrap()));
    let over_ip = bytes(
        "04010000050007000300000008000900ba0b000008000a00a20f0000080011000000000006000200010000007c001e000c000100\
         00000000000000000c00020000000000000000000c00030000000000000000000c00040000000000000000000c00050000000000\
         000000000c00060000000000000000000c000a0000000000000000000c00070000000000000000000c0008000000000000000000\
         0c000b000000000000000000080018007f000001080019007f000001",
    );
    assert_eq!(read_message(Message::L2tp, &over_ip), []);
}

/// Recorded on Linux 7.3.4: `ip mptcp endpoint add 127.0.0.1 dev lo signal port 7777`, `::1 signal port 7778`,
/// `127.0.0.2 subflow`.
#[cfg(target_endian = "little")]
#[test]
fn endpoints_of_mptcp() {
    let claims = read_message(
        Message::Mptcp,
        &bytes(
            "0301000034000180060001000200000006000500611e0000050002000100000008000600010000000800070001000000\
             080003007f000001",
        ),
    );
    assert_eq!(claims.len(), 1);
    assert_eq!((claims[0].port, claims[0].kernel.id), (Some(7777), Some(1)));
    assert_eq!(claims[0].bound, Bound::Address("127.0.0.1".parse().unwrap()));
    let claims = read_message(
        Message::Mptcp,
        &bytes(
            "0301000038000180060001000a00000006000500621e0000050002000200000008000600010000001400040000000000\
             000000000000000000000001",
        ),
    );
    assert_eq!(claims[0].bound, Bound::Address("::1".parse().unwrap()));
    let without_port = bytes(
        "030100002c0001800600010002000000060005000000000005000200030000000800060002000000080003007f000002",
    );
    assert_eq!(read_message(Message::Mptcp, &without_port), []);
}

/// Recorded on Linux 7.3.4: an NFS server on port 2049, both families.
#[cfg(target_endian = "little")]
#[test]
fn listeners_of_the_nfs_server() {
    let address = |family: &str| format!("{family}0801{}", "00".repeat(124));
    let listener =
        |family: &str| format!("9000018008000200746370008400 0100{}", address(family)).replace(' ', "");
    let message = format!("07010000{}{}", listener("0a00"), listener("0200"));
    let claims = read_message(Message::Nfsd, &bytes(&message));
    let parsed: Vec<_> = claims.iter().map(|claim| (claim.protocol, claim.port, claim.family)).collect();
    assert_eq!(
        parsed,
        [(Protocol::Tcp, Some(2049), Some(Family::Ipv6)), (Protocol::Tcp, Some(2049), Some(Family::Ipv4))]
    );
    assert!(claims.iter().all(|claim| claim.bound == Bound::Wildcard));
    assert_eq!(read_message(Message::Nfsd, &bytes("07010000")), []);
    let of_transport = |name: &str| {
        let message =
            message.replace("74637000", &name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>());
        read_message(Message::Nfsd, &bytes(&message))
            .into_iter()
            .map(|claim| claim.protocol)
            .collect::<Vec<_>>()
    };
    assert_eq!(of_transport("udp\0"), [Protocol::Udp; 2]);
    assert_eq!(of_transport("rdm\0"), [], "it has no socket");
}

/// Recorded on Linux 6.12.118, with other keys.
#[cfg(target_endian = "little")]
#[test]
fn the_port_of_wireguard() {
    let device = format!(
        "00010000060006006cca00000800070000000000080001000a0000000800020077673000240003{}240004{}",
        "00".repeat(33),
        "01".repeat(33)
    );
    assert_eq!(wireguard_port(&bytes(&device)), Some(51820));
    assert_eq!(wireguard_port(&[0; 4]), None);
}

/// CTRL_CMD_NEWFAMILY: the attributes of the number and of the name (linux/genetlink.h).
#[test]
fn numbers_of_families() {
    let attribute = |kind: u16, value: &[u8]| {
        let length = u16::try_from(4 + value.len()).unwrap();
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat()
    };
    let header = [1, 2, 0, 0];
    let (name, number) = (attribute(2, b"fou\0"), attribute(1, &[29_u16.to_ne_bytes(), [0; 2]].concat()));
    assert_eq!(family(&[&header[..], &name, &number].concat()), Some((b"fou".to_vec(), 29)));
    assert_eq!(family(&[&header[..], &name].concat()), None);
    assert_eq!(family(&[&header[..], &number].concat()), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for message in [Message::Fou, Message::L2tp, Message::Mptcp, Message::Nfsd] {
            let _ = read_message(message, &bytes);
        }
        let _ = wireguard_port(&bytes);
    }
}
