//! Descriptions beside completions, in a few words.

use super::process::{opener, user};
use crate::model::{Protocol, Socket, Text};
use crate::render::escape::escape;

/// Returns the holders of a listener: `node (pid 4121) and 1 other`. `holders` is `None` if they were not searched for.
pub(crate) fn holders(socket: &Socket, holders: Option<&[(u32, Text)]>) -> String {
    let opener = opener(socket);
    let names = match holders {
        Some([(pid, name)]) => format!("{} (pid {pid})", escape(name)),
        Some([(pid, name), rest @ ..]) => format!("{} (pid {pid}) and {} more", escape(name), rest.len()),
        Some([]) => opener.map_or_else(|| "not seen".to_owned(), |user| format!("not seen, {user}")),
        None => opener.unwrap_or_default(),
    };
    match (socket.protocol, names.as_str()) {
        (Protocol::Tcp, _) => names,
        (protocol, "") => protocol.to_string(),
        (protocol, _) => format!("{protocol}: {names}"),
    }
}

/// Returns the ports of a process or a user: `3000, 5173 and 2 more`.
pub(crate) fn ports(ports: &[u16]) -> String {
    const MOST: usize = 4;
    let shown: Vec<String> = ports.iter().take(MOST).map(u16::to_string).collect();
    let rest = match ports.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let word = if ports.len() == 1 { "port" } else { "ports" };
    format!("{word} {}{rest}", shown.join(", "))
}

/// Returns a process and its ports: `node, port 3000`.
pub(crate) fn process_and_ports(name: &Text, of: &[u16]) -> String {
    format!("{}, {}", escape(name), ports(of))
}

/// Returns a service of the registry: `5432, PostgreSQL Database`.
pub(crate) fn service(port: u16, description: &str) -> String {
    if description.is_empty() { port.to_string() } else { format!("{port}, {description}") }
}

/// Returns a user without listeners.
pub(crate) fn uid(uid: u32) -> String {
    user(&None, Some(uid)).unwrap_or_default()
}
