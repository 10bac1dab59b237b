//! Adds facts to listeners and their holders after the search for holders. Each step is a file.

pub(crate) mod children;
pub(crate) mod containers;
pub(crate) mod forwarding_rules;
mod holder_processes;
pub(crate) mod notes;
pub(crate) mod program_labels;
pub(crate) mod services;
pub(crate) mod users;
