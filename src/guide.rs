//! One page for each platform: what this library reports there, with which permission, and what it cannot report.
//!
//! The types are the same everywhere. What a system cannot report is `None`, and what could not be read is a
//! [`Gap`](crate::Gap).

pub mod linux;
pub mod macos;
pub mod windows;
