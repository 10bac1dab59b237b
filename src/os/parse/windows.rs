//! Parsers of the bytes and the text that Windows reports.

pub(crate) mod excluded_ports;
pub(crate) mod http_sys;
pub(crate) mod process_times;
pub(crate) mod services;
pub(crate) mod table;
