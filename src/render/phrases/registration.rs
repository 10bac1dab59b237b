//! Entries of the IANA registry.

use std::fmt;

use crate::port_info::{Assignment, Registration};

/// The answer of the registry in a phrase.
impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Registration::Assigned(services) => write!(f, "assigned to {}", assigned_names(services)),
            Registration::Reserved(_) => f.write_str("reserved"),
            Registration::Unassigned => f.write_str("not assigned"),
            Registration::Dynamic => f.write_str("dynamic range, never assigned"),
        }
    }
}

/// Returns the names of services, each with its range if it was assigned several ports as one.
pub(crate) fn assigned_names(services: &[Assignment]) -> String {
    let shown = |one: &Assignment| match &one.range {
        Some(range) => format!("{}, by its range {}-{}", one.name, range.start(), range.end()),
        None => one.name.to_owned(),
    };
    services.iter().map(shown).collect::<Vec<String>>().join(", ")
}
