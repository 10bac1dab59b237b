//! Parses targets with service names of the IANA registry and of the machine's services file.

use super::say;
use crate::model::{Target, TargetError};
use crate::os;
use crate::port_info;
use crate::port_info::{Named, Services, ServicesFile};
use crate::render::escape::escape;

/// Parses a list of targets.
pub(super) fn parse_list(text: &str) -> Result<Vec<Target>, TargetError> {
    Target::parse_list_with(text, &Services::new(machines_file))
}

/// Parses targets in the form of `lsof -i`.
pub(super) fn parse_lsof(text: &str) -> Result<Vec<Target>, TargetError> {
    Target::parse_lsof_with(text, &Services::new(machines_file))
}

/// Reads this machine's services file.
fn machines_file() -> ServicesFile {
    let (path, read) = os::services_file();
    ServicesFile { path: path.display().to_string(), read }
}

/// Prints which names mean other ports on this machine than in the registry.
pub(super) fn print_differences<'a>(targets: impl IntoIterator<Item = &'a Target>) {
    let mut printed: Vec<&str> = Vec::new();
    for target in targets {
        let Some(service) = target.service().filter(|service| !printed.contains(&service.name.as_str()))
        else {
            continue;
        };
        let registry = port_info::named(&service.name, target.protocol());
        if registry.is_empty() {
            continue;
        }
        printed.push(&service.name);
        let place = |one: &Named| match one.ports.end() - one.ports.start() {
            0 => one.ports.start().to_string(),
            _ => format!("{}-{}", one.ports.start(), one.ports.end()),
        };
        let mut registered: Vec<String> = registry.iter().map(place).collect();
        registered.dedup();
        let [name, file] = [&service.name, &service.file].map(|text| escape(&text.as_str().into()));
        say(
            "note",
            &format!(
                "{name} is resolved by {file}; in the IANA registry it is port {}",
                port_info::or(&registered)
            ),
        );
    }
}
