//! How the socket table is read, and how holders are searched for.

/// Which reader of the socket table is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Reader {
    /// The best one this machine has.
    #[default]
    Auto,
    /// The operating system's own interface, read without a crate between.
    Native,
    /// The crate netstat2.
    Netstat2,
}

/// How the holders of sockets are searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HolderSearch {
    /// The fastest way that is allowed here and worth its beginning.
    #[default]
    Auto,
    /// Every process's descriptor table, as far as this process may read them.
    Walk,
    /// A BPF iterator in the kernel, which needs no process's consent. Linux 5.8, with CAP_BPF and CAP_PERFMON or
    /// CAP_SYS_ADMIN.
    Bpf,
}
