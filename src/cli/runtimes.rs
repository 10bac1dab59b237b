//! The sockets of container runtimes that the environment names, as docker(1) and podman(1) read it.

use std::env;
use std::path::PathBuf;

use crate::enrich::containers::Runtimes;

/// DOCKER_HOST and CONTAINER_HOST where they name a Unix socket, and the places below XDG_RUNTIME_DIR and HOME. What is
/// not there is passed over when it comes to asking.
pub(super) fn runtimes() -> Runtimes {
    let named = |name: &str| unix(&env::var_os(name)?.into_string().ok()?);
    let below = |variable: &str, path: &str| {
        env::var_os(variable).filter(|value| !value.is_empty()).map(|folder| PathBuf::from(folder).join(path))
    };
    let own = [
        below("XDG_RUNTIME_DIR", "docker.sock"),
        below("XDG_RUNTIME_DIR", "podman/podman.sock"),
        below("HOME", ".docker/run/docker.sock"),
    ];
    Runtimes {
        named: [named("DOCKER_HOST"), named("CONTAINER_HOST")].into_iter().flatten().collect(),
        own: own.into_iter().flatten().collect(),
    }
}

/// The path in `unix:///run/docker.sock`.
fn unix(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("unix://")?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unix_sockets_are_asked() {
        assert_eq!(unix("unix:///run/docker.sock"), Some("/run/docker.sock".into()));
        for other in ["tcp://127.0.0.1:2375", "ssh://host", "unix://", "unix://run/x", "/run/docker.sock", ""]
        {
            assert_eq!(unix(other), None, "{other}");
        }
    }
}
