//! Parses a runtime's reply to a request for its containers: HTTP with a JSON list, as defined by Docker's Engine API
//! ("ContainerList") and implemented by Podman too. Pure: any bytes give a list or an error.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::http::{self, StatusLineError};
use crate::model::{Compose, Container, ContainerRuntime, Protocol, Text, UnreadableReply};

/// A running container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    /// The container, without a port, which depends on the socket.
    pub(crate) container: Container,
    /// Its addresses on all of its networks.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) published: Vec<Published>,
    /// Whether it uses the machine's own network. `None` if the runtime does not report it.
    pub(crate) on_host: Option<bool>,
}

/// A published port of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) protocol: Protocol,
    /// `None` for every address.
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
    pub(crate) inside: u16,
}

/// Returns the containers in a reply, or why it cannot be read.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Running>, UnreadableReply> {
    let (head, body) = http::split_head(bytes).ok_or(UnreadableReply::EndlessHeader)?;
    let mut lines = http::lines(head);
    match http::status(lines.next().unwrap_or_default()) {
        Ok(200) => {}
        Ok(status) => return Err(UnreadableReply::Status(status)),
        Err(StatusLineError::NotHttp) => return Err(UnreadableReply::NotHttp),
        Err(StatusLineError::NoStatus) => return Err(UnreadableReply::NoStatus),
    }
    let mut runtime = ContainerRuntime::Docker;
    for (name, value) in lines.filter_map(http::field) {
        match name.as_slice() {
            b"server" if value.starts_with(b"Libpod") => runtime = ContainerRuntime::Podman,
            b"libpod-api-version" => runtime = ContainerRuntime::Podman,
            // The request uses HTTP/1.0, so the reply must not be chunked.
            b"transfer-encoding" if !value.eq_ignore_ascii_case(b"identity") => {
                return Err(UnreadableReply::Chunked);
            }
            b"content-length" => {
                let length = std::str::from_utf8(value).ok().and_then(|value| value.parse::<usize>().ok());
                if length.is_some_and(|length| body.len() < length) {
                    return Err(UnreadableReply::CutShort);
                }
            }
            _ => {}
        }
    }
    let entries: Vec<ContainerJson> = serde_json::from_slice(body).map_err(|error| problem(&error))?;
    Ok(entries.into_iter().map(|entry| entry.running(runtime.clone())).collect())
}

