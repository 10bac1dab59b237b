//! Processes of Windows that hold ports for others: the kernel's web server, and forwarders into virtual machines. Pure.

use crate::model::{Listener, WindowsProxy};

/// The ports of Windows' file sharing, which the kernel serves.
pub(crate) const FILE_SHARING: [u16; 4] = [137, 138, 139, 445];

/// The start of a process name, and what the process is.
const PROXIES: [(&str, WindowsProxy); 6] = [
    ("wslrelay", WindowsProxy::WslRelay),
    ("wslhost", WindowsProxy::WslHost),
    ("com.docker.", WindowsProxy::DockerDesktop),
    ("vpnkit", WindowsProxy::DockerDesktopNetwork),
    ("vmcompute", WindowsProxy::HyperV),
    ("vmwp", WindowsProxy::HyperVWorker),
];

/// Returns the proxy that holds a listener. `None` if its container is known.
pub(crate) fn proxy(listener: &Listener, port: u16) -> Option<WindowsProxy> {
    if listener.container.is_some() {
        return None;
    }
    listener.holders.iter().find_map(|holder| {
        if holder.process.id.pid == 4 {
            return Some(kernel(port));
        }
        let name = holder.process.name.to_string_lossy().to_lowercase();
        PROXIES.iter().find(|(start, _)| name.starts_with(start)).map(|(_, proxy)| *proxy)
    })
}

/// Returns what pid 4, the kernel, serves: file sharing, and programs that use its web server.
fn kernel(port: u16) -> WindowsProxy {
    match port {
        139 => WindowsProxy::NetBios,
        445 => WindowsProxy::Smb,
        port => WindowsProxy::Kernel { port },
    }
}

#[cfg(test)]
mod tests {
    use crate::enrich::notes::note;
    use crate::model::System;
    use crate::render::json;

    fn note_of(os: &System, port: u16, pid: u32, name: &str) -> Option<String> {
        let saved = include_bytes!("../../tests/replay/workstation.json");
        let listeners = json::read(saved).unwrap().listeners;
        let mut listener =
            listeners.into_iter().find(|one| one.socket.endpoint.port() == Some(3000)).unwrap();
        listener.socket.endpoint =
            crate::model::Endpoint::Ip { address: [0, 0, 0, 0].into(), port, interface: None };
        listener.holders.truncate(1);
        listener.holders[0].process.id.pid = pid;
        listener.holders[0].process.name = name.into();
        listener.note = None;
        note(&listener, os).map(|note| note.to_string())
    }

    #[test]
    fn the_kernel_listens_for_others() {
        assert!(
            note_of(&System::Windows, 80, 4, "System")
                .unwrap()
                .contains("HTTP.sys for another program: allears why 80 ")
        );
        assert!(note_of(&System::Windows, 445, 4, "System").unwrap().contains("SMB"));
        assert!(note_of(&System::Windows, 139, 4, "System").unwrap().contains("NetBIOS"));
        assert_eq!(note_of(&System::Linux, 8080, 4, "System"), None, "a pid like any other");
    }

    #[test]
    fn what_passes_connections_on_is_explained() {
        for (name, word) in [
            ("wslrelay.exe", "WSL"),
            ("com.docker.backend.exe", "docker ps"),
            ("vpnkit.exe", "Docker"),
            ("vpnkit-bridge.exe", "Docker"),
            ("vmwp.exe", "Hyper-V"),
            ("vmcompute.exe", "Hyper-V"),
        ] {
            let note = note_of(&System::Windows, 8080, 900, name).unwrap();
            assert!(note.contains(word), "{name}: {note}");
            assert_eq!(note_of(&System::Macos, 8080, 900, name), None);
        }
        assert_eq!(note_of(&System::Windows, 8080, 900, "node.exe"), None);
    }
}
