use proptest::prelude::*;

use super::*;

#[test]
fn local_endpoints_of_rxrpc() {
    // Read on Linux 6.12.118 and 7.3.4, with the module kafs.
    let locals = b"Proto Local                                           Use Act RxQ\n\
                   UDP   [::]:7001                                        11   1   0\n";
    let claims = parse_rxrpc(locals);
    assert_eq!(claims.len(), 1);
    assert_eq!((claims[0].port, claims[0].family), (Some(7001), Some(Family::Ipv6)));
    assert_eq!(claims[0].bound, Bound::Wildcard);
    assert_eq!(parse_rxrpc(b"UDP   127.0.0.1:7002  1 1 0\n")[0].bound, Bound::Address([127, 0, 0, 1].into()));
}

#[test]
fn ports_of_the_nfs_server() {
    let told: Vec<_> = parse_portlist(b"tcp 2049\nudp 2050\nrdma 20049\n")
        .into_iter()
        .map(|claim| (claim.protocol, claim.port))
        .collect();
    assert_eq!(told, [(Protocol::Tcp, Some(2049)), (Protocol::Udp, Some(2050))]);
    assert_eq!(parse_portlist(b"\n"), []);
}

#[test]
fn the_port_of_ksmbd() {
    // Read on Linux 6.12.118 and 7.3.4, before and after ksmbd.mountd was started.
    assert_eq!(parse_ksmbd(b"2 startup 0 0\n"), None);
    assert_eq!(parse_ksmbd(b"2 startup 4450 0\n"), None);
    let claim = parse_ksmbd(b"2 running 4450 0\n").unwrap();
    assert_eq!((claim.protocol, claim.port, claim.bound), (Protocol::Tcp, Some(4450), Bound::Interface));
}

fn answer(registrations: &[(u32, &str, &str, &str)]) -> Vec<u8> {
    let mut bytes: Vec<u8> = [1_u32, 1, 0, 0, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
    for (program, network, address, owner) in registrations {
        for number in [1, *program, 4] {
            bytes.extend(u32::to_be_bytes(number));
        }
        for text in [network, address, owner] {
            bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
            bytes.extend(text.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
    }
    bytes.extend([0; 4]);
    bytes
}

#[test]
fn registrations_of_the_lock_manager() {
    let listed = answer(&[
        (100_000, "local", "/run/rpcbind.sock", "superuser"),
        (100_003, "tcp", "0.0.0.0.8.1", "superuser"),
        (100_021, "udp", "0.0.0.0.159.67", "superuser"),
        (100_021, "tcp6", "::.174.175", "superuser"),
        (100_021, "tcp6", "::.174.175", "superuser"),
        (100_021, "tcp", "0.0.0.0.8.2", "1000"),
    ]);
    let told: Vec<_> = parse_registrations(&listed)
        .into_iter()
        .map(|claim| (claim.protocol, claim.port, claim.family))
        .collect();
    assert_eq!(
        told,
        [(Protocol::Udp, Some(40771), Some(Family::Ipv4)), (Protocol::Tcp, Some(44719), Some(Family::Ipv6))]
    );
    let mut refused = listed;
    refused[11] = 1;
    assert_eq!(parse_registrations(&refused), []);
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_rxrpc(&bytes);
        let _ = parse_portlist(&bytes);
        let _ = parse_ksmbd(&bytes);
        let _ = parse_registrations(&bytes);
        let _ = parse_registrations(&[&answer(&[(100_021, "tcp", "a", "b")])[..24], &bytes].concat());
    }
}
