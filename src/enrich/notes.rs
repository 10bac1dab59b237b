//! Adds notes to listeners: an unexpected holder of a well-known port, a risk, or the destination of a forwarded port.
//! Pure. A listener with an unknown holder gets none.

use crate::management::role::{Role, role};
use crate::model::{Evidence, Exposure, Holder, Listener, Note, OpenService, Protocol, System};
use crate::port_info::{program_names, socket_paths, windows};
use crate::program_label::forwards;

/// A port that one kind of server uses almost exclusively, so that another holder is unexpected.
struct DedicatedPort {
    port: u16,
    /// The name of the server, as in "5432 is PostgreSQL's".
    server: &'static str,
    /// The names of its servers, its proxies and its own tools.
    holders: &'static [&'static str],
}

const DEDICATED_PORTS: [DedicatedPort; 7] = [
    DedicatedPort {
        port: 22,
        server: "SSH",
        holders: &[
            "dropbear",
            "endlessh",
            "forgejo",
            "gitea",
            "gitlab-sshd",
            "lsh",
            "soft",
            "sshpiperd",
            "tinysshd",
        ],
    },
    DedicatedPort {
        port: 1433,
        server: "Microsoft SQL Server",
        holders: &["sqlservr", "babelfish", "postgres"],
    },
    DedicatedPort {
        port: 3306,
        server: "MySQL",
        holders: &[
            "mysqld",
            "mariadbd",
            "maxscale",
            "mysqlrouter",
            "proxysql",
            "tidb-server",
            "vtgate",
            "vttablet",
            "dolt",
        ],
    },
    DedicatedPort {
        port: 5432,
        server: "PostgreSQL",
        holders: &[
            "postgres",
            "postmaster",
            "pgbouncer",
            "pgcat",
            "pgpool",
            "pgdog",
            "odyssey",
            "supavisor",
            "cockroach",
            "crate",
            "edb-postgres",
            "yb-tserver",
        ],
    },
    DedicatedPort {
        port: 6379,
        server: "Redis",
        holders: &[
            "redis-",
            "valkey-",
            "keydb-",
            "redict-",
            "dragonfly",
            "garnet",
            "kvrocks",
            "nutcracker",
            "memurai",
        ],
    },
    DedicatedPort { port: 11211, server: "memcached", holders: &["memcached", "mcrouter", "nutcracker"] },
    DedicatedPort { port: 27017, server: "MongoDB", holders: &["mongod", "mongos", "ferretdb"] },
];

/// The starts of the names of programs that hold a port for another one. They contradict nothing.
const FORWARDERS: [&str; 62] = [
    "autossh",
    "aws",
    "az",
    "boundary",
    "caddy",
    "chisel",
    "cloud-sql-proxy",
    "cloud_sql_proxy",
    "cloudflared",
    "code",
    "colima",
    "com.docker",
    "conmon",
    "containerd",
    "cursor",
    "docker",
    "envoy",
    "flyctl",
    "frpc",
    "frps",
    "gcloud",
    "gost",
    "gvproxy",
    "haproxy",
    "inetd",
    "k3s",
    "kube",
    "launchd",
    "lima",
    "minikube",
    "mutagen",
    "ncat",
    "nerdctl",
    "nginx",
    "ngrok",
    "okteto",
    "orbstack",
    "passt",
    "pasta",
    "podman",
    "qemu-",
    "rinetd",
    "rootlessport",
    "session-manager",
    "slirp4netns",
    "socat",
    "ssh",
    "stunnel",
    "svchost",
    "system",
    "tailscaled",
    "telepresence",
    "teleport",
    "toxiproxy",
    "traefik",
    "tsh",
    "vboxheadless",
    "vmnat",
    "vpnkit",
    "wslhost",
    "wslrelay",
    "xinetd",
];

/// Adds notes to the listeners of a machine with this operating system that have none.
pub(crate) fn add(listeners: &mut [Listener], os: &System) {
    for listener in listeners {
        if listener.note.is_none() {
            listener.note = note(listener, os).map(Box::new);
        }
    }
}