/// Returns what is wrong with the JSON. For a value of another type, serde_json's own message repeats the value, which is
/// foreign text of any length.
fn problem(error: &serde_json::Error) -> UnreadableReply {
    match error.is_data() {
        true => UnreadableReply::UnexpectedValue { line: error.line(), column: error.column() },
        false => UnreadableReply::NotJson(Text::from_display(error)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerJson {
    id: String,
    names: Option<Vec<String>>,
    image: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    ports: Option<Vec<Port>>,
    host_config: Option<HostConfig>,
    network_settings: Option<NetworkSettings>,
}

#[derive(Deserialize)]
struct Port {
    #[serde(rename = "IP")]
    address: Option<String>,
    #[serde(rename = "PrivatePort")]
    inside: u16,
    #[serde(rename = "PublicPort")]
    port: Option<u16>,
    #[serde(rename = "Type")]
    protocol: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    network_mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    networks: Option<BTreeMap<String, Option<Network>>>,
}

#[derive(Deserialize)]
struct Network {
    #[serde(rename = "IPAddress")]
    ipv4: Option<String>,
    #[serde(rename = "GlobalIPv6Address")]
    ipv6: Option<String>,
}

impl ContainerJson {
    fn running(self, runtime: ContainerRuntime) -> Running {
        let names = self.names.unwrap_or_default();
        // A container that others link to also has a name for each link: `/other/alias`.
        let own = |name: &&String| !name.trim_start_matches('/').contains('/');
        let name = names.iter().find(own).or_else(|| names.first());
        let name = name.map(|name| name.trim_start_matches('/')).filter(|name| !name.is_empty());
        let networks = self.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let mut addresses: Vec<IpAddr> = networks
            .into_values()
            .flatten()
            .flat_map(|network| [network.ipv4, network.ipv6])
            .filter_map(|address| address?.parse().ok())
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        Running {
            container: Container {
                runtime,
                id: self.id.as_str().into(),
                uid: None,
                name: name.map(Text::from),
                image: self.image.filter(|image| !image.is_empty()).map(|image| image.as_str().into()),
                port: None,
                compose: self.labels.as_ref().and_then(compose),
            },
            addresses,
            published: self.ports.unwrap_or_default().iter().filter_map(Port::published).collect(),
            on_host: self.host_config.and_then(|config| config.network_mode).map(|mode| mode == "host"),
        }
    }
}

impl Port {
    /// Returns the published port. `None` if it is only exposed, or if the protocol is unknown.
    fn published(&self) -> Option<Published> {
        let address = self.address.as_deref().filter(|address| !address.is_empty());
        let address = match address {
            Some(address) => Some(address.parse::<IpAddr>().ok()?),
            None => None,
        };
        Some(Published {
            protocol: Protocol::parse(&self.protocol).filter(|protocol| *protocol != Protocol::Unix)?,
            address,
            port: self.port.filter(|port| *port != 0)?,
            inside: self.inside,
        })
    }
}

/// Returns the project and service in the labels that Compose or podman-compose sets.
fn compose(labels: &BTreeMap<String, String>) -> Option<Compose> {
    let label = |name: &str| {
        let with_prefix =
            |prefix: &str| labels.get(&format!("{prefix}.{name}")).filter(|value| !value.is_empty());
        with_prefix("com.docker.compose")
            .or_else(|| with_prefix("io.podman.compose"))
            .map(|value| Text::from(value.as_str()))
    };
    Some(Compose { project: label("project")?, service: label("service") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Replies of Docker 20.10 and Podman 4.3.
    const DOCKER: &[u8] = include_bytes!("../../../tests/runtimes/docker.http");
    const PODMAN: &[u8] = include_bytes!("../../../tests/runtimes/podman.http");

    fn published(protocol: Protocol, address: Option<&str>, port: u16, inside: u16) -> Published {
        Published { protocol, address: address.map(|address| address.parse().unwrap()), port, inside }
    }

    #[test]
    fn docker_answers() {
        let running = parse(DOCKER).unwrap();
        let names: Vec<_> = running.iter().map(|one| one.container.name.clone().unwrap()).collect();
        assert_eq!(names, [Text::from("host"), Text::from("web-1")]);
        assert_eq!((running[0].on_host, running[1].on_host), (Some(true), Some(false)));
        let web = &running[1];
        assert_eq!(web.container.runtime, "docker".into());
        assert_eq!(web.container.id.as_bytes().len(), 64);
        assert_eq!(web.container.image, Some("box:1".into()));
        let compose = web.container.compose.as_ref().unwrap();
        assert_eq!((&compose.project, &compose.service), (&"shop".into(), &Some("web".into())));
        assert_eq!(web.addresses, ["172.20.0.2".parse::<IpAddr>().unwrap(), "172.21.0.2".parse().unwrap()]);
        assert_eq!(
            web.published,
            [
                published(Protocol::Tcp, Some("0.0.0.0"), 18080, 80),
                published(Protocol::Tcp, Some("::"), 18080, 80),
                published(Protocol::Udp, Some("127.0.0.1"), 18081, 81),
            ]
        );
        assert!(running[0].addresses.is_empty() && running[0].published.is_empty());
    }

    #[test]
    fn podman_answers() {
        let running = parse(PODMAN).unwrap();
        let pod = &running[0];
        assert_eq!(pod.container.runtime, "podman".into());
        assert_eq!(pod.container.name, Some("pod".into()));
        let compose = pod.container.compose.as_ref().unwrap();
        assert_eq!((&compose.project, &compose.service), (&"barn".into(), &Some("api".into())));
        assert_eq!(pod.on_host, None);
        assert_eq!(
            pod.published,
            [
                published(Protocol::Udp, Some("127.0.0.1"), 18281, 81),
                published(Protocol::Tcp, None, 18280, 80),
            ]
        );
    }

    #[test]
    fn each_field_of_the_head_decides_alone() {
        let runtime = |field: &str| {
            let reply = format!("HTTP/1.0 200 OK\r\n{field}\r\n\r\n[{{\"Id\":\"4f\"}}]");
            parse(reply.as_bytes()).unwrap().remove(0).container.runtime
        };
        assert_eq!(runtime("Server: Libpod/4.3.1 (linux)"), ContainerRuntime::Podman);
        assert_eq!(runtime("Libpod-Api-Version: 4.3.1"), ContainerRuntime::Podman);
        assert_eq!(runtime("Server: Docker/20.10.24+dfsg1 (linux)"), ContainerRuntime::Docker);
        assert_eq!(runtime("Transfer-Encoding: Identity"), ContainerRuntime::Docker, "the body as it is");
    }

    #[test]
    fn missing_values_are_none() {
        let reply = |body: &str| parse(format!("HTTP/1.0 200 OK\r\n\r\n{body}").as_bytes());
        assert_eq!(reply("[]"), Ok(Vec::new()));
        let bare = reply(r#"[{"Id":"4f"}]"#).unwrap().remove(0);
        assert_eq!((bare.container.name, bare.container.image, bare.container.compose), (None, None, None));
        let nulls = r#"[{"Id":"4f","Names":null,"Image":"","Labels":null,"Ports":null,"HostConfig":{},
            "NetworkSettings":{"Networks":{"a":null}}}]"#;
        assert_eq!(reply(nulls).unwrap()[0].on_host, None);
        let linked = r#"[{"Id":"4f","Names":["/app/db","/db-1"],"Labels":{"com.docker.compose.service":"db"},
            "Ports":[{"PrivatePort":80,"Type":"tcp"},{"PrivatePort":80,"PublicPort":0,"Type":"tcp"},
            {"IP":"x","PrivatePort":80,"PublicPort":1,"Type":"tcp"},{"IP":"","PrivatePort":9,"PublicPort":7,"Type":"sctp"},
            {"PrivatePort":80,"PublicPort":1,"Type":"unix"}]}]"#;
        let linked = reply(linked).unwrap().remove(0);
        assert_eq!(linked.container.name, Some("db-1".into()));
        assert_eq!(linked.container.compose, None, "a service of no project");
        assert_eq!(linked.published, [published(Protocol::Sctp, None, 7, 9)]);
    }

    #[test]
    fn invalid_replies() {
        for (reply, wrong) in [
            (&b""[..], "has a header that does not end"),
            (b"HTTP/1.0 200 OK\r\n", "has a header that does not end"),
            (b"SSH-2.0-x\r\n\r\n", "is not HTTP"),
            (b"HTTP/1.0 500 Internal Server Error\r\n\r\n[]", "has the status 500"),
            (b"HTTP/1.0 200\xecOK\r\n\r\n[]", "has no status"),
            (b"HTTP/1.0\r\n\r\n[]", "has no status"),
            (
                b"HTTP/1.0 200 OK\r\n\r\n[{\"Id\":\"4f\",\"Ports\":\"long\"}]",
                "cannot be parsed: a value is missing or of another type at line 1 column 26",
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n",
                "uses a transfer encoding, which is not supported",
            ),
            (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n[]", "ends too early"),
            (b"HTTP/1.0 200 OK\r\n\r\n[", "cannot be parsed: EOF while parsing a list at line 1 column 1"),
        ] {
            let reason = parse(reply).unwrap_err();
            assert_eq!(reason.to_string(), format!("its reply {wrong}"), "{}", reply.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = parse(&bytes);
            let _ = parse(&[b"HTTP/1.0 200 OK\n\n", bytes.as_slice()].concat());
        }

        #[test]
        fn a_reply_with_any_byte_changed(at in 0..DOCKER.len(), byte: u8) {
            let mut bytes = DOCKER.to_vec();
            bytes[at] = byte;
            let _ = parse(&bytes);
        }

        #[test]
        fn a_reply_that_was_cut_off(cut in 0..DOCKER.trim_ascii_end().len()) {
            prop_assert!(parse(&DOCKER[..cut]).is_err());
        }
    }
}
