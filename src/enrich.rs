//! What is added to listeners and their holders after they were found: containers and notes.

pub(crate) mod containers;
pub(crate) mod forwarding_rules;
pub(crate) mod notes;
