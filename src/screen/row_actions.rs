//! What keys do with the selected listener: the port to test or to free, the text to copy, the URL to open.

use std::net::SocketAddr;

use crate::model::{Endpoint, Listener, Protocol, State, Target, Text};
use crate::render::browser_url::browser_url;
use crate::shell;

/// The longest text that is copied: terminals ignore longer ones.
const LONGEST_COPY: usize = 64 * 1024;

/// What is copied of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copied {
    Pid,
    /// The address with the port, or the path.
    Address,
    /// The command line, quoted for the shell.
    Command,
}

/// Returns the port of a listener as `why` and `free` take it: without an address for a wildcard.
///
/// # Errors
/// Why they cannot be asked about it, as a sentence.
pub(super) fn bind_target(listener: &Listener) -> Result<Target, String> {
    let socket = &listener.socket;
    let Endpoint::Ip { address, port, interface } = &socket.endpoint else {
        return Err("a Unix socket has no port".to_owned());
    };
    if socket.namespace.is_some() {
        return Err("the port is in another network namespace; run allears there".to_owned());
    }
    if !matches!(socket.protocol, Protocol::Tcp | Protocol::Udp) {
        return Err(format!("only ports of TCP and UDP are supported, not of {}", socket.protocol));
    }
    if !(socket.is_listener() || socket.state == State::Bound) {
        return Err("this is a connection; select the listener of the port".to_owned());
    }
    match address.is_unspecified() {
        true => Ok(Target::from_parts(Some(socket.protocol), None, *port..=*port)),
        false if interface.is_some() => {
            Err("the address needs an interface; run allears free or why with ADDRESS%INTERFACE".to_owned())
        }
        false => Ok(Target::exactly(socket.protocol, *address, *port)),
    }
}

/// Returns the text to copy.
///
/// # Errors
/// Why there is none, as a sentence.
pub(super) fn copied(listener: &Listener, what: Copied) -> Result<String, String> {
    let process = listener.head().map(|holder| &holder.process);
    let unsafe_text = |what: &str| format!("not copied: the {what} cannot be quoted safely");
    let text = match what {
        Copied::Pid => process.map(|process| process.id.pid.to_string()).ok_or("no holder is known")?,
        Copied::Address => match &listener.socket.endpoint {
            Endpoint::Ip { address, port, .. } => SocketAddr::new(*address, *port).to_string(),
            Endpoint::Unix { path: Some(path) } => shell::quote(path).ok_or_else(|| unsafe_text("path"))?,
            Endpoint::Unix { path: None } => return Err("the socket has no name".to_owned()),
        },
        Copied::Command => {
            let words: Option<&[Text]> = process.and_then(|process| process.command.as_deref());
            let words = words.filter(|words| !words.is_empty()).ok_or("no command line is known")?;
            shell::line(words).ok_or_else(|| unsafe_text("command line"))?
        }
    };
    match text.len() > LONGEST_COPY {
        true => Err("not copied: it is too long for a terminal's clipboard".to_owned()),
        false => Ok(text),
    }
}

/// Returns the URL of a listener for a browser on this machine.
///
/// # Errors
/// Why there is none, as a sentence.
pub(super) fn url(listener: &Listener) -> Result<String, String> {
    browser_url(listener)
        .ok_or_else(|| "not opened: browsers open TCP ports that answer at localhost".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Socket;

    fn listener(protocol: Protocol, address: &str, state: State) -> Listener {
        let endpoint = Endpoint::Ip { address: address.parse().unwrap(), port: 3000, interface: None };
        Listener::new(Socket::new(protocol, endpoint, state))
    }

    #[test]
    fn only_a_port_of_this_namespace_is_tested_or_freed() {
        let target = |listener: &Listener| bind_target(listener).map(|target| target.to_string());
        let tcp = listener(Protocol::Tcp, "127.0.0.1", State::Listen);
        assert_eq!(target(&tcp).as_deref(), Ok("tcp 127.0.0.1:3000"));
        assert_eq!(
            target(&listener(Protocol::Tcp, "0.0.0.0", State::Listen)).as_deref(),
            Ok("tcp port 3000")
        );
        assert_eq!(target(&listener(Protocol::Udp, "::", State::Bound)).as_deref(), Ok("udp port 3000"));
        for refused in [
            listener(Protocol::Tcp, "127.0.0.1", State::Established),
            listener(Protocol::Sctp, "127.0.0.1", State::Listen),
            Listener::new(Socket::new(Protocol::Unix, Endpoint::Unix { path: None }, State::Listen)),
            {
                let mut other = tcp.clone();
                other.socket.namespace = Some("web".into());
                other
            },
            {
                let mut scoped = tcp.clone();
                let address = "fe80::1".parse().unwrap();
                scoped.socket.endpoint = Endpoint::Ip { address, port: 1, interface: Some("eth0".into()) };
                scoped
            },
        ] {
            assert!(bind_target(&refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn what_is_copied_is_quoted_or_refused() {
        let mut one = listener(Protocol::Tcp, "::1", State::Listen);
        assert!(copied(&one, Copied::Pid).is_err() && copied(&one, Copied::Command).is_err());
        one = crate::verdict::test_support::held_by(one, "node");
        one.holders[0].process.id.pid = 7;
        one.holders[0].process.command = Some(vec!["node".into(), "a b.js".into()]);
        assert_eq!(copied(&one, Copied::Pid).as_deref(), Ok("7"));
        assert_eq!(copied(&one, Copied::Address).as_deref(), Ok("[::1]:3000"));
        if shell::Shell::Posix == crate::os::SHELL {
            assert_eq!(copied(&one, Copied::Command).as_deref(), Ok("node 'a b.js'"));
        }
        one.holders[0].process.command = Some(vec!["node\n rm".into()]);
        assert!(copied(&one, Copied::Command).unwrap_err().contains("quoted"));
        let path = Endpoint::Unix { path: Some("/run/\u{1b}[31m".into()) };
        assert!(
            copied(&Listener::new(Socket::new(Protocol::Unix, path, State::Listen)), Copied::Address)
                .is_err()
        );
    }
}
