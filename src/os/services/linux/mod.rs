//! systemd and its unit files, and signs of container engines.

pub(in crate::os) mod docker_hints;
pub(in crate::os) mod restart;
pub(in crate::os) mod socket_units;
pub(in crate::os) mod systemd;
pub(in crate::os) mod unit_files;
pub(in crate::os) mod unit_folder;

pub(in crate::os) use docker_hints::{containers_run, shares_network};
pub(in crate::os) use restart::policy as restart_policy;
pub(in crate::os) use socket_units::services_of;
