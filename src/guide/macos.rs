//! macOS: sysctls for sockets, libproc for holders. Cross-compiled, and never run on a Mac.
//!
//! # Sockets
//! Sockets come from the sysctls `net.inet.tcp.pcblist_n` and `net.inet.udp.pcblist_n`. macOS 27 gives callers other than
//! root only their own sockets there: the rest is read from the output of `/usr/sbin/netstat`, and if that fails a
//! [`Gap`](crate::Gap) reports it and the snapshot is incomplete.
//!
//! # Holders
//! Holders come from `proc_pidfdinfo`: one's own processes, all of them for root. For a socket of another user the kernel
//! reports who used it last, which is a candidate with [`Evidence::LastUser`](crate::Evidence::LastUser) and no proof:
//!
//! ```
//! use allears::{Evidence, Query};
//!
//! for listener in Query::new().scan()?.listeners {
//!     let candidates = listener.unseen.map(|unseen| unseen.candidates).unwrap_or_default();
//!     for candidate in candidates.iter().filter(|it| it.evidence == Evidence::LastUser) {
//!         println!("{} was last used by process {}", listener.socket.endpoint, candidate.pid);
//!     }
//! }
//! # Ok::<(), allears::Error>(())
//! ```
//!
//! # Limits
//! There are no inodes, no Unix sockets and no network namespaces. [`Socket::inode`](crate::Socket::inode) is `None`.
//! Packet filters are not read, so forwarded ports are not detected. [`Reader::Netstat2`](crate::Reader::Netstat2) is
//! not supported: it reads uninitialised memory there.