/// Returns the note on a listener of a machine with this operating system.
pub(crate) fn note(listener: &Listener, os: &System) -> Option<Note> {
    let socket = &listener.socket;
    if let crate::model::Endpoint::Unix { path: Some(path) } = &socket.endpoint
        && socket.is_listener()
    {
        let names: Vec<&[u8]> =
            listener.holders.iter().flat_map(|holder| program_names(&holder.process)).collect();
        let tool = socket_paths::by_path(path.as_bytes(), &names)?;
        return Some(Note::DefaultPath { program: tool.into() });
    }
    if !listener.holders.is_empty() && listener.holders.iter().all(|holder| is_named(holder, "wineserver")) {
        return Some(Note::Wineserver);
    }
    let port = socket.endpoint.port().filter(|_| socket.protocol == Protocol::Tcp && socket.is_listener())?;
    let is_observed = |holder: &Holder| matches!(holder.evidence, Evidence::Descriptor | Evidence::Table);
    if listener.holders.is_empty() || listener.unseen.is_some() || !listener.holders.iter().all(is_observed) {
        return None;
    }
    risk(listener, port)
        .or_else(|| forwarded(listener, port))
        .or_else(|| airplay(listener, port, os))
        .or_else(|| {
            (*os == System::Windows).then(|| windows::proxy(listener, port)).flatten().map(Note::HeldOnBehalf)
        })
        .or_else(|| contradiction(listener, port))
}

/// Returns the note on a listener that other machines can reach and that gives them control.
fn risk(listener: &Listener, port: u16) -> Option<Note> {
    if !matches!(listener.socket.exposure(), Exposure::All | Exposure::Address) {
        return None;
    }
    let held_by =
        |names: &[&str]| listener.holders.iter().any(|holder| names.iter().any(|one| is_named(holder, one)));
    let command_says = |word: &str| {
        let arguments = || listener.holders.iter().flat_map(|holder| holder.process.command.iter().flatten());
        arguments().any(|argument| argument.to_string_lossy().contains(word))
    };
    let service = match port {
        2375 if held_by(&["dockerd"]) && !command_says("--tls") => OpenService::DockerApi,
        5005 if held_by(&["java"]) && command_says("jdwp") => OpenService::JavaDebugger,
        9222 if command_says("--remote-debugging-port") => OpenService::BrowserDebugger,
        9229 if held_by(&["node", "deno"]) && command_says("--inspect") => OpenService::JavaScriptDebugger,
        _ => return None,
    };
    Some(Note::OpenToNetwork { port, service })
}

/// Returns where a listener leads whose holders only forward it.
fn forwarded(listener: &Listener, port: u16) -> Option<Note> {
    let first = listener.holders.first().map(|holder| &holder.process)?;
    if let Some(forward) = forwards::forward(first, port) {
        return Some(Note::ForwardedByProcess(forward));
    }
    // What holds the server's own port is the server, whatever its name.
    if port == 22 {
        return None;
    }
    // The process of a login listens for nothing else (sshd(8), ssh(1) of OpenSSH 10).
    let login = listener.holders.iter().all(|holder| role(&holder.process) == Some(Role::SshSession));
    login.then_some(Note::SshLogin { port })
}

fn airplay(listener: &Listener, port: u16, os: &System) -> Option<Note> {
    let receiver = listener
        .holders
        .iter()
        .any(|holder| is_named(holder, "controlcenter") || is_named(holder, "controlce"));
    (*os == System::Macos && matches!(port, 5000 | 7000) && receiver).then_some(Note::AirPlay { port })
}

fn contradiction(listener: &Listener, port: u16) -> Option<Note> {
    let dedicated = DEDICATED_PORTS.iter().find(|dedicated| dedicated.port == port)?;
    let known = |holder: &Holder| {
        let names = dedicated.holders.iter().chain(&FORWARDERS);
        let name = name(holder);
        let own = names.into_iter().any(|one| name.starts_with(one));
        // A short name is none that others begin with.
        own || matches!(name.as_str(), "nc" | "netcat" | "erl" | "tor" | "redir")
    };
    let first = listener.holders.first().filter(|_| !listener.holders.iter().any(known))?;
    Some(Note::UnexpectedHolder { port, usual: dedicated.server.into(), holder: first.process.name.clone() })
}

fn is_named(holder: &Holder, wanted: &str) -> bool {
    name(holder) == wanted
}

