//! Replies of container runtimes. What is read is written as a reply and read again without loss, and a reply that is cut
//! off is an error.
#![no_main]

use std::fmt::Write;

use allears::internals::{self, RunningContainer};
use allears::{Protocol, Text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let found = match internals::container_reply(bytes) {
        Ok(found) => found,
        Err(problem) => {
            // It follows "its reply" on one line.
            assert!(!problem.is_empty() && problem.len() < 200, "{problem}");
            assert!(internals::is_inert(&problem) && !problem.contains('\n'), "{problem:?}");
            return;
        }
    };
    let whole = bytes.trim_ascii_end();
    assert!(internals::container_reply(&whole[..whole.len() - 1]).is_err());
    for one in &found {
        assert!(one.published.iter().all(|(protocol, _, port, _)| *protocol != Protocol::Unix && *port != 0));
        assert!(one.addresses.is_sorted_by(|one, other| one < other));
        assert_eq!(one.container.port, None);
        assert!(one.container.name.as_ref().is_none_or(|name| !name.is_empty()));
    }
    assert_eq!(internals::container_reply(written(&found).as_bytes()), Ok(found));
});

fn written(found: &[RunningContainer]) -> String {
    let podman = found.first().is_some_and(|one| one.container.runtime == "podman".into());
    let server = if podman { "Libpod/5.0.0 (linux)" } else { "Docker/28.0.0 (linux)" };
    let entries: Vec<String> = found.iter().map(entry).collect();
    format!("HTTP/1.0 200 OK\r\nServer: {server}\r\n\r\n[{}]", entries.join(","))
}

fn entry(one: &RunningContainer) -> String {
    let mut entry = format!(r#"{{"Id":{}"#, string(&one.container.id));
    // Without the slash in front it has none inside; a name that has is that of a link alone.
    if let Some(name) = &one.container.name {
        let _ = write!(entry, r#","Names":[{}]"#, string(name));
    }
    if let Some(image) = &one.container.image {
        let _ = write!(entry, r#","Image":{}"#, string(image));
    }
    if let Some(compose) = &one.container.compose {
        let _ = write!(entry, r#","Labels":{{"com.docker.compose.project":{}"#, string(&compose.project));
        if let Some(service) = &compose.service {
            let _ = write!(entry, r#","com.docker.compose.service":{}"#, string(service));
        }
        entry.push('}');
    }
    if let Some(on_host) = one.on_host {
        let _ =
            write!(entry, r#","HostConfig":{{"NetworkMode":"{}"}}"#, if on_host { "host" } else { "bridge" });
    }
    let ports = one.published.iter().map(|(protocol, address, port, inside)| {
        let address = address.map(|address| address.to_string()).unwrap_or_default();
        let protocol = protocol.as_str();
        format!(r#"{{"IP":"{address}","PrivatePort":{inside},"PublicPort":{port},"Type":"{protocol}"}}"#)
    });
    let _ = write!(entry, r#","Ports":[{}]"#, ports.collect::<Vec<_>>().join(","));
    let networks = one.addresses.iter().enumerate().map(|(at, address)| {
        let key = if address.is_ipv4() { "IPAddress" } else { "GlobalIPv6Address" };
        format!(r#""n{at}":{{"{key}":"{address}"}}"#)
    });
    let _ = write!(
        entry,
        r#","NetworkSettings":{{"Networks":{{{}}}}}}}"#,
        networks.collect::<Vec<_>>().join(",")
    );
    entry
}

/// A text as JSON.
fn string(text: &Text) -> String {
    let mut out = String::from('"');
    for character in text.as_str().expect("JSON is UTF-8").chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if u32::from(control) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
