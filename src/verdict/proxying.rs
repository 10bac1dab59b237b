//! Recognises holders that forward connections for something that does not listen here itself.

use super::ProxyPurpose;
use crate::management::proxy;
use crate::model::{Candidate, Holder, Listener};

/// Processes that forward connections, and what they forward them for.
const PROXIES: [(&str, ProxyPurpose); 12] = [
    ("docker-proxy", ProxyPurpose::ContainerPort),
    ("rootlesskit", ProxyPurpose::RootlessContainerPort),
    ("rootlessport", ProxyPurpose::RootlessContainerPort),
    ("rootlessport-child", ProxyPurpose::RootlessContainerPort),
    ("conmon", ProxyPurpose::ContainerPort),
    ("slirp4netns", ProxyPurpose::RootlessContainerNetwork),
    ("pasta", ProxyPurpose::RootlessContainerNetwork),
    ("pasta.avx2", ProxyPurpose::RootlessContainerNetwork),
    ("passt", ProxyPurpose::VirtualMachineNetwork),
    ("gvproxy", ProxyPurpose::VirtualMachineNetwork),
    ("com.docker.backend", ProxyPurpose::ContainerPort),
    ("wslrelay", ProxyPurpose::Wsl),
];

/// Returns the first holder that forwards connections, and what it forwards them for.
pub(super) fn proxying_holder(listener: &Listener) -> Option<(&Holder, ProxyPurpose)> {
    listener.holders.iter().find_map(|holder| {
        let name = holder.process.name.as_str()?;
        // It also holds ports of its own.
        if name == "dockerd" && listener.container.is_some() {
            return Some((holder, ProxyPurpose::ContainerPort));
        }
        let name = name.strip_suffix(".exe").unwrap_or(name);
        let (_, purpose) = PROXIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some((holder, *purpose))
    })
}

/// Returns whether a holder of a listener, visible or unseen, forwards connections. A socket with an unseen holder has a
/// container only if a proxy's command line names its address and port.
pub(super) fn is_proxied(listener: &Listener) -> bool {
    let is_proxy = |candidate: &Candidate| proxy::is_docker_proxy(&candidate.name);
    let by_unseen = || {
        let candidates = listener.unseen_alone().map(|unseen| unseen.candidates.as_slice());
        listener.container.is_some() && matches!(candidates, Some([only]) if is_proxy(only))
    };
    proxying_holder(listener).is_some() || by_unseen()
}
