//! Containers and pods.

use crate::management::proxy;
use crate::model::Container;
#[cfg(feature = "cli")]
use crate::model::Text;
use crate::render::escape::escape;

/// Returns a container's name, or the beginning of its id.
pub(crate) fn container(container: &Container) -> String {
    let id = || escape(&container.id).chars().take(12).collect();
    container.name.as_ref().map_or_else(id, escape)
}

/// Returns a container with its kind: `container web-1`, or `pod 3a2b1c0d9e8f` for the infra container of a pod, which
/// holds the ports of all its containers.
pub(crate) fn container_or_pod(container: &Container) -> String {
    match container.name.as_ref().and_then(proxy::pod_of_infra) {
        Some(pod) => format!("pod {}", escape(&pod)),
        None => format!("container {}", self::container(container)),
    }
}

/// Returns what [`container_or_pod`] does, with the kind for a pod alone: `web-1`, `pod 3a2b1c0d9e8f`.
#[cfg(feature = "cli")]
pub(crate) fn name_or_pod(container: &Container) -> String {
    match pod(container) {
        Some(_) => container_or_pod(container),
        None => self::container(container),
    }
}

/// Returns the pod that an infra container stands for.
#[cfg(feature = "cli")]
pub(crate) fn pod(container: &Container) -> Option<Text> {
    container.name.as_ref().and_then(proxy::pod_of_infra)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_named_by_the_pod() {
        let container = |name: Option<&str>| Container {
            runtime: "podman".into(),
            id: "4f1d5a0c9b7e83264f1d5a0c9b7e8326".into(),
            uid: None,
            name: name.map(Text::from),
            image: None,
            port: None,
            compose: None,
        };
        for (name, expected) in [
            (Some("web"), "container web"),
            (Some("3a2b1c0d9e8f-infra"), "pod 3a2b1c0d9e8f"),
            (Some("my-infra"), "container my-infra"),
            (None, "container 4f1d5a0c9b7e"),
        ] {
            assert_eq!(container_or_pod(&container(name)), expected);
        }
    }
}
