//! The service that a supervisor runs, from its own command line. Pure: a kind and a command line go in.

use crate::model::{ServiceManager, SupervisorKind, Text};

/// Returns the service that a supervisor of this kind runs: `runsv nginx`.
pub(in crate::os) fn service_of(
    kind: &SupervisorKind,
    command: &mut dyn FnMut() -> Vec<Text>,
) -> Option<(ServiceManager, Text)> {
    let manager = match kind {
        SupervisorKind::Runit => ServiceManager::Runit,
        SupervisorKind::S6 => ServiceManager::S6,
        SupervisorKind::Daemontools => ServiceManager::Daemontools,
        SupervisorKind::Openrc => ServiceManager::Openrc,
        _ => return None,
    };
    let command = command();
    let [program, name, ..] = command.as_slice() else { return None };
    let looks_after_one: [&[u8]; 4] = [b"runsv", b"s6-supervise", b"supervise", b"supervise-daemon"];
    let name = name.as_bytes().strip_suffix(b"/").unwrap_or(name.as_bytes());
    let name = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let names_service =
        looks_after_one.contains(&program.file_name()) && !name.is_empty() && !name.starts_with(b"-");
    (names_service && name != b"." && name != b"..").then(|| (manager, name.into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn services_by_the_command_line_of_their_supervisor() {
        let named = |kind: &str, command: &[&str]| {
            let command: Vec<Text> = command.iter().map(|argument| Text::from(*argument)).collect();
            let found = service_of(&kind.into(), &mut || command.clone());
            found.map(|(manager, name)| {
                assert_eq!(manager, ServiceManager::from(kind));
                name.to_string_lossy().into_owned()
            })
        };
        assert_eq!(named("runit", &["runsv", "nginx"]).as_deref(), Some("nginx"));
        assert_eq!(named("runit", &["/usr/bin/runsv", "/etc/service/nginx/"]).as_deref(), Some("nginx"));
        assert_eq!(named("s6", &["s6-supervise", "web"]).as_deref(), Some("web"));
        assert_eq!(named("daemontools", &["supervise", "web"]).as_deref(), Some("web"));
        assert_eq!(named("openrc", &["supervise-daemon", "web", "--start"]).as_deref(), Some("web"));
        assert_eq!(named("runit", &["runsvdir", "/etc/service"]), None, "it looks after many");
        assert_eq!(named("runit", &["runsv"]), None);
        assert_eq!(named("s6", &["s6-supervise", "."]), None);
        assert_eq!(named("supervisord", &["supervisord", "-n"]), None, "it does not tell");
    }

    proptest! {
        #[test]
        fn any_bytes(command: Vec<Vec<u8>>, at in 0usize..4) {
            let command: Vec<Text> = command.into_iter().map(Text::from).collect();
            let kind = SupervisorKind::from(["runit", "s6", "daemontools", "openrc"][at]);
            let _ = service_of(&kind, &mut || command.clone());
        }
    }
}
