//! Forwards in command lines: `-L`, `-R` and `-D` of ssh(1), the ports that qemu forwards into its guest, kubectl and
//! socat. Pure. Configuration files are not read.

mod kubectl;
mod socat;

use crate::model::{ForwardedTo, Process, Text};

/// A forward in the command line of ssh.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ForwardOption<'a> {
    /// `L`, `R` or `D`.
    letter: u8,
    value: &'a [u8],
}

/// The command line of ssh.
#[derive(Debug, Default)]
struct Ssh<'a> {
    forwards: Vec<ForwardOption<'a>>,
    host: Option<&'a [u8]>,
}

/// Letters of ssh's options that take a value (ssh(1) of OpenSSH 10).
const VALUED: &[u8] = b"BbcDEeFIiJLlmOoPpQRSWw";
/// The longest label.
const LONGEST_LABEL: usize = 72;

impl<'a> Ssh<'a> {
    /// Parses the arguments. Options come before and after the host; the first word after them is the command.
    fn parse(arguments: &[&'a [u8]]) -> Ssh<'a> {
        let mut ssh = Ssh::default();
        let mut words = arguments.iter().copied();
        while let Some(word) = words.next() {
            let Some(letters) = word.strip_prefix(b"-").filter(|letters| !letters.is_empty()) else {
                if ssh.host.is_some() {
                    break;
                }
                ssh.host = Some(word);
                continue;
            };
            if letters == b"-" {
                ssh.host = ssh.host.or_else(|| words.next());
                break;
            }
            let Some(at) = letters.iter().position(|letter| VALUED.contains(letter)) else { continue };
            let attached = letters.get(at + 1..).filter(|value| !value.is_empty());
            let Some(value) = attached.or_else(|| words.next()) else { break };
            match letters.get(at) {
                Some(letter @ (b'L' | b'R' | b'D')) => {
                    ssh.forwards.push(ForwardOption { letter: *letter, value })
                }
                Some(b'o') => ssh.forwards.extend(by_option(value)),
                _ => {}
            }
        }
        ssh
    }
}

/// Parses `-o DynamicForward=1080`. The values of LocalForward and RemoteForward have a space between their parts.
fn by_option(option: &[u8]) -> Option<ForwardOption<'_>> {
    let at = option.iter().position(|byte| matches!(byte, b'=' | b' '))?;
    let (name, value) = (option.get(..at)?, option.get(at + 1..)?);
    let value = value.trim_ascii();
    name.trim_ascii().eq_ignore_ascii_case(b"DynamicForward").then_some(ForwardOption { letter: b'D', value })
}

impl ForwardOption<'_> {
    /// Returns the parts between colons. A part in brackets may contain colons.
    fn parts(&self) -> Vec<&[u8]> {
        let mut parts = Vec::new();
        let (mut start, mut depth) = (0, 0_u32);
        for (at, byte) in self.value.iter().enumerate() {
            match byte {
                b'[' => depth += 1,
                b']' => depth = depth.saturating_sub(1),
                b':' if depth == 0 => {
                    parts.push(self.value.get(start..at).unwrap_or_default());
                    start = at + 1;
                }
                _ => {}
            }
        }
        parts.push(self.value.get(start..).unwrap_or_default());
        parts
    }

    /// Returns the port that ssh listens on here and its destination, which is `None` for `-D`.
    fn local(&self) -> Option<(u16, Option<Vec<u8>>)> {
        let parts = self.parts();
        let number = |part: &[u8]| std::str::from_utf8(part).ok()?.parse::<u16>().ok();
        match (self.letter, parts.as_slice()) {
            (b'D', [port] | [_, port]) => Some((number(port)?, None)),
            // A path instead of host and port is a Unix socket at the far end.
            (b'L', [port, path] | [_, port, path]) if path.starts_with(b"/") => {
                Some((number(port)?, Some(path.to_vec())))
            }
            (b'L', [port, host, to] | [_, port, host, to]) => {
                Some((number(port)?, Some([*host, b":", *to].concat())))
            }
            _ => None,
        }
    }
}

