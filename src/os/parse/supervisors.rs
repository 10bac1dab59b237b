//! Parsers of what supervisors other than systemd read and write: their configuration, service folders and titles. Pure:
//! compiled and tested on every system. What a setting means for a process is decided in `management`.

pub(crate) mod circus;
pub(crate) mod ini;
pub(crate) mod pm2;
pub(crate) mod service_folder;
pub(crate) mod supervisord;

/// A placeholder for unknown text in a command. An argument of a process never contains it.
pub(crate) const ANY: char = '\0';
