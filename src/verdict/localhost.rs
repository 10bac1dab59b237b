//! Finds the listener that answers at an address of localhost.

use super::SharedBy;
use crate::model::Listener;
use crate::model::names::names;

/// The listeners that answer at an address of localhost.
///
/// ```
/// use allears::{Fact, LocalhostAnswer};
///
/// let verdict = allears::why(&allears::Target::port(10309)?)?;
/// for fact in verdict.facts {
///     if let Fact::Localhost { ipv6: LocalhostAnswer::Nobody, ipv4 } = fact {
///         println!("only IPv4 answers: {ipv4}");
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum LocalhostAnswer {
    /// No listener.
    Nobody,
    /// One listener.
    One {
        /// The listener.
        listener: Box<Listener>,
        /// Why it is preferred, if several have an equally good address.
        preference: Option<Preference>,
    },
    /// One of these.
    Shared {
        /// How the listener is chosen.
        by: SharedBy,
        /// The listeners.
        listeners: Vec<Listener>,
    },
}

/// Why one of several sockets with equally good addresses is preferred.
///
/// ```
/// use allears::Preference;
///
/// assert_eq!("bound-last".parse(), Ok(Preference::BoundLast));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preference {
    /// It is the first of those with the address, one of which is bound to an interface.
    FirstWithInterface,
    /// It is the last of those with the address, one of which is bound to an interface.
    LastWithInterface,
    /// The kernel lists it first, and it gets every datagram.
    ListedFirst,
    /// It was bound last, and gets every datagram.
    BoundLast,
}

names! { Preference, "reason to prefer a socket":
    FirstWithInterface => "first-with-interface",
    LastWithInterface => "last-with-interface",
    ListedFirst => "listed-first",
    BoundLast => "bound-last",
}
