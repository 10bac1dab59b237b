//! Messages of nftables: chains, rules and elements of sets, and a connection that is followed through them. Each message
//! has its kind and its length in front, the length in two bytes.
#![no_main]

use std::net::IpAddr;

use allears::Protocol;
use allears::internals::system;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(([protocol, high, low], mut rest)) = bytes.split_first_chunk() else { return };
    let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp][usize::from(*protocol) % 3];
    let port = u16::from_be_bytes([*high, *low]);
    let mut messages: Vec<(u8, &[u8])> = Vec::new();
    while let Some(([kind, high, low], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        messages.push((kind % 3, &after[..length]));
        rest = &after[length..];
    }
    let addresses: Vec<IpAddr> = ["127.0.0.1", "10.0.0.1", "::1", "fd00::1"]
        .map(|address| address.parse().expect("an address"))
        .to_vec();
    let (rules, unread) = system::nftables_forwarding(&messages, (protocol, port, &addresses));
    for rule in &rules {
        // A rule concerns addresses of this machine alone.
        assert!(!rule.addresses.is_empty());
        assert!(rule.addresses.iter().all(|address| addresses.contains(address)), "{rule:?}");
    }
    // Without a chain where the kernel begins, nothing is passed on.
    let without: Vec<(u8, &[u8])> = messages.iter().copied().filter(|(kind, _)| *kind != 0).collect();
    assert_eq!(system::nftables_forwarding(&without, (protocol, port, &addresses)), (Vec::new(), 0));
    // No address, no connection.
    assert_eq!(system::nftables_forwarding(&messages, (protocol, port, &[])).0, Vec::new());
    let again = system::nftables_forwarding(&messages, (protocol, port, &addresses));
    assert_eq!(again, (rules, unread));
});
