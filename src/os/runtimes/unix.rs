//! Queries container runtimes at their sockets; `containers` interprets the replies.
//!
//! Each query runs on its own thread, which is abandoned if the runtime does not reply in time. A socket on a file
//! system that may not answer is not queried, because a thread that waits there would keep the process from exiting.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Instant;

use nix::unistd::{Uid, User};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::model::{Text, UnreadableReply};
use crate::os::parse::unix::subuid;
use crate::os::{ConnectAs, Reply, RuntimeError, RuntimeKind, files, privileges, services, threads};

/// The request for the containers that run. A server answers HTTP/1.0 in one piece and closes.
const REQUEST: &[u8] = b"GET /containers/json HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// The longest reply that is accepted.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Returns the sockets of the system's runtime, or of one user's.
pub(in crate::os) fn sockets(kind: RuntimeKind, user: Option<u32>) -> Vec<PathBuf> {
    let (system, own) = match kind {
        RuntimeKind::Docker => ("/var/run/docker.sock", "docker.sock"),
        RuntimeKind::Podman => ("/run/podman/podman.sock", "podman/podman.sock"),
    };
    let Some(uid) = user.filter(|uid| *uid != 0) else { return vec![system.into()] };
    let mut paths = vec![PathBuf::from(format!("/run/user/{uid}/{own}"))];
    let home = User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.dir);
    if let (RuntimeKind::Docker, Some(home)) = (kind, home) {
        // Docker Desktop, and what was made by hand like it.
        paths.push(home.join(".docker/run/docker.sock"));
    }
    paths
}

/// Returns the user to whom /etc/subuid gives the range that a uid is in (subuid(5)): processes in a rootless container
/// run with such uids.
pub(in crate::os) fn subuid_owner(uid: u32) -> u32 {
    let owner = std::fs::read("/etc/subuid").ok().and_then(|bytes| subuid::owner(&bytes, uid));
    let Some(name) = owner else { return uid };
    match (name.parse(), User::from_name(&name)) {
        (_, Ok(Some(user))) => user.uid.as_raw(),
        (Ok(number), _) => number,
        _ => uid,
    }
}

/// A connection after its reply.
type Exchange = Result<(Vec<u8>, Socket), RuntimeError>;

/// Returns the reply of each of these sockets. A path at which there is nothing is absent.
pub(in crate::os) fn ask(
    sockets: &[(PathBuf, ConnectAs)],
    until: Instant,
) -> Vec<Result<Reply, RuntimeError>> {
    let (send, receive) = mpsc::channel();
    let mut refused = Vec::new();
    let paths: Vec<PathBuf> = sockets.iter().map(|(path, _)| path.clone()).collect();
    let local = files::sys::certainly_local(&paths);
    for ((at, (path, connect_as)), local) in sockets.iter().enumerate().zip(local) {
        if !local {
            let reason = UnreadableReply::RemoteFileSystem;
            let _ = send.send((at, Err(RuntimeError::Unreadable(reason))));
            continue;
        }
        let user = user(path, *connect_as);
        let (own, path) = (send.clone(), path.clone());
        let asked = threads::detach("runtime", move || {
            privileges::confine(user);
            let _ = own.send((at, exchange(&path, until)));
        });
        if asked.is_err() {
            refused.push((at, user));
        }
    }
    // Without threads one after another, each for as long as is left.
    for (at, user) in refused {
        if let Some((path, _)) = sockets.get(at) {
            let _ = send.send((at, privileges::confined(user, || exchange(path, until))));
        }
    }
    drop(send);
    let mut answers: Vec<Option<Exchange>> = sockets.iter().map(|_| None).collect();
    while answers.iter().any(Option::is_none) {
        let left = until.saturating_duration_since(Instant::now());
        let Ok((at, answer)) = receive.recv_timeout(left) else { break };
        if let Some(place) = answers.get_mut(at) {
            *place = Some(answer);
        }
    }
    let reply = |answer: Option<Exchange>| {
        let (bytes, socket) = answer.unwrap_or(Err(RuntimeError::Timeout))?;
        // This takes the rights that the thread of the exchange has given up.
        Ok(Reply { bytes, here: services::sys::shares_network(&socket) })
    };
    answers.into_iter().map(reply).collect()
}

/// Returns the user by whose rights the socket is opened, if it is not this process's own.
fn user(path: &Path, connect_as: ConnectAs) -> Option<u32> {
    match connect_as {
        ConnectAs::Root => None,
        ConnectAs::User(uid) => Some(uid),
        ConnectAs::Owner => Some(std::fs::metadata(path).ok()?.uid()),
    }
}

fn exchange(path: &Path, until: Instant) -> Exchange {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(runtime_error)?;
    let left = || {
        let left = until.saturating_duration_since(Instant::now());
        // A limit of zero would mean none.
        if left.is_zero() { Err(RuntimeError::Timeout) } else { Ok(left) }
    };
    // On Linux this limits how long a full backlog is waited for, too.
    socket.set_write_timeout(Some(left()?)).map_err(runtime_error)?;
    socket.connect(&SockAddr::unix(path).map_err(runtime_error)?).map_err(runtime_error)?;
    socket.set_write_timeout(Some(left()?)).map_err(runtime_error)?;
    (&socket).write_all(REQUEST).map_err(runtime_error)?;
    let mut bytes = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        socket.set_read_timeout(Some(left()?)).map_err(runtime_error)?;
        let count = match (&socket).read(&mut part) {
            Ok(0) => return Ok((bytes, socket)),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(runtime_error(error)),
        };
        bytes.extend_from_slice(part.get(..count).unwrap_or_default());
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LONGEST {
            return Err(RuntimeError::Unreadable(UnreadableReply::TooLong(LONGEST)));
        }
    }
}

