//! The sentences of notes.

use std::fmt;
use std::net::SocketAddr;

use crate::model::{ForwardedTo, NftablesRule, Note, OpenService, Text, WindowsProxy};
use crate::render::escape::escape;

/// Returns the sentence of a note, safe to print.
pub(crate) fn note(note: &Note) -> String {
    match note {
        // Bytes of a document that are not UTF-8 are kept.
        Note::Other(text) => escape(text),
        note => escape(&Text::from_display(note)),
    }
}

/// The sentence of the note. It may contain control characters.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::DefaultPath { program } => {
                let program = program.to_string_lossy();
                // `Docker's API` as it is; `PostgreSQL` as PostgreSQL's.
                let possessive = if program.contains([' ', '\'']) { "" } else { "'s" };
                write!(f, "a path that is by default {program}{possessive}")
            }
            Note::Wineserver => f.write_str(
                "wineserver holds it for a Windows program, which holds it as well once it has made a call on it; \
                 wine tasklist lists those programs",
            ),
            Note::OpenToNetwork { port, service } => {
                let what = match service {
                    OpenService::DockerApi => {
                        "by convention Docker's API without authentication: whoever reaches it has this machine"
                    }
                    OpenService::JavaDebugger => {
                        "a Java debugger's: whoever reaches it can run code in the process"
                    }
                    OpenService::BrowserDebugger => {
                        "a browser's debugger: whoever reaches it controls the browser"
                    }
                    OpenService::JavaScriptDebugger => {
                        "a JavaScript debugger's: whoever reaches it can run code in the process"
                    }
                };
                write!(f, "{port} is {what}, and it is open to the network")
            }
            Note::ForwardedByProcess(to) => write!(f, "{to}"),
            Note::SshLogin { port } => write!(
                f,
                "a login over ssh opened {port}: with -R of its ssh, or to forward X11, which begins at port 6010"
            ),
            Note::AirPlay { port } => write!(
                f,
                "{port} on macOS is usually AirPlay Receiver; System Settings, AirDrop & Handoff turns it off"
            ),
            Note::UnexpectedHolder { port, usual, holder } => write!(
                f,
                "{port} is {}'s, but {} holds it",
                usual.to_string_lossy(),
                holder.to_string_lossy()
            ),
            Note::HeldOnBehalf(proxy) => write!(f, "{proxy}"),
            Note::SeveralServices { process, services } => {
                let names: Vec<_> = services.iter().map(Text::to_string_lossy).collect();
                let process = process.to_string_lossy();
                write!(f, "{process} runs several services, one of which has it: {}", names.join(", "))
            }
            Note::ProxiedToContainer(address) => {
                write!(f, "connections are forwarded to {address}, a container's address")
            }
            Note::ForwardedByRuntime { not_at } => {
                write!(f, "connections are forwarded by the runtime's rules; no socket is there")?;
                let addresses: Vec<String> = not_at.iter().map(ToString::to_string).collect();
                match addresses.is_empty() {
                    true => Ok(()),
                    false => write!(f, "; {} is not forwarded", addresses.join(", ")),
                }
            }
            Note::ForwardedByRule(rule) => nftables_rule(rule, f),
            Note::NotProbed { interface } => {
                write!(f, "not probed: it accepts only connections through {}", interface.to_string_lossy())
            }
            Note::Other(text) => f.write_str(&text.to_string_lossy()),
        }
    }
}

/// The sentence of a note. It may contain control characters.
impl fmt::Display for ForwardedTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForwardedTo::Ssh { to, by } => {
                write!(f, "ssh forwards it to {} through {}", to.to_string_lossy(), by.to_string_lossy())
            }
            ForwardedTo::Socks { by } => {
                write!(f, "ssh is a SOCKS proxy here, which connects from {}", by.to_string_lossy())
            }
            ForwardedTo::Kubernetes { by, resource, port, namespace } => {
                let kind = if resource.as_bytes().contains(&b'/') { "" } else { "pod/" };
                let (resource, port) = (resource.to_string_lossy(), port.to_string_lossy());
                write!(f, "{} forwards it to port {port} of {kind}{resource}", by.to_string_lossy())?;
                match namespace {
                    Some(namespace) => write!(f, " in namespace {}", namespace.to_string_lossy()),
                    None => Ok(()),
                }
            }
            ForwardedTo::Socat { to } => write!(f, "socat connects it to {}", to.to_string_lossy()),
            ForwardedTo::Guest { address: None, port } => {
                write!(f, "qemu forwards it to port {} of its guest", port.to_string_lossy())
            }
            ForwardedTo::Guest { address: Some(address), port } => write!(
                f,
                "qemu forwards it to {}:{} of its guest",
                address.to_string_lossy(),
                port.to_string_lossy()
            ),
        }
    }
}

/// The sentence of a note.
impl fmt::Display for WindowsProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WindowsProxy::WslRelay => {
                "wslrelay forwards connections to a program inside WSL: wsl -- ss -ltnp names it there"
            }
            WindowsProxy::WslHost => {
                "wslhost forwards connections to a program inside WSL: wsl -- ss -ltnp names it there"
            }
            WindowsProxy::DockerDesktop => {
                "Docker Desktop holds it, as a rule for a container's published port: docker ps names that"
            }
            WindowsProxy::DockerDesktopNetwork => {
                "Docker Desktop's network holds it, as a rule for a container's published port: docker ps names that"
            }
            WindowsProxy::HyperV => "Hyper-V holds it for a virtual machine or a container on this machine",
            WindowsProxy::HyperVWorker => {
                "Hyper-V's worker for a virtual machine holds it; its command line ends in the machine's identifier"
            }
            WindowsProxy::NetBios => "the kernel serves Windows' file sharing over NetBIOS there",
            WindowsProxy::Smb => "the kernel serves Windows' file sharing (SMB) there",
            WindowsProxy::Kernel { port } => {
                return write!(
                    f,
                    "the kernel listens there, as a rule by its web server HTTP.sys for another program: allears why \
                     {port} names that, run as administrator"
                );
            }
        })
    }
}

/// Writes the phrase for a rule:
/// `connections from other machines are forwarded to 10.0.0.2:80 by a rule of nftables (table nat, chain PREROUTING)`.
fn nftables_rule(rule: &NftablesRule, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let which = if rule.conditional { "some connections" } else { "connections" };
    let from = if rule.from_here { "this machine" } else { "other machines" };
    write!(f, "{which} from {from} are forwarded")?;
    match (rule.address, rule.port) {
        (Some(address), Some(port)) => write!(f, " to {}", SocketAddr::new(address, port))?,
        (Some(address), None) => write!(f, " to {address}")?,
        (None, Some(port)) => write!(f, " to port {port}")?,
        (None, None) => {}
    }
    let (table, chain) = (rule.table.to_string_lossy(), rule.chain.to_string_lossy());
    write!(f, " by a rule of nftables (table {table}, chain {chain})")
}
