//! Replies of the kernel over netlink. The first byte selects the parser.
#![no_main]

use allears::Protocol;
use allears::internals::system;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let mut sockets = system::InetSockets::default();
    match kind % 9 {
        0 => {
            let mut messages = 0;
            system::datagram(bytes, system::SOCK_DIAG, |message| {
                messages += 1;
                sockets.push(message, Protocol::Tcp);
                system::unix_message(message);
            });
            assert!(sockets.count() <= messages);
            // A message has a header of 16 bytes.
            assert!(messages * 16 <= bytes.len());
        }
        1 => {
            system::datagram(bytes, system::LINK, |message| {
                system::link_port(message);
            });
        }
        2 => assert_eq!(sockets.push(bytes, Protocol::Tcp), sockets.count() == 1),
        3 => assert_eq!(sockets.push(bytes, Protocol::Udp), sockets.count() == 1),
        4 => {
            if let Some((_, Some(path))) = system::unix_message(bytes) {
                assert!(path.as_bytes().len() <= bytes.len());
            }
        }
        5 => {
            system::link_port(bytes);
        }
        8 => {
            // Each takes four bytes at least in any of the seven forms.
            assert!(system::kernel_sockets(bytes) <= bytes.len() * 7);
        }
        7 => {
            system::nftables_message(bytes);
        }
        // An attribute has a header of four bytes.
        _ => assert!(system::attributes(bytes) * 4 <= bytes.len()),
    }
});
