//! Socket lists of the macOS kernel. The first byte selects the parser.
#![no_main]

use allears::Protocol;
use allears::internals::system::{self, KernelSocket};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let protocol = match kind % 4 {
        0 => Protocol::Tcp,
        1 => Protocol::Udp,
        3 => {
            let (sockets, unread) = system::netstat(bytes);
            // A row has seven words at least, and ends its line.
            assert!(sockets.len() * 14 <= bytes.len() + 1 && unread * 4 <= bytes.len());
            assert!(sockets.iter().all(|(socket, _)| socket.endpoint.port() != Some(0)));
            return;
        }
        _ => {
            if let Some(socket) = system::socket_fdinfo(bytes) {
                assert!(socket.open && socket.last_users.is_none());
                check(&socket);
            }
            return;
        }
    };
    if let Some((sockets, unread, _settled)) = system::pcblist(bytes, protocol) {
        // A record is longer than the header, which has 24 bytes.
        assert!((sockets.len() + unread) * 24 <= bytes.len());
        for socket in &sockets {
            assert_eq!(socket.socket.protocol, protocol);
            assert_eq!(socket.open, socket.last_users.is_some());
            check(socket);
        }
    }
});

fn check(told: &KernelSocket) {
    assert_ne!(told.socket.endpoint.port(), Some(0));
    let address = told.socket.endpoint.address().expect("an internet socket");
    if told.scope.is_some() {
        assert!(address.is_ipv6() && told.scope != Some(0));
    }
}
