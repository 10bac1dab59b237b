//! The command that stops a container. Pure.

use super::{EngineUser, proxy};
use crate::model::{Container, ContainerRuntime, Text};

/// Returns the command that stops a container, as words. `engine_user` is the user of a rootless engine; `None` is the
/// system's.
///
/// docker(1) and podman(1) use the engine of the calling user. For another user's Docker the command names its socket.
/// Podman has no daemon, so the command runs as that user.
pub(crate) fn stop_container(
    container: &Container,
    engine_user: Option<&EngineUser>,
    own_uid: Option<u32>,
) -> Option<Vec<Text>> {
    let engine_user = engine_user.filter(|engine_user| engine_user.uid != 0);
    if container.uid.is_some_and(|uid| uid != 0) && engine_user.is_none() {
        // The engine of an unknown user.
        return None;
    }
    let words = |words: &[&str]| words.iter().map(|word| Text::from(*word)).collect::<Vec<Text>>();
    // The engines print twelve digits of an id.
    let short = container.id.as_bytes().get(..12).filter(|_| container.id.as_bytes().len() == 64);
    let id = short.map_or_else(|| container.id.clone(), Text::from);
    let name = container.name.clone().filter(is_plain).unwrap_or(id);
    if !is_plain(&name) {
        return None;
    }
    match &container.runtime {
        ContainerRuntime::Docker => {
            let mut command = words(&["docker"]);
            if let Some(engine_user) = engine_user {
                let host = format!("--host=unix:///run/user/{}/docker.sock", engine_user.uid);
                command.push(host.as_str().into());
            }
            command.push("stop".into());
            command.push(name);
            Some(command)
        }
        ContainerRuntime::Podman => {
            // A pod publishes ports through its infra container, which Podman names after the pod.
            let command = match container.name.as_ref().and_then(proxy::pod_of_infra) {
                Some(pod) => ["podman".into(), "pod".into(), "stop".into(), pod].to_vec(),
                None => ["podman".into(), "stop".into(), name].to_vec(),
            };
            match engine_user.filter(|engine_user| Some(engine_user.uid) != own_uid) {
                // Podman needs the session folders of that user, which only a login sets up.
                Some(engine_user) if is_plain(&engine_user.name) => {
                    let line: Vec<String> =
                        command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
                    let mut words = words(&["runuser", "-l"]);
                    words.extend([engine_user.name.clone(), "-c".into(), line.join(" ").as_str().into()]);
                    Some(words)
                }
                Some(_) => None,
                None => Some(command),
            }
        }
        _ => None,
    }
}

/// Returns whether an engine accepts a name. Such a name cannot be an option. Docker and Podman accept
/// `[a-zA-Z0-9][a-zA-Z0-9_.-]*`.
fn is_plain(name: &Text) -> bool {
    let is = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) && name.as_bytes().iter().all(is)
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{container, line};
    use super::*;

    #[test]
    fn containers_are_stopped_by_their_own_engine() {
        let engine_user = EngineUser { uid: 1000, name: "dev".into() };
        let stop = |container: &Container, engine_user: Option<&EngineUser>, own| {
            line(stop_container(container, engine_user, own))
        };
        let (docker, podman) = (container("docker", "web-1"), container("podman", "web-1"));
        assert_eq!(stop(&docker, None, Some(0)), "docker stop web-1");
        assert_eq!(
            stop(&docker, Some(&engine_user), Some(0)),
            "docker --host=unix:///run/user/1000/docker.sock stop web-1"
        );
        assert_eq!(stop(&podman, None, Some(0)), "podman stop web-1");
        assert_eq!(stop(&podman, Some(&engine_user), Some(1000)), "podman stop web-1");
        assert_eq!(stop(&podman, Some(&engine_user), Some(0)), "runuser -l dev -c podman stop web-1");
        assert_eq!(
            stop(&container("podman", "3a2b1c0d9e8f-infra"), None, Some(0)),
            "podman pod stop 3a2b1c0d9e8f"
        );
        assert_eq!(stop(&container("lxc", "web"), None, Some(0)), "");
    }

    #[test]
    fn a_name_that_no_engine_gives_is_replaced_by_the_id() {
        for name in ["web; echo x", "--all", "-f", "", "a b", "\u{1b}[31m"] {
            let stop = line(stop_container(&container("docker", name), None, Some(0)));
            assert_eq!(stop, "docker stop 4f1d5a0c9b7e", "{name}");
        }
    }
}
