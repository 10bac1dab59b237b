//! The service that a process or a socket belongs to.

use crate::model::{ServiceManager, ServiceScope, Text};

/// A service, by the name that its manager gives it.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         if let Some(service) = &holder.process.service {
///             println!("a part of {}", service.name.to_string_lossy());
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Service {
    /// Its manager.
    pub manager: ServiceManager,
    /// Its name in that manager.
    pub name: Text,
    /// Whether it belongs to the system or to a user.
    pub scope: ServiceScope,
    /// The uid of the user whose manager it is. `None` for the system's manager, and if unknown.
    pub uid: Option<u32>,
    /// The service that it starts, if it is a socket unit of systemd.
    pub activates: Option<Text>,
}

impl Service {
    /// Returns whether it is a socket unit of systemd, which holds the port itself.
    pub(crate) fn is_socket_unit(&self) -> bool {
        self.manager == ServiceManager::Systemd && self.name.as_bytes().ends_with(b".socket")
    }
}
