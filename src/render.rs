//! Renders snapshots, one file for each format. A renderer takes a writer and resolved options. It reads no terminal,
//! no environment and no clock.

pub mod json;

#[cfg(feature = "cli")]
pub(crate) mod about;
#[cfg(feature = "cli")]
pub(crate) mod about_json;
#[cfg(feature = "cli")]
pub(crate) mod browser_url;
#[cfg(feature = "cli")]
pub(crate) mod card;
#[cfg(feature = "cli")]
pub(crate) mod changes;
#[cfg(feature = "cli")]
pub(crate) mod changes_json;
#[cfg(feature = "cli")]
pub(crate) mod column;
#[cfg(feature = "cli")]
pub(crate) mod command_json;
#[cfg(feature = "cli")]
pub(crate) mod command_report;
#[cfg(feature = "cli")]
pub(crate) mod csv;
#[cfg(feature = "cli")]
pub(crate) mod current_user;
pub(crate) mod escape;
#[cfg(feature = "cli")]
pub(crate) mod free;
#[cfg(feature = "cli")]
pub(crate) mod layout;
#[cfg(feature = "cli")]
mod macos_app;
#[cfg(feature = "cli")]
pub(crate) mod next_json;
#[cfg(feature = "cli")]
pub(crate) mod occurrences;
#[cfg(feature = "cli")]
pub(crate) mod openmetrics;
#[cfg(feature = "cli")]
pub(crate) mod order;
pub(crate) mod phrases;
#[cfg(feature = "cli")]
mod plan;
#[cfg(feature = "cli")]
mod port_line;
#[cfg(feature = "cli")]
pub(crate) mod schema;
#[cfg(feature = "cli")]
mod start_time;
#[cfg(feature = "cli")]
pub(crate) mod style;
#[cfg(feature = "cli")]
pub(crate) mod table;
mod verdict;
#[cfg(feature = "cli")]
pub(crate) mod wait;
#[cfg(feature = "cli")]
pub(crate) mod wait_json;
#[cfg(feature = "cli")]
pub(crate) mod why_and_free;
#[cfg(feature = "cli")]
pub(crate) mod why_and_free_json;

#[cfg(feature = "cli")]
pub(crate) use verdict::hindrance;
