//! Recognises holders that forward connections for something that does not listen here itself.

use super::Relay;
use crate::management::proxy;
use crate::model::{Candidate, Holder, Listener};

/// Processes that forward connections, and what they forward them for.
const RELAYS: [(&str, Relay); 12] = [
    ("docker-proxy", Relay::ContainerPort),
    ("rootlesskit", Relay::RootlessContainerPort),
    ("rootlessport", Relay::RootlessContainerPort),
    ("rootlessport-child", Relay::RootlessContainerPort),
    ("conmon", Relay::ContainerPort),
    ("slirp4netns", Relay::RootlessContainerNetwork),
    ("pasta", Relay::RootlessContainerNetwork),
    ("pasta.avx2", Relay::RootlessContainerNetwork),
    ("passt", Relay::VirtualMachineNetwork),
    ("gvproxy", Relay::VirtualMachineNetwork),
    ("com.docker.backend", Relay::ContainerPort),
    ("wslrelay", Relay::Wsl),
];

/// Returns the first holder that forwards connections, and what it forwards them for.
pub(super) fn relay(listener: &Listener) -> Option<(&Holder, Relay)> {
    listener.holders.iter().find_map(|holder| {
        let name = holder.process.name.as_str()?;
        // It also holds ports of its own.
        if name == "dockerd" && listener.container.is_some() {
            return Some((holder, Relay::ContainerPort));
        }
        let name = name.strip_suffix(".exe").unwrap_or(name);
        let (_, relay) = RELAYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some((holder, *relay))
    })
}

/// Returns whether a holder of a listener, visible or unseen, forwards connections. A socket with an unseen holder has a
/// container only if a proxy's command line names its address and port.
pub(super) fn passes_on(listener: &Listener) -> bool {
    let is_proxy = |candidate: &Candidate| proxy::is_docker_proxy(&candidate.name);
    let by_unseen = || {
        let candidates = listener.unseen_alone().map(|unseen| unseen.candidates.as_slice());
        listener.container.is_some() && matches!(candidates, Some([only]) if is_proxy(only))
    };
    relay(listener).is_some() || by_unseen()
}
