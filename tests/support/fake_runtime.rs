//! A fake container runtime: its socket never answers, answers nonsense, or never stops answering. It counts its
//! connections.

use super::folder;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A Unix socket in the place of a runtime's.
pub(crate) struct FakeRuntime {
    /// The value for `DOCKER_HOST`.
    pub(crate) host: String,
    /// The path of the socket.
    pub(crate) path: String,
    connections: Arc<AtomicUsize>,
}

/// What it does with each connection.
#[derive(Clone, Debug)]
pub(crate) enum Behavior {
    /// Accepts it and never answers.
    Silent,
    /// Reads the request, replies with this and hangs up.
    Replies(Vec<u8>),
    /// Sends this head, and then so many bytes of one value, as fast as they are read.
    Floods(Vec<u8>, usize, u8),
    /// Sends an endless answer, one byte every 50 ms.
    Drips,
}

impl FakeRuntime {
    /// Listens on a socket to which every user may connect.
    pub(crate) fn new(behavior: Behavior) -> Self {
        let path = folder().join(format!("runtime-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let listener = UnixListener::bind(&path).expect("listen on a Unix socket");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666))
            .expect("allow every user to connect");
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        // The thread ends with the test run.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let behavior = behavior.clone();
                std::thread::spawn(move || serve(stream, &behavior));
            }
        });
        let path = path.display().to_string();
        Self { host: format!("unix://{path}"), path, connections }
    }

    /// Returns how many connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Serves one connection until the peer hangs up or everything is sent.
fn serve(mut stream: UnixStream, behavior: &Behavior) {
    let mut request = [0_u8; 4096];
    let _request = stream.read(&mut request);
    match behavior {
        Behavior::Silent => {
            let _until_it_hangs_up = stream.read_to_end(&mut Vec::new());
        }
        Behavior::Replies(bytes) => {
            let _may_have_hung_up = stream.write_all(bytes);
        }
        Behavior::Floods(head, length, fill) => {
            let part = vec![*fill; 65_536];
            let mut sent = stream.write_all(head);
            for _ in 0..length / part.len() {
                if sent.is_err() {
                    return;
                }
                sent = stream.write_all(&part);
            }
        }
        Behavior::Drips => {
            let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[");
            while sent.is_ok() {
                std::thread::sleep(std::time::Duration::from_millis(50));
                sent = stream.write_all(b" ");
            }
        }
    }
}
