//! Help: what would help against a gap or an error.

use crate::model::Text;
use crate::model::names::names;

/// What would help to fill a gap, or to avoid an error.
///
/// ```
/// use allears::{Help, Query};
///
/// for gap in Query::new().scan()?.gaps {
///     match gap.help {
///         Some(Help::Privileges(_)) => println!("run as root: {}", gap.what),
///         Some(help) => println!("{help}"),
///         None => {}
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Help {
    /// Run with full privileges: sudo, or an elevated prompt.
    Privileges(PrivilegePurpose),
    /// Run with full privileges, or as a member of the group that a socket belongs to.
    PrivilegesOrGroup,
    /// Scan this target, or everything, with full privileges.
    PrivilegedScan {
        /// The target. `None` for everything.
        target: Option<ScanTarget>,
        /// The missing privileges.
        missing: MissingPermissions,
    },
    /// Let `why` read it for this port, with full privileges.
    PrivilegedWhy {
        /// The port.
        port: u16,
    },
    /// Run with privileges that this process lacks.
    Rights(MissingPermissions),
    /// Let `why` test whether a port can be bound: this one, or any.
    Why {
        /// The port.
        port: Option<u16>,
    },
    /// Raise the limit of processes.
    RaiseProcessLimit,
    /// Raise a limit of open files.
    TooManyFiles {
        /// The limit.
        limit: OpenFilesLimit,
    },
    /// Scan again.
    ScanAgain,
    /// The holder ended during the scan: scan again.
    HolderEnded,
    /// Scan again after a message was received.
    AfterMessage,
    /// Fewer descriptors wait in messages than there are sockets without a holder: scan again after they were received.
    AfterMessages,
    /// Windows names no process for it: scan again.
    NoProcessNamed,
    /// A process outside of this pid namespace may hold it.
    OutsidePidNamespace,
    /// Run in the pid namespace that /proc shows, or mount the right /proc.
    MatchingProc,
    /// A service of the kernel may have it: check the lists of some tools.
    KernelServices,
    /// Its process has ended, and one of its children inherited the handle. Windows.
    InheritedHandle {
        /// The process.
        pid: u32,
        /// The name of the process that has the pid now, if it started after the socket was opened.
        later: Option<Text>,
    },
    /// Save a snapshot as one document, and not as one on each line.
    OneDocument,
    /// Use the automatic reader, which reads /proc/net if netlink fails.
    AutomaticReader,
    /// Name a user that this machine has.
    KnownUser,
    /// Name the socket of another container runtime.
    OtherRuntime,
    /// Check whether the container runtime hangs.
    HangingRuntime,
    /// A phrase from a document.
    Text(Text),
}

/// What a scan with full privileges is about.
///
/// ```
/// use allears::{Help, Query, ScanTarget};
///
/// for listener in Query::new().scan()?.listeners {
///     if let Some(Help::PrivilegedScan { target: Some(ScanTarget::Port(port)), .. }) =
///         listener.unseen.and_then(|unseen| unseen.help)
///     {
///         println!("scan port {port} as root");
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ScanTarget {
    /// A port of TCP and UDP.
    Port(u16),
    /// A port of UDP-Lite.
    UdpLitePort(u16),
    /// The path or the name of a Unix socket.
    Path(Text),
    /// All Unix sockets.
    AllUnix,
}

/// A limit of open files.
///
/// ```
/// use allears::OpenFilesLimit;
///
/// assert!(OpenFilesLimit::Process(1024).to_string().contains("ulimit -n"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum OpenFilesLimit {
    /// The number of files that this process may have open.
    Process(u64),
    /// The number of files that the whole system may have open.
    System,
}

/// The purpose of full privileges.
///
/// ```
/// use allears::PrivilegePurpose;
///
/// assert_eq!("see-many".parse(), Ok(PrivilegePurpose::SeeMany));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrivilegePurpose {
    /// To read one thing.
    SeeOne,
    /// To read several.
    SeeMany,
    /// To enter network namespaces.
    Enter,
}

/// The privileges that this process lacks to read other processes.
///
/// ```
/// use allears::MissingPermissions;
///
/// let missing = MissingPermissions::Capabilities { sys_ptrace: true, dac_read_search: false };
/// assert!(missing.to_string().contains("CAP_SYS_PTRACE"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum MissingPermissions {
    /// It runs without privileges.
    Privileges,
    /// Its user namespace has no privileges over processes outside of it. Linux.
    UserNamespace,
    /// The other processes have more privileges, or a security module protects them.
    Guarded,
    /// Capabilities of Linux.
    Capabilities {
        /// Whether CAP_SYS_PTRACE is missing.
        sys_ptrace: bool,
        /// Whether CAP_DAC_READ_SEARCH is missing.
        dac_read_search: bool,
    },
}

impl Help {
    /// Returns whether the same scan with full privileges would show it.
    pub fn is_privileged_scan(&self) -> bool {
        matches!(self, Help::PrivilegedScan { .. })
    }
}

names! { PrivilegePurpose, "purpose of privileges":
    SeeOne => "see-one",
    SeeMany => "see-many",
    Enter => "enter",
}
