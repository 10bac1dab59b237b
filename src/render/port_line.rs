//! The line `port` of a card: what is known of a port number.

use std::ops::RangeInclusive;

use super::phrases::assigned_names;
use crate::model::{Protocol, System};
use crate::port_info::{Assignment, CommonUse, Registration, UseStatus};

/// A use of more ports than this is too wide to describe one of them.
pub(super) const NARROW: u16 = 100;

/// Returns the value of a card's line `port`: `5432/tcp is PostgreSQL's (IANA: postgresql)`.
///
/// Uses on other systems than `os` do not count. `automatic` is the machine's ephemeral range, if it is known. `names` are
/// the programs that hold the port: if one of them commonly uses it, only that use is named.
pub(crate) fn port_line(
    port: u16,
    protocol: Protocol,
    os: &System,
    automatic: Option<&RangeInclusive<u16>>,
    names: &[&[u8]],
) -> String {
    let about = crate::port_info::about(port);
    let registration = about.registration(protocol);
    let subject = format!("{port}/{}", protocol.as_str());
    let fits = |one: &&CommonUse| {
        one.protocol == protocol
            && one.platform.as_ref().is_none_or(|platform| platform == os)
            && one.ports.end() - one.ports.start() < NARROW
    };
    let mut uses: Vec<&CommonUse> = about.uses.iter().filter(fits).collect();
    let own: Vec<&CommonUse> = uses.iter().copied().filter(|one| one.is_by(names)).collect();
    if let Some(best) = own.first() {
        // The holder uses the port by default: other uses are not named.
        if best.status != UseStatus::Iana {
            return format!("{subject} is by default {}", best.tool);
        }
        uses = own;
    } else if crate::port_info::is_known_program(names) {
        // The holder is a known program on an unusual port: common uses of that port do not explain it.
        uses.retain(|one| one.status == UseStatus::Iana);
    }
    let range = about.range.as_str();
    let text = match (used(&uses), registration) {
        (Some(used), Registration::Assigned(services)) => {
            format!("{subject} {used} (IANA: {})", assigned_names(services))
        }
        (Some(used), Registration::Reserved(_)) => format!("{subject} {used} (reserved by IANA)"),
        (Some(used), Registration::Unassigned) => format!("{subject} {used} (not assigned by IANA)"),
        (Some(used), Registration::Dynamic) => format!("{subject} {used} (dynamic range, never assigned)"),
        (None, Registration::Assigned(services)) => match services.as_slice() {
            [Assignment { name, description, range: None }] if !description.is_empty() => {
                format!("{subject} is assigned by IANA to {name} ({description})")
            }
            _ => format!("{subject} is assigned by IANA to {}", assigned_names(services)),
        },
        (None, Registration::Reserved(_)) => format!("{range} range, reserved by IANA"),
        (None, Registration::Unassigned) => format!("{range} range, not assigned by IANA"),
        (None, Registration::Dynamic) => "dynamic range (49152-65535), never assigned by IANA".to_owned(),
    };
    let own = matches!(registration, Registration::Unassigned | Registration::Dynamic) && uses.is_empty();
    match automatic {
        Some(automatic) if own && automatic.contains(&port) => {
            format!("{text}; this system may assign it to a program that binds port 0")
        }
        _ => text,
    }
}

