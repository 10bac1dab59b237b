//! Linux: netlink for sockets, `/proc` or BPF for holders.
//!
//! Tested natively on x86-64 with Linux 6.18, and under emulation with older kernels and on arm64.
//!
//! # Sockets
//! Sockets come from `NETLINK_SOCK_DIAG` (sock_diag(7)): every user sees the sockets of all users. If netlink is refused,
//! as in some sandboxes, `/proc/net` is read instead and a [`Gap`](crate::Gap) reports what that lacks.
//! [`Query::all_namespaces`](crate::Query::all_namespaces) enters other network namespaces, which takes CAP_SYS_ADMIN.
//!
//! # Holders
//! Holders come from `/proc/PID/fd`. An unprivileged caller sees its own processes; for those of others it takes
//! CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, which root has. With CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN, a BPF iterator
//! reads all descriptor tables inside the kernel (Linux 5.8); [`HolderSearch`](crate::HolderSearch) chooses between the
//! two. A listener whose holder may not be read has [`Listener::unseen`](crate::Listener::unseen), often with candidates:
//!
//! ```
//! use allears::{Query, UnseenReason};
//!
//! for listener in Query::new().scan()?.listeners {
//!     if let Some(unseen) = listener.unseen
//!         && unseen.reason == UnseenReason::Permission
//!     {
//!         println!("{} needs root; it may be one of {:?}", listener.socket.endpoint, unseen.candidates);
//!     }
//! }
//! # Ok::<(), allears::Error>(())
//! ```
//!
//! # Ending processes
//! [`free`](crate::free()) signals through pidfds, so that a pid that was reused is never signalled. If `/proc` shows
//! another pid namespace than the caller's, it refuses.
//!
//! # Limits
//! Without `/proc` a scan is an error. Before Linux 6.8 TCP sockets that are bound and do not listen are not listed; a
//! gap reports it.