/// Returns a holder's name for comparison: in lower case, without `.exe`.
fn name(holder: &Holder) -> String {
    let name = holder.process.name.to_string_lossy().to_lowercase();
    name.strip_suffix(".exe").map(str::to_owned).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::json;

    /// A listener of the saved workstation, moved to another port and given another holder.
    fn listener(address: &str, port: u16, name: &str, command: &[&str]) -> Listener {
        let saved = include_bytes!("../../tests/replay/workstation.json");
        let listeners = json::read(saved).unwrap().listeners;
        let mut listener =
            listeners.into_iter().find(|one| one.socket.endpoint.port() == Some(3000)).unwrap();
        let address = address.parse().unwrap();
        listener.socket.endpoint = crate::model::Endpoint::Ip { address, port, interface: None };
        listener.holders.truncate(1);
        listener.holders[0].process.name = name.into();
        listener.holders[0].process.command = Some(command.iter().map(|word| (*word).into()).collect());
        listener.note = None;
        listener
    }

    fn note_text(port: u16, name: &str) -> Option<String> {
        note(&listener("127.0.0.1", port, name, &[]), &System::Linux).map(|note| note.to_string())
    }

    #[test]
    fn an_unexpected_holder_gets_a_note() {
        assert_eq!(note_text(5432, "node").unwrap(), "5432 is PostgreSQL's, but node holds it");
        assert_eq!(note_text(6379, "java").unwrap(), "6379 is Redis's, but java holds it");
        assert_eq!(note_text(3000, "java"), None, "a port that is many programs'");
    }

    #[test]
    fn expected_servers_and_proxies_get_no_note() {
        for (port, names) in [
            (5432, &["postgres", "postmaster", "pgbouncer", "postgres.exe", "POSTGRES"][..]),
            (
                5432,
                &[
                    "docker-proxy",
                    "com.docker.backend",
                    "ssh",
                    "sshd",
                    "kubectl",
                    "socat",
                    "nc",
                    "rootlessport",
                ],
            ),
            (
                5432,
                &[
                    "systemd",
                    "haproxy",
                    "nginx",
                    "gvproxy",
                    "wslrelay.exe",
                    "containerd-shim",
                    "qemu-system-x86_64",
                ],
            ),
            (22, &["sshd", "sshd-session", "dropbear", "systemd", "launchd"]),
            (6379, &["redis-server", "valkey-server", "keydb-server", "dragonfly"]),
            (3306, &["mysqld", "mariadbd", "mysqld_safe"]),
            (27017, &["mongod", "mongos"]),
        ] {
            for name in names {
                assert_eq!(note_text(port, name), None, "{port} {name}");
            }
        }
    }

    #[test]
    fn an_unknown_holder_gets_no_note() {
        let strange = listener("127.0.0.1", 5432, "node", &[]);
        let mut nobody = strange.clone();
        nobody.holders.clear();
        assert_eq!(note(&nobody, &System::Linux), None);
        let mut half = strange.clone();
        half.unseen = Some(
            crate::model::Unseen {
                reason: crate::model::UnseenReason::Permission,
                help: None,
                candidates: vec![],
                kernel: Vec::new(),
            }
            .into(),
        );
        assert_eq!(note(&half, &System::Linux), None);
        let mut likely = strange.clone();
        likely.holders[0].evidence = Evidence::LastUser;
        assert_eq!(note(&likely, &System::Macos), None);
        let mut several = strange.clone();
        several.holders.push(listener("127.0.0.1", 5432, "postgres", &[]).holders[0].clone());
        assert_eq!(note(&several, &System::Linux), None);
        let mut datagrams = strange;
        datagrams.socket.protocol = Protocol::Udp;
        assert_eq!(note(&datagrams, &System::Linux), None);
    }

    #[test]
    fn exposed_services_without_authentication() {
        let docker = |address, command| note(&listener(address, 2375, "dockerd", command), &System::Linux);
        let open = docker("0.0.0.0", &["dockerd", "-H", "tcp://0.0.0.0:2375"]).unwrap().to_string();
        assert!(open.contains("without authentication") && open.ends_with("open to the network"), "{open}");
        assert_eq!(docker("127.0.0.1", &["dockerd"]), None, "this machine only");
        assert_eq!(docker("0.0.0.0", &["dockerd", "--tlsverify"]), None);
        assert!(
            note(&listener("0.0.0.0", 9229, "node", &["node", "--inspect=0.0.0.0"]), &System::Linux)
                .is_some()
        );
        assert_eq!(note(&listener("0.0.0.0", 9229, "node", &["node", "x.js"]), &System::Linux), None);
        assert_eq!(note(&listener("0.0.0.0", 2375, "node", &[]), &System::Linux), None);
    }

    #[test]
    fn airplay_receiver_is_macos_alone() {
        let receiver = listener("0.0.0.0", 5000, "ControlCenter", &[]);
        assert_eq!(note(&receiver, &System::Macos), Some(Note::AirPlay { port: 5000 }));
        assert_eq!(note(&receiver, &System::Linux), None);
        assert_eq!(note(&listener("0.0.0.0", 5000, "python3", &[]), &System::Macos), None);
    }
}
