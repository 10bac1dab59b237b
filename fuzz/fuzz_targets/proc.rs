//! Files of /proc: any bytes, and lines as the kernel writes them with any name or path in them. The first byte
//! selects the parser.
#![no_main]

use allears::internals::system;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 8 {
        0 => {
            system::stat(bytes);
        }
        1 => assert!(system::inet_table(bytes) <= lines(bytes)),
        2 => assert!(system::unix_table(bytes).len() <= lines(bytes)),
        3 => {
            let arguments = system::arguments(bytes);
            let whole = arguments.iter().map(|argument| argument.as_bytes()).collect::<Vec<_>>().join(&0);
            // What is left out is the end of the last one, and padding.
            assert!(bytes.starts_with(&whole));
            assert!(bytes[whole.len()..].iter().all(|byte| *byte == 0));
        }
        4 => assert!(system::ring_sockets(bytes).len() <= lines(bytes)),
        5 => {
            system::waiting_descriptors(bytes);
        }
        6 => stat_with_name(bytes),
        _ => unix_socket_with_path(bytes),
    }
});

fn lines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count()
}

/// A process may give itself any name.
fn stat_with_name(name: &[u8]) {
    let rest = b") S 1 2 3 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0";
    let line = [b"42 (", name, rest].concat();
    assert_eq!(system::stat(&line), Some((name.to_vec(), 777)));
}

/// A socket's path may be anything. A NUL ends it, and the kernel writes a line end as it is.
fn unix_socket_with_path(bytes: &[u8]) {
    let Some((inode, path)) = bytes.split_first_chunk() else { return };
    let inode = u32::from_ne_bytes(*inode);
    if path.is_empty() || path.iter().any(|byte| matches!(byte, 0 | b'\n')) {
        return;
    }
    let head = format!("head\n0000000000000000: 00000002 00000000 00010000 0001 01 {inode:5} ");
    let table = [head.as_bytes(), path, b"\n"].concat();
    assert_eq!(system::unix_table(&table), [(u64::from(inode), Some(path.into()))]);
}
