//! The container that a process or a socket belongs to.

use crate::model::{ContainerRuntime, Text};

/// A container.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     if let Some(container) = listener.container {
///         println!("port {:?} of container {}", container.port, container.id.to_string_lossy());
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Container {
    /// Its runtime.
    pub runtime: ContainerRuntime,
    /// Its id in that runtime.
    pub id: Text,
    /// The uid of the user whose rootless engine runs it. `None` for the system's engine, and if unknown.
    pub uid: Option<u32>,
    /// Its name.
    pub name: Option<Text>,
    /// Its image.
    pub image: Option<Text>,
    /// The port in the container.
    pub port: Option<u16>,
    /// Its Compose project and service.
    pub compose: Option<Compose>,
}

/// The Compose project and service of a container.
///
/// ```
/// use allears::Query;
///
/// for listener in Query::new().scan()?.listeners {
///     if let Some(compose) = listener.container.and_then(|container| container.compose) {
///         println!("a part of the project {}", compose.project.to_string_lossy());
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Compose {
    /// The project.
    pub project: Text,
    /// The service in the project.
    pub service: Option<Text>,
}
