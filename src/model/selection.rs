//! The request of a snapshot.

use crate::model::{Protocol, Target, Text};

/// Which listeners are wanted. Also usable on a snapshot that was taken elsewhere.
///
/// ```
/// use allears::{Query, Selection};
///
/// let snapshot = Query::new().scan()?;
/// let narrower: &Selection = &Query::new().exposed(true).selection().clone();
/// let exposed = narrower.apply(snapshot.clone());
/// assert!(exposed.listeners.len() <= snapshot.listeners.len());
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Selection {
    pub(crate) targets: Vec<Target>,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
    pub(crate) all: bool,
    pub(crate) exposed: bool,
    pub(crate) pids: Vec<u32>,
    pub(crate) users: Vec<UserName>,
    pub(crate) commands: Vec<String>,
    /// The pids of processes that count together with their descendants.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) trees: Vec<u32>,
    /// Folders: absolute paths without symbolic links, as the system reports working directories.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) directories: Vec<Text>,
    /// Leaves out the services of the system and of desktop sessions.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) developer: bool,
    /// Where to look, and nothing that is applied to a snapshot: one that was saved is shown whole.
    pub(crate) namespaces: bool,
    /// Adds the connections of each listener to the answer. This is no filter.
    pub(crate) connections: bool,
}

/// A user, as a number or by name.
///
/// ```
/// use allears::{Query, UserName};
///
/// let listeners = Query::new().user(UserName::Uid(0)).scan()?.listeners;
/// println!("{} listeners of root", listeners.len());
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum UserName {
    /// The number.
    Uid(u32),
    /// The name.
    Name(String),
}

/// Takes a number for a uid and any other text for a name, which need not exist on this machine.
impl std::str::FromStr for UserName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<UserName, Self::Err> {
        Ok(text.parse().map_or_else(|_| UserName::Name(text.to_owned()), UserName::Uid))
    }
}