/// Returns the label of a program that forwards, by its arguments.
pub(super) fn label(program: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>> {
    match program {
        b"ssh" | b"ssh.exe" => ssh_label(arguments),
        b"kubectl" | b"kubectl.exe" => kubectl::label("kubectl", arguments),
        b"oc" | b"oc.exe" => kubectl::label("oc", arguments),
        b"socat" => socat::label(arguments),
        _ => None,
    }
}

/// Returns the label of ssh: `ssh -L 3000:db:5432 dev@host`. `None` if the command line forwards nothing.
fn ssh_label(arguments: &[&[u8]]) -> Option<Vec<u8>> {
    let ssh = Ssh::parse(arguments);
    let count = ssh.forwards.len();
    if count == 0 {
        return None;
    }
    let host = ssh.host.map_or_else(Vec::new, |host| [b" ".as_slice(), host].concat());
    let mut label = b"ssh".to_vec();
    for forward in &ssh.forwards {
        label.extend([b" -".as_slice(), &[forward.letter], b" ", forward.value].concat());
    }
    if label.len() + host.len() > LONGEST_LABEL && count > 1 {
        label = format!("ssh, {count} forwards,").into_bytes();
    }
    label.extend(host);
    (label.len() <= LONGEST_LABEL * 2).then_some(label)
}

/// Returns the destination of a process's listener on this port.
pub(crate) fn forward(process: &Process, port: u16) -> Option<ForwardedTo> {
    let command: Vec<&[u8]> = process.command.iter().flatten().map(Text::as_bytes).collect();
    let (_, arguments) = command.split_first()?;
    let name = process.name.as_bytes().to_ascii_lowercase();
    let name = name.strip_suffix(b".exe").unwrap_or(&name);
    match name {
        b"ssh" => {
            let ssh = Ssh::parse(arguments);
            let by = Text::from(ssh.host?);
            let (_, to) =
                ssh.forwards.iter().filter_map(ForwardOption::local).find(|(local, _)| *local == port)?;
            Some(match to {
                Some(to) => ForwardedTo::Ssh { to: to.into(), by },
                None => ForwardedTo::Socks { by },
            })
        }
        b"kubectl" => kubectl::forward("kubectl", arguments, port),
        b"oc" => kubectl::forward("oc", arguments, port),
        b"socat" => socat::forward(arguments, port),
        name if name.starts_with(b"qemu-system-") => guest(arguments, port),
        _ => None,
    }
}

/// Parses `hostfwd=tcp:ADDRESS:PORT-ADDRESS:PORT` of `-netdev user`, `-nic user` and `-net user` (qemu(1)). TCP only.
fn guest(arguments: &[&[u8]], port: u16) -> Option<ForwardedTo> {
    let options = arguments.iter().flat_map(|word| word.split(|byte| *byte == b','));
    let forwards = options.filter_map(|option| option.strip_prefix(b"hostfwd="));
    forwards.filter_map(|forward| std::str::from_utf8(forward).ok()).find_map(|forward| {
        let forward = forward.strip_prefix("tcp").or_else(|| forward.starts_with(':').then_some(forward))?;
        let (here, there) = forward.split_once('-')?;
        let local: u16 = here.rsplit(':').next()?.parse().ok()?;
        let (address, to) = there.rsplit_once(':')?;
        let address = (!address.is_empty()).then(|| address.into());
        (local == port).then(|| ForwardedTo::Guest { address, port: to.into() })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Note, ProcessId};

    fn process(line: &str) -> Process {
        let words: Vec<Text> = line.split(' ').map(Text::from).collect();
        let name = words.first().map_or_else(Text::default, |word| word.file_name().into());
        Process { command: Some(words), ..Process::new(ProcessId { pid: 2, start: None }, name) }
    }

    fn phrase(line: &str, port: u16) -> Option<String> {
        forward(&process(line), port).map(|to| Note::ForwardedByProcess(to).to_string())
    }

    fn label(line: &str) -> String {
        let words: Vec<&[u8]> = line.split(' ').skip(1).map(str::as_bytes).collect();
        ssh_label(&words).map_or_else(String::new, |label| String::from_utf8_lossy(&label).into_owned())
    }

    #[test]
    fn ssh_forwards() {
        for (line, port, wanted) in [
            ("ssh -NL 3000:db:5432 dev@host", 3000, "ssh forwards it to db:5432 through dev@host"),
            ("ssh -fN -L3000:[::1]:80 -p 2222 host", 3000, "ssh forwards it to [::1]:80 through host"),
            (
                "ssh host -L 127.0.0.1:3000:localhost:80 -N",
                3000,
                "ssh forwards it to localhost:80 through host",
            ),
            ("ssh -L *:3000:a:1 -L [::1]:3001:b:2 host", 3001, "ssh forwards it to b:2 through host"),
            ("ssh -L 3000:/run/x.sock host", 3000, "ssh forwards it to /run/x.sock through host"),
            ("ssh -D 1080 host", 1080, "ssh is a SOCKS proxy here, which connects from host"),
            ("ssh -oDynamicForward=1080 host", 1080, "ssh is a SOCKS proxy here, which connects from host"),
            (
                "/usr/bin/ssh -D localhost:1080 -- host",
                1080,
                "ssh is a SOCKS proxy here, which connects from host",
            ),
        ] {
            assert_eq!(phrase(line, port).as_deref(), Some(wanted), "{line}");
        }
        for (line, port) in [
            ("ssh -L 3000:db:5432 host", 5432),
            ("ssh -R 3000:db:5432 host", 3000),
            ("ssh host cmd -L 3000:db:5432", 3000),
            ("ssh -L", 3000),
            ("ssh -L /tmp/x.sock:db:5432 host", 3000),
            ("node -L 3000:db:5432 host", 3000),
            ("ssh", 22),
        ] {
            assert_eq!(phrase(line, port), None, "{line}");
        }
    }

    #[test]
    fn ssh_is_labelled_by_what_it_forwards() {
        for (line, wanted) in [
            ("ssh -NfL 3000:db:5432 dev@host", "ssh -L 3000:db:5432 dev@host"),
            ("ssh -i key -R 8080:localhost:3000 host", "ssh -R 8080:localhost:3000 host"),
            ("ssh -D1080 -L 1:a:2 host tail -f log", "ssh -D 1080 -L 1:a:2 host"),
            ("ssh -o ProxyJump=x host", ""),
            ("ssh host", ""),
        ] {
            assert_eq!(label(line), wanted, "{line}");
        }
        let many = format!("ssh {}host", "-L 3000:some.long.name.example.com:5432 ".repeat(5));
        assert_eq!(label(&many), "ssh, 5 forwards, host");
    }

    #[test]
    fn kubectl_forwards_to_a_resource() {
        for (line, port, wanted) in [
            ("kubectl port-forward svc/db 5432:5432", 5432, "kubectl forwards it to port 5432 of svc/db"),
            (
                "kubectl -n shop port-forward --address 0.0.0.0 deployment/web 8080:http 9090",
                8080,
                "kubectl forwards it to port http of deployment/web in namespace shop",
            ),
            (
                "kubectl port-forward web-0 --namespace=shop -v 6 9090",
                9090,
                "kubectl forwards it to port 9090 of pod/web-0 in namespace shop",
            ),
            (
                "/usr/bin/oc port-forward -nshop --insecure-skip-tls-verify pod/x 1:2",
                1,
                "oc forwards it to port 2 of pod/x in namespace shop",
            ),
        ] {
            assert_eq!(phrase(line, port).as_deref(), Some(wanted), "{line}");
        }
        for (line, port) in [
            ("kubectl port-forward svc/db :5432", 5432),
            ("kubectl port-forward svc/db 8080:5432", 5432),
            ("kubectl proxy --port 8001", 8001),
            ("kubectl port-forward svc/db", 5432),
            ("kubectl get pods", 80),
        ] {
            assert_eq!(phrase(line, port), None, "{line}");
        }
        let label = |line: &str| {
            let words: Vec<&[u8]> = line.split(' ').skip(1).map(str::as_bytes).collect();
            super::label(b"kubectl", &words).map(|label| String::from_utf8_lossy(&label).into_owned())
        };
        let line = "kubectl --context prod port-forward -n shop svc/db 5432:5432";
        assert_eq!(label(line).as_deref(), Some("kubectl port-forward svc/db 5432:5432"));
        assert_eq!(label("kubectl get pods"), None);
        let many = format!("kubectl port-forward svc/db {}", "10000:10000 ".repeat(9).trim_end());
        assert_eq!(label(&many).as_deref(), Some("kubectl port-forward svc/db, 9 ports"));
    }

    #[test]
    fn socat_connects_two_addresses() {
        for (line, port, wanted) in [
            ("socat TCP-LISTEN:8080,fork,reuseaddr TCP:db:5432", 8080, "socat connects it to TCP:db:5432"),
            (
                "socat -d -d tcp6-l:8080 unix-connect:/run/x.sock,retry=3",
                8080,
                "socat connects it to unix-connect:/run/x.sock",
            ),
            ("socat - TCP4-LISTEN:8080", 8080, "socat connects it to -"),
            ("socat TCP-LISTEN:8080 EXEC:/bin/true", 8080, "socat connects it to EXEC"),
        ] {
            assert_eq!(phrase(line, port).as_deref(), Some(wanted), "{line}");
        }
        for (line, port) in [
            ("socat TCP-LISTEN:8080 TCP:db:5432", 5432),
            ("socat UDP-LISTEN:53 UDP:db:53", 53),
            ("socat TCP:db:5432 -", 5432),
            ("socat", 80),
        ] {
            assert_eq!(phrase(line, port), None, "{line}");
        }
        let words: [&[u8]; 2] = [b"TCP-LISTEN:8080,fork", b"TCP:db:5432,nodelay"];
        assert_eq!(super::label(b"socat", &words).as_deref(), Some(b"socat TCP:db:5432".as_slice()));
    }

    #[test]
    fn qemu_forwards_into_its_guest() {
        let line = "qemu-system-x86_64 -m 1G -netdev user,id=n,hostfwd=tcp::5555-:22,hostfwd=tcp:127.0.0.1:8080-10.0.2.15:80";
        assert_eq!(phrase(line, 5555).as_deref(), Some("qemu forwards it to port 22 of its guest"));
        assert_eq!(phrase(line, 8080).as_deref(), Some("qemu forwards it to 10.0.2.15:80 of its guest"));
        assert_eq!(phrase(line, 5900), None);
        assert_eq!(phrase("qemu-system-arm -nic user,hostfwd=udp::53-:53", 53), None, "the note is TCP's");
    }

    proptest! {
        #[test]
        fn any_bytes(words: Vec<Vec<u8>>, port: u16) {
            let slices: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let _ = ssh_label(&slices);
            let _ = guest(&slices, port);
            let _ = kubectl::forward("kubectl", &slices, port);
            let _ = socat::forward(&slices, port);
            let mut any = process("ssh");
            any.command = Some(words.into_iter().map(Text::from).collect());
            let _ = forward(&any, port);
        }
    }
}