fn runtime_error(error: std::io::Error) -> RuntimeError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::ConnectionRefused => RuntimeError::Absent,
        ErrorKind::PermissionDenied => RuntimeError::Permission,
        ErrorKind::WouldBlock | ErrorKind::TimedOut => RuntimeError::Timeout,
        _ => RuntimeError::Unreadable(UnreadableReply::Connection(Text::from_display(error))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("allears-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(300)
    }

    fn one(path: &Path, until: Instant) -> Result<Reply, RuntimeError> {
        ask(&[(path.to_owned(), ConnectAs::Root)], until).remove(0)
    }

    #[test]
    fn the_reply_is_what_was_sent() {
        let folder = Folder::new("reply");
        let path = folder.0.join("a.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let mut request = vec![0; REQUEST.len()];
            peer.read_exact(&mut request).unwrap();
            peer.write_all(b"HTTP/1.0 200 OK\r\n\r\n").unwrap();
            peer.write_all(b"[]").unwrap();
            request
        });
        let reply = one(&path, Instant::now() + Duration::from_secs(10)).unwrap();
        assert_eq!(reply.bytes, b"HTTP/1.0 200 OK\r\n\r\n[]");
        if cfg!(target_os = "linux") {
            assert_eq!(reply.here, Some(true), "a thread of this process answered");
        }
        assert_eq!(server.join().unwrap(), REQUEST);
    }

    #[test]
    fn a_silent_runtime_times_out() {
        let folder = Folder::new("silence");
        let path = folder.0.join("a.sock");
        // Nobody accepts: the backlog does, as it does for a stopped program.
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        listener.listen(3).unwrap();
        let begun = Instant::now();
        assert_eq!(one(&path, soon()), Err(RuntimeError::Timeout));
        let connect = || {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket.connect(&SockAddr::unix(&path).unwrap()).ok().map(|()| socket)
        };
        let full: Vec<_> = (0..100).map_while(|_| connect()).collect();
        assert!(full.len() < 100, "a backlog of three takes no hundred connections");
        let second = Instant::now();
        let answer = one(&path, soon());
        assert!(
            matches!(answer, Err(RuntimeError::Timeout | RuntimeError::Absent)),
            "a full backlog: {answer:?}"
        );
        assert!(begun.elapsed() >= Duration::from_millis(300));
        assert!(second.elapsed() < Duration::from_secs(5), "{:?}", second.elapsed());
        drop((full, listener));
    }

    #[test]
    fn a_slow_reply_times_out() {
        let folder = Folder::new("trickle");
        let path = folder.0.join("a.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            while peer.write_all(b"H").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        let begun = Instant::now();
        assert_eq!(one(&path, soon()), Err(RuntimeError::Timeout));
        assert!(begun.elapsed() < Duration::from_secs(5));
        server.join().unwrap();
    }

    #[test]
    fn an_endless_reply_is_cut_off() {
        let folder = Folder::new("endless");
        let path = folder.0.join("a.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            while peer.write_all(&[b'x'; 64 * 1024]).is_ok() {}
        });
        let answer = one(&path, Instant::now() + Duration::from_secs(20));
        assert!(matches!(answer, Err(RuntimeError::Unreadable(_))), "{answer:?}");
        server.join().unwrap();
    }

    #[test]
    fn nothing_there() {
        let folder = Folder::new("absent");
        assert_eq!(one(&folder.0.join("a.sock"), soon()), Err(RuntimeError::Absent));
        let file = folder.0.join("file");
        std::fs::write(&file, b"").unwrap();
        assert_eq!(one(&file.join("a.sock"), soon()), Err(RuntimeError::Absent));
        assert_eq!(one(&file, soon()), Err(RuntimeError::Absent), "not a socket");
        assert!(ask(&[], soon()).is_empty());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_users_link_leads_to_nothing_that_only_root_may_use() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        if !Uid::effective().is_root() {
            return;
        }
        let folder = Folder::new("link");
        let (path, link) = (folder.0.join("root.sock"), folder.0.join("link.sock"));
        let listener = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        symlink(&path, &link).unwrap();
        let answer = ask(&[(link.clone(), ConnectAs::User(65_534))], soon()).remove(0);
        assert_eq!(answer, Err(RuntimeError::Permission));
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "nothing connected");
        // Root and the socket's owner may.
        for connect_as in [ConnectAs::Root, ConnectAs::Owner] {
            assert_eq!(ask(&[(link.clone(), connect_as)], soon()).remove(0), Err(RuntimeError::Timeout));
            assert!(listener.accept().is_ok(), "{connect_as:?}");
        }
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        let owner = ask(&[(link, ConnectAs::Owner)], soon()).remove(0);
        assert_eq!(owner, Err(RuntimeError::Timeout), "a socket of another user, which root named");
    }

    #[test]
    fn where_they_answer() {
        let paths = |kind, user| {
            let shown = |path: PathBuf| path.to_string_lossy().into_owned();
            sockets(kind, user).into_iter().map(shown).collect::<Vec<_>>()
        };
        assert_eq!(paths(RuntimeKind::Docker, None), ["/var/run/docker.sock"]);
        assert_eq!(paths(RuntimeKind::Docker, Some(0)), ["/var/run/docker.sock"]);
        assert_eq!(paths(RuntimeKind::Podman, None), ["/run/podman/podman.sock"]);
        assert_eq!(paths(RuntimeKind::Podman, Some(4_000_001)), ["/run/user/4000001/podman/podman.sock"]);
        assert_eq!(paths(RuntimeKind::Docker, Some(4_000_001)), ["/run/user/4000001/docker.sock"]);
    }
}