/// Returns the phrase for the best documented uses: "is PostgreSQL's", "is by default Python http.server, among others", "is commonly Grafana".
fn used(uses: &[&CommonUse]) -> Option<String> {
    let best = uses.first()?.status;
    let of_best: Vec<&&CommonUse> = uses.iter().filter(|one| one.status == best).collect();
    // A row may name several tools; the card has one line.
    let mut tools: Vec<&str> = of_best.iter().flat_map(|one| one.tool.split(" / ")).collect();
    let all = uses.iter().flat_map(|one| one.tool.split(" / ")).count();
    tools.truncate(3);
    let others = if all > tools.len() { ", among others" } else { "" };
    let tools = super::phrases::list_or(tools);
    // Names of products, not of what they do, have things.
    let owns =
        |one: &CommonUse| matches!(one.category, "db" | "broker") && !one.tool.contains(['/', '(', ' ']);
    Some(match (best, of_best.as_slice()) {
        (UseStatus::Iana, [only]) if owns(only) => format!("is {tools}'s{others}"),
        (UseStatus::Iana, _) => format!("is {tools}{others}"),
        (UseStatus::Primary, _) => format!("is by default {tools}{others}"),
        (UseStatus::List, _) => format!("is commonly {tools}{others}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(port: u16) -> String {
        port_line(port, Protocol::Tcp, &System::Linux, None, &[])
    }

    #[test]
    fn the_line_of_a_card() {
        for (port, expected) in [
            (10309, "registered range, not assigned by IANA"),
            (5432, "5432/tcp is PostgreSQL's (IANA: postgresql)"),
            (2049, "2049/tcp is NFS (IANA: shilp, nfs)"),
            (4, "system range, not assigned by IANA"),
            (10321, "registered range, reserved by IANA"),
            (60000, "dynamic range (49152-65535), never assigned by IANA"),
            (5173, "5173/tcp is by default Vite dev server (not assigned by IANA)"),
            (8384, "8384/tcp is commonly Syncthing web UI (reserved by IANA)"),
            (10288, "10288/tcp is assigned by IANA to blocks (Blocks)"),
            (6005, "6005/tcp is assigned by IANA to x11, by its range 6000-6063"),
        ] {
            assert_eq!(tcp(port), expected);
        }
    }

    #[test]
    fn uses_of_another_system_do_not_count() {
        assert!(!tcp(7000).contains("AirPlay"), "{}", tcp(7000));
        assert!(port_line(7000, Protocol::Tcp, &System::Macos, None, &[]).contains("AirPlay"));
    }

    #[test]
    fn a_port_that_the_system_may_have_chosen_itself() {
        let chosen = |port| port_line(port, Protocol::Tcp, &System::Linux, Some(&(32768..=60999)), &[]);
        assert!(
            chosen(40001).ends_with("; this system may assign it to a program that binds port 0"),
            "{}",
            chosen(40001)
        );
        assert!(!chosen(61000).contains("this system"));
        assert!(!chosen(51820).contains("this system") || tcp(51820).starts_with("dynamic"));
        assert!(!chosen(33060).contains("this system"), "an assigned one was asked for by number");
    }

    #[test]
    fn every_port_has_a_line_of_one_line() {
        for port in 1..=u16::MAX {
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                let line = port_line(port, protocol, &System::Linux, None, &[]);
                assert!(!line.is_empty() && !line.contains(crate::model::text::acts_on_terminal), "{line:?}");
            }
        }
    }

    /// What eighty programs open by themselves: the table of November 2026.
    #[test]
    fn the_default_port_of_a_program_is_named() {
        use Protocol::{Tcp, Udp};
        for (name, script, protocol, port, expected) in [
            ("gunicorn", "gunicorn app:app", Tcp, 8000, "is by default Gunicorn"),
            ("uvicorn", "uvicorn app:app", Tcp, 8000, "is by default Uvicorn"),
            ("granian", "granian app:app", Tcp, 8000, "is by default Granian"),
            ("hypercorn", "hypercorn app:app", Tcp, 8000, "is by default Hypercorn"),
            ("daphne", "daphne app:app", Tcp, 8000, "is by default Daphne"),
            ("litestar", "litestar run", Tcp, 8000, "is by default Litestar"),
            ("php", "php -S", Tcp, 8000, "is by default PHP built-in server"),
            ("waitress-serve", "waitress-serve app:app", Tcp, 8080, "is by default Waitress"),
            ("flask", "flask run", Tcp, 5000, "is by default Flask dev server"),
            ("python", "a.py", Tcp, 8050, "is commonly Plotly Dash"),
            ("locust", "locust", Tcp, 8089, "is by default Locust"),
            ("tensorboard", "tensorboard", Tcp, 6006, "is by default TensorBoard"),
            ("node", "server.js", Tcp, 9229, "is by default Node.js"),
            ("puma", "puma", Tcp, 9292, "is by default Puma"),
            ("redis-server", "", Tcp, 6379, "is Redis's (IANA: redis)"),
            ("valkey-server", "", Tcp, 6379, "is by default Valkey"),
            ("memcached", "", Tcp, 11211, "is memcached's (IANA: memcache)"),
            ("bore", "", Tcp, 7835, "is by default bore server"),
            ("mitmweb", "mitmweb", Tcp, 8080, "is by default mitmproxy"),
            ("mitmweb", "mitmweb", Tcp, 8081, "is by default mitmweb"),
            ("sccache", "", Tcp, 4226, "is by default sccache"),
            ("jupyter-lab", "jupyter-lab", Tcp, 8888, "is by default Jupyter"),
            ("marimo", "marimo edit", Tcp, 2718, "is by default marimo"),
            ("gradio", "gradio a.py", Tcp, 7860, "is by default Gradio"),
            ("bokeh", "bokeh serve", Tcp, 5006, "is by default Bokeh"),
            ("dask", "dask scheduler", Tcp, 8786, "is by default Dask scheduler"),
            ("dask", "dask scheduler", Tcp, 8787, "is by default Dask dashboard"),
            ("streamlit", "streamlit run", Tcp, 8501, "is by default Streamlit"),
            ("prefect", "prefect server start", Tcp, 4200, "is by default Prefect"),
            ("nats-server", "", Tcp, 4222, "is by default NATS"),
            ("beam.smp", "RabbitMQ", Tcp, 5672, "is RabbitMQ (AMQP) (IANA: amqp)"),
            ("beam.smp", "RabbitMQ", Tcp, 25672, "is by default RabbitMQ between its nodes"),
            ("epmd", "", Tcp, 4369, "is Erlang port mapper (epmd) (IANA: epmd)"),
            ("mosquitto", "", Tcp, 1883, "is MQTT's (IANA: mqtt)"),
            ("etcd", "", Tcp, 2379, "is etcd client (IANA: etcd-client)"),
            ("etcd", "", Tcp, 2380, "is etcd peer (IANA: etcd-server)"),
            ("prometheus", "", Tcp, 9090, "is by default Prometheus"),
            ("caddy", "", Tcp, 2019, "is by default Caddy admin API"),
            ("unbound", "", Udp, 53, "is DNS (IANA: domain)"),
            ("named", "", Tcp, 53, "is DNS (IANA: domain)"),
            ("named", "", Tcp, 953, "is control of a DNS server (rndc) (IANA: rndc)"),
            ("dnsmasq", "", Udp, 53, "is DNS (IANA: domain)"),
            ("chronyd", "", Udp, 323, "is by default chrony's commands (chronyc)"),
            ("systemd-resolved", "", Tcp, 53, "is DNS (IANA: domain)"),
            ("systemd-resolved", "", Udp, 5355, "is LLMNR (systemd-resolved) (IANA: llmnr)"),
            ("cupsd", "", Tcp, 631, "is CUPS printing (IANA: ipp, ipps)"),
            ("smbd", "", Tcp, 139, "is file sharing over NetBIOS (Samba) (IANA: netbios-ssn)"),
            ("smbd", "", Tcp, 445, "is SMB file sharing (Samba) (IANA: microsoft-ds)"),
            ("nmbd", "", Udp, 137, "is NetBIOS names (IANA: netbios-ns)"),
            ("nmbd", "", Udp, 138, "is NetBIOS datagrams (IANA: netbios-dgm)"),
            ("transmission-daemon", "", Tcp, 9091, "is by default Transmission web interface"),
            ("transmission-daemon", "", Udp, 51413, "is by default Transmission peers"),
            ("syncthing", "", Tcp, 8384, "is by default Syncthing web UI"),
            ("syncthing", "", Udp, 22000, "is by default Syncthing sync"),
            ("syncthing", "", Udp, 21027, "is by default Syncthing local discovery"),
            ("tor", "", Tcp, 9050, "is by default Tor SOCKS proxy"),
            ("i2pd-daemon", "", Tcp, 4444, "is by default I2P HTTP proxy"),
            ("i2pd-daemon", "", Tcp, 4447, "is by default I2P SOCKS proxy"),
            ("i2pd-daemon", "", Tcp, 7070, "is by default i2pd web console"),
            ("i2pd-daemon", "", Tcp, 7656, "is by default I2P applications (SAM)"),
            ("i2pd-daemon", "", Udp, 7655, "is by default I2P datagrams (SAM)"),
            ("mariadbd", "", Tcp, 3306, "is MySQL or MariaDB (IANA: mysql)"),
            ("postgres", "", Tcp, 5432, "is PostgreSQL's (IANA: postgresql)"),
            ("gdbserver", "", Tcp, 1234, "is by default gdbserver"),
            ("qemu-system-x86_64", "", Tcp, 5900, "is VNC, display 0 (IANA: rfb)"),
            ("qemu-system-x86_64", "", Tcp, 5555, "is assigned by IANA to personal-agent (Personal Agent)"),
            ("xrdp", "", Tcp, 3389, "is Remote Desktop (xrdp) (IANA: ms-wbt-server)"),
            ("Xvnc", "", Tcp, 5901, "is by default VNC, display 1"),
            ("avahi-daemon", "", Udp, 5353, "is mDNS (Avahi, mDNSResponder, browsers) (IANA: mdns)"),
            ("snmpd", "", Tcp, 199, "is SMUX of an SNMP agent (IANA: smux)"),
            ("snmpd", "", Udp, 161, "is assigned by IANA to snmp (SNMP)"),
            ("rsync", "", Tcp, 873, "is assigned by IANA to rsync (rsync)"),
            ("vsftpd", "", Tcp, 21, "is assigned by IANA to ftp (File Transfer Protocol [Control])"),
            ("dovecot", "", Tcp, 143, "is assigned by IANA to imap (Internet Message Access Protocol)"),
            ("exim4", "", Tcp, 25, "is assigned by IANA to smtp (Simple Mail Transfer)"),
            ("spamd child", "spamd", Tcp, 783, "is by default SpamAssassin (spamd)"),
        ] {
            let names = [name.as_bytes(), script.as_bytes()];
            let line = port_line(port, protocol, &System::Linux, None, &names);
            assert!(line.starts_with(&format!("{port}/{} {expected}", protocol.as_str())), "{name}: {line}");
            assert!(
                expected.contains("Plotly")
                    || expected.contains("Node.js")
                    || expected.contains("MySQL")
                    || line.ends_with(expected),
                "{name}: {line}"
            );
        }
    }
}
