//! Processes of Windows that hold ports for others: the kernel's web server, and forwarders into virtual machines. Pure.

use crate::model::Listener;

/// The ports of Windows' file sharing, which the kernel serves.
pub(crate) const FILE_SHARING: [u16; 4] = [137, 138, 139, 445];

/// The start of a process name, and the note about it.
const PROXIES: [(&str, &str); 6] = [
    ("wslrelay", "wslrelay passes connections on to a program inside of WSL: wsl -- ss -ltnp names it there"),
    ("wslhost", "wslhost passes connections on to a program inside of WSL: wsl -- ss -ltnp names it there"),
    (
        "com.docker.",
        "Docker Desktop holds it, as a rule for a container's published port: docker ps names that",
    ),
    (
        "vpnkit",
        "Docker Desktop's network holds it, as a rule for a container's published port: docker ps names that",
    ),
    ("vmcompute", "Hyper-V holds it for a virtual machine or a container on this machine"),
    (
        "vmwp",
        "Hyper-V's worker for a virtual machine holds it; its command line ends in the machine's identifier",
    ),
];

/// Returns the note about a listener whose holder is a proxy. If the container is known there is none.
pub(crate) fn proxy(listener: &Listener, port: u16) -> Option<String> {
    if listener.container.is_some() {
        return None;
    }
    listener.holders.iter().find_map(|holder| {
        if holder.process.id.pid == 4 {
            return Some(kernel(port));
        }
        let name = holder.process.name.to_string_lossy().to_lowercase();
        let (_, what) = PROXIES.iter().find(|(start, _)| name.starts_with(start))?;
        Some((*what).to_owned())
    })
}

/// Returns the note about pid 4, the kernel, which listens for file sharing and for programs that use its web server.
fn kernel(port: u16) -> String {
    match port {
        139 => "the kernel serves Windows' file sharing over NetBIOS there".to_owned(),
        445 => "the kernel serves Windows' file sharing (SMB) there".to_owned(),
        _ => format!(
            "the kernel listens there, as a rule by its web server HTTP.sys for another program: allears why {port} \
             names that, run as administrator"
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::enrich::notes::note;
    use crate::render::json;

    fn note_of(os: &str, port: u16, pid: u32, name: &str) -> Option<String> {
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
        note(&listener, os)
    }

    #[test]
    fn the_kernel_listens_for_others() {
        assert!(
            note_of("windows", 80, 4, "System")
                .unwrap()
                .contains("HTTP.sys for another program: allears why 80 ")
        );
        assert!(note_of("windows", 445, 4, "System").unwrap().contains("SMB"));
        assert!(note_of("windows", 139, 4, "System").unwrap().contains("NetBIOS"));
        assert_eq!(note_of("linux", 8080, 4, "System"), None, "a pid like any other");
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
            let note = note_of("windows", 8080, 900, name).unwrap();
            assert!(note.contains(word), "{name}: {note}");
            assert_eq!(note_of("macos", 8080, 900, name), None);
        }
        assert_eq!(note_of("windows", 8080, 900, "node.exe"), None);
    }
}
