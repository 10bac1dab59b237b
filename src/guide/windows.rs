//! Windows: the IP helper tables for sockets and their processes. Tested under wine, and never run on Windows itself.
//!
//! # Sockets and holders
//! `GetExtendedTcpTable` and `GetExtendedUdpTable` report the sockets of all users with the pid that opened each
//! ([`Evidence::Table`](crate::Evidence::Table)), without any privilege. If that process has ended, its children may have
//! inherited the handle: they are candidates with [`Evidence::Child`](crate::Evidence::Child).
//!
//! ```
//! use allears::Query;
//!
//! for listener in Query::new().scan()?.listeners {
//!     let services = listener.holders.iter().filter_map(|holder| holder.process.service.as_ref());
//!     for service in services {
//!         println!("{} belongs to the service {}", listener.socket.endpoint, service.name.to_string_lossy());
//!     }
//! }
//! # Ok::<(), allears::Error>(())
//! ```
//!
//! # Ending processes
//! [`free`](crate::free()) asks a program with windows to close them and ends any other at once with `TerminateProcess`.
//! A process is identified by pid and creation time.
//!
//! # Limits
//! There are no users, inodes, descriptors, queues and Unix sockets in these tables; the fields are `None` or empty. TCP
//! sockets that are bound and do not listen are not listed; a gap reports it if it matters. Whether a UDP socket is
//! connected is not reported.
