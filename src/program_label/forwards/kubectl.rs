//! `kubectl port-forward`, from its reference (Kubernetes 1.34). `oc` of OpenShift has the same grammar. Pure.

use super::LONGEST_LABEL;
use crate::model::{ForwardedTo, Text};

/// Options of kubectl without a value.
const FLAGS: [&[u8]; 6] = [
    b"--insecure-skip-tls-verify",
    b"--match-server-version",
    b"--warnings-as-errors",
    b"--disable-compression",
    b"--help",
    b"-h",
];

/// The command line of `kubectl port-forward`.
struct PortForward<'a> {
    /// `svc/db`; a name alone is that of a pod.
    resource: &'a [u8],
    /// `8080:80`, `80`, `:80`.
    ports: Vec<&'a [u8]>,
    namespace: Option<&'a [u8]>,
}

impl<'a> PortForward<'a> {
    fn parse(arguments: &[&'a [u8]]) -> Option<PortForward<'a>> {
        let mut positional = Vec::new();
        let mut namespace = None;
        let mut words = arguments.iter().copied();
        while let Some(word) = words.next() {
            match word {
                b"--" => positional.extend(words.by_ref()),
                b"-n" | b"--namespace" => namespace = words.next(),
                word if word.starts_with(b"--namespace=") => namespace = word.get(b"--namespace=".len()..),
                word if !word.starts_with(b"-") => positional.push(word),
                word if word.contains(&b'=') || FLAGS.contains(&word) => {}
                // `-nshop`, `-v6`
                word if !word.starts_with(b"--") && word.len() > 2 => {
                    namespace = word.strip_prefix(b"-n").or(namespace);
                }
                _ => _ = words.next(),
            }
        }
        match positional.as_slice() {
            [b"port-forward", resource, ports @ ..] if !ports.is_empty() => {
                Some(PortForward { resource, ports: ports.to_vec(), namespace })
            }
            _ => None,
        }
    }
}

/// Returns its label: `kubectl port-forward svc/db 8080:80`.
pub(super) fn label(program: &str, arguments: &[&[u8]]) -> Option<Vec<u8>> {
    let forward = PortForward::parse(arguments)?;
    let mut label = [program.as_bytes(), b" port-forward ", forward.resource].concat();
    let ports = forward.ports.join(&b' ');
    match label.len() + ports.len() > LONGEST_LABEL {
        true => label.extend(format!(", {} ports", forward.ports.len()).as_bytes()),
        false => label.extend([b" ".as_slice(), &ports].concat()),
    }
    (label.len() <= LONGEST_LABEL * 2).then_some(label)
}

/// Returns where the listener of this program on this port leads.
pub(super) fn forward(program: &str, arguments: &[&[u8]], port: u16) -> Option<ForwardedTo> {
    let forward = PortForward::parse(arguments)?;
    let to = forward.ports.iter().find_map(|ports| {
        let (local, remote) = match ports.iter().position(|byte| *byte == b':') {
            Some(at) => (ports.get(..at)?, ports.get(at + 1..)?),
            None => (*ports, *ports),
        };
        (std::str::from_utf8(local).ok()?.parse() == Ok(port)).then_some(remote)
    })?;
    Some(ForwardedTo::Kubernetes {
        by: Text::from(program),
        resource: Text::from(forward.resource),
        port: Text::from(to),
        namespace: forward.namespace.map(Text::from),
    })
}
