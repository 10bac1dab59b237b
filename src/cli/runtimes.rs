//! The sockets of container runtimes, from the variables that docker(1) and podman(1) read.

use std::env;
use std::path::PathBuf;

use crate::enrich::containers::Runtimes;

/// Returns DOCKER_HOST and CONTAINER_HOST if they name a Unix socket, and the usual paths below XDG_RUNTIME_DIR and HOME.
/// Paths without a socket are skipped later.
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

/// Returns the path of `unix:///run/docker.sock`.
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
