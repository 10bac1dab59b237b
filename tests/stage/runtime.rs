//! What a container runtime's socket may turn out to be: one that never answers, answers nonsense, or never
//! stops answering. It counts who asks.

use super::place::folder;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A socket in place of a runtime's.
pub(crate) struct Odd {
    /// What DOCKER_HOST has to be.
    pub(crate) host: String,
    /// Where it is.
    pub(crate) path: String,
    asked: Arc<AtomicUsize>,
}

/// What it does with a connection.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// Takes it, and nothing more.
    Silent,
    /// Reads the request, says this and hangs up.
    Says(Vec<u8>),
    /// Says this, and then this many bytes of `fill`, as fast as they are taken.
    Floods(Vec<u8>, usize, u8),
    /// Says a byte of an endless answer every so often.
    Drips,
}

impl Odd {
    /// Listens, where every user may connect.
    pub(crate) fn new(manner: Manner) -> Self {
        let path = folder().join(format!("runtime-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let listener = UnixListener::bind(&path).expect("listen on a Unix socket");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("let everyone in");
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        // Ends with the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let manner = manner.clone();
                std::thread::spawn(move || answer(stream, &manner));
            }
        });
        let path = path.display().to_string();
        Self { host: format!("unix://{path}"), path, asked }
    }

    /// How many connections it has taken.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Until the other side has gone, or all is said.
fn answer(mut stream: UnixStream, manner: &Manner) {
    let mut request = [0_u8; 4096];
    let _whatever_is_asked = stream.read(&mut request);
    match manner {
        Manner::Silent => {
            let _until_it_hangs_up = stream.read_to_end(&mut Vec::new());
        }
        Manner::Says(bytes) => {
            let _may_have_hung_up = stream.write_all(bytes);
        }
        Manner::Floods(head, length, fill) => {
            let part = vec![*fill; 65_536];
            let mut sent = stream.write_all(head);
            for _ in 0..length / part.len() {
                if sent.is_err() {
                    return;
                }
                sent = stream.write_all(&part);
            }
        }
        Manner::Drips => {
            let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[");
            while sent.is_ok() {
                std::thread::sleep(std::time::Duration::from_millis(50));
                sent = stream.write_all(b" ");
            }
        }
    }
}
