//! The container that a process runs, by its name and arguments. Used if the container's cgroup does not identify it.
//! Pure.
//!
//! Observed with containerd 1.6 and 1.7 (`ctr run`), conmon 2.1 and systemd-nspawn 252: the container's processes are
//! children of the process that runs it, which stays outside of the container.

use crate::model::{Container, ContainerRuntime, Text};

/// Returns the container that a process runs. `uid` is the user that the process runs as.
pub(in crate::os) fn runs(name: &[u8], command: &[Text], uid: Option<u32>) -> Option<Container> {
    match name {
        name if name.starts_with(b"containerd-shim") => from_shim(command),
        b"conmon" => from_conmon(command, uid),
        b"systemd-nspawn" => from_nspawn(command),
        _ => None,
    }
}

/// Returns whether a process of this name may run a container.
pub(in crate::os) fn may_run(name: &[u8]) -> bool {
    name.starts_with(b"containerd-shim") || matches!(name, b"conmon" | b"systemd-nspawn")
}

/// Returns the container of a shim of Docker or of `ctr run`. A shim of Kubernetes runs the containers of a pod and
/// names none of them.
fn from_shim(command: &[Text]) -> Option<Container> {
    let id = value(command, &[b"-id", b"--id"])?;
    let runtime = match value(command, &[b"-namespace", b"--namespace"])? {
        b"moby" => ContainerRuntime::Docker,
        b"k8s.io" => return None,
        _ => ContainerRuntime::Containerd,
    };
    // The name that ctr(8) gives a container is its id; nerdctl and Docker make ids of 64 digits.
    let is_digits = id.len() == 64 && id.iter().all(u8::is_ascii_hexdigit);
    container(runtime, id, (!is_digits).then_some(id), None)
}

fn from_conmon(command: &[Text], uid: Option<u32>) -> Option<Container> {
    let id = value(command, &[b"-c", b"--cid"])?;
    let name = value(command, &[b"-n", b"--name"]);
    let is_crio = command.iter().any(|word| word.as_bytes().windows(4).any(|part| part == b"crio"));
    let runtime = if is_crio { ContainerRuntime::CriO } else { ContainerRuntime::Podman };
    container(runtime, id, name, uid.filter(|uid| *uid != 0))
}

/// Returns the machine's name, or that of the folder or image that it runs (systemd-nspawn(1), `--machine=`).
fn from_nspawn(command: &[Text]) -> Option<Container> {
    let words: Vec<&[u8]> = command.iter().skip(1).map(Text::as_bytes).collect();
    let (mut machine, mut root) = (None, None);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == b"--" {
            break;
        }
        let (option, value) = match option(word) {
            Some((option, [])) => (option, words.next().unwrap_or_default()),
            Some(found) => found,
            None => continue,
        };
        match option {
            b'M' if machine.is_none() => machine = Some(value),
            b'D' | b'i' if root.is_none() => root = Some(value),
            _ => {}
        }
    }
    let name = match (machine, root) {
        (Some(machine), _) => machine,
        (None, Some(root)) => {
            let root = root.strip_suffix(b"/").unwrap_or(root);
            let file = root.rsplit(|byte| *byte == b'/').next()?;
            file.strip_suffix(b".raw").unwrap_or(file)
        }
        (None, None) => return None,
    };
    container(ContainerRuntime::Nspawn, name, Some(name), None)
}

/// Returns the option of systemd-nspawn in a word that names a machine, a folder or an image, and its value, which is
/// empty if it is the next word: `--machine=web`, `-Mweb`, `-bD`.
fn option(word: &[u8]) -> Option<(u8, &[u8])> {
    for (long, short) in [(&b"--machine"[..], b'M'), (b"--directory", b'D'), (b"--image", b'i')] {
        match word.strip_prefix(long) {
            Some(b"") => return Some((short, b"")),
            Some([b'=', value @ ..]) => return Some((short, value)),
            _ => {}
        }
    }
    let letters = word.strip_prefix(b"-").filter(|letters| !letters.starts_with(b"-"))?;
    // Options without a value may be written before it in the same word.
    let at = letters.iter().position(|letter| !b"habjqxnUP".contains(letter))?;
    let letter = *letters.get(at)?;
    matches!(letter, b'M' | b'D' | b'i').then(|| (letter, letters.get(at + 1..).unwrap_or_default()))
}

/// Returns the value of an option whose value is the next word.
fn value<'a>(command: &'a [Text], names: &[&[u8]]) -> Option<&'a [u8]> {
    let mut words = command.iter().skip(1).map(Text::as_bytes);
    words.find(|word| names.contains(word))?;
    words.next()
}

fn container(
    runtime: ContainerRuntime,
    id: &[u8],
    name: Option<&[u8]>,
    uid: Option<u32>,
) -> Option<Container> {
    (!id.is_empty()).then(|| Container {
        runtime,
        id: id.into(),
        uid,
        name: name.filter(|name| !name.is_empty()).map(Text::from),
        image: None,
        port: None,
        compose: None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `runtime id name uid`
    fn described(name: &str, line: &str, uid: u32) -> String {
        let command: Vec<Text> = line.split_whitespace().map(Text::from).collect();
        runs(name.as_bytes(), &command, Some(uid)).map_or_else(String::new, |container| {
            let name = container.name.map_or_else(|| "-".into(), |name| name.to_string_lossy().into_owned());
            let uid = container.uid.map_or_else(String::new, |uid| format!(" {uid}"));
            format!(
                "{} {} {name}{uid}",
                container.runtime,
                container.id.to_string_lossy().get(..3).unwrap_or_default()
            )
        })
    }

    #[test]
    fn what_runs_a_container_names_it() {
        let id = "4f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e83264f1d5a0c9b7e8326";
        let shim = "containerd-shim-runc-v2";
        for (name, line, uid, expected) in [
            // The kernel's name has fifteen bytes.
            (
                "containerd-shim",
                format!("/usr/bin/{shim} -namespace default -id web -address /run/c.sock"),
                0,
                "containerd web web",
            ),
            (
                "containerd-shim",
                format!("{shim} -namespace default -id {id} -address /run/c.sock"),
                0,
                "containerd 4f1 -",
            ),
            (
                "containerd-shim",
                format!("{shim} -namespace default -id cafe -address /run/c.sock"),
                0,
                "containerd caf cafe",
            ),
            (
                "containerd-shim",
                format!("{shim} -namespace moby -id {id} -address /run/c.sock"),
                0,
                "docker 4f1 -",
            ),
            ("containerd-shim", format!("{shim} -namespace k8s.io -id {id} -address /run/c.sock"), 0, ""),
            ("containerd-shim", shim.into(), 0, ""),
            (
                "conmon",
                format!("/usr/bin/conmon --api-version 1 -c {id} -u {id} -r /usr/bin/crun -n shop"),
                1000,
                "podman 4f1 shop 1000",
            ),
            (
                "conmon",
                format!("/usr/bin/conmon -c {id} -n k8s_web -P /var/run/crio/web.pid"),
                0,
                "cri-o 4f1 k8s_web",
            ),
            ("conmon", "conmon".into(), 0, ""),
            (
                "systemd-nspawn",
                "systemd-nspawn -bD /var/lib/machines/web".into(),
                0,
                "systemd-nspawn web web",
            ),
            (
                "systemd-nspawn",
                "systemd-nspawn --keep-unit --machine=web -D /srv/root/ /bin/sh -c x".into(),
                0,
                "systemd-nspawn web web",
            ),
            (
                "systemd-nspawn",
                "systemd-nspawn -qb -M web --directory /srv/root".into(),
                0,
                "systemd-nspawn web web",
            ),
            ("systemd-nspawn", "systemd-nspawn -i /srv/web.raw -b".into(), 0, "systemd-nspawn web web"),
            (
                "systemd-nspawn",
                "systemd-nspawn -D /srv/web -- /bin/x -M other".into(),
                0,
                "systemd-nspawn web web",
            ),
            (
                "systemd-nspawn",
                "systemd-nspawn --machine web --directory /srv/root".into(),
                0,
                "systemd-nspawn web web",
            ),
            // What follows is the command that runs in the machine.
            (
                "systemd-nspawn",
                "systemd-nspawn -M web -D /srv/root /bin/x -M other".into(),
                0,
                "systemd-nspawn web web",
            ),
            (
                "systemd-nspawn",
                "systemd-nspawn -D /srv/web /bin/x -D /srv/other".into(),
                0,
                "systemd-nspawn web web",
            ),
            ("systemd-nspawn", "systemd-nspawn".into(), 0, ""),
            ("node", format!("node -c {id} -n shop"), 0, ""),
        ] {
            assert_eq!(described(name, &line, uid), expected, "{line}");
            assert_eq!(may_run(name.as_bytes()), name != "node");
        }
    }

    proptest! {
        #[test]
        fn any_command_line(words: Vec<Vec<u8>>, at in 0usize..3) {
            let words: Vec<Text> = words.into_iter().map(Text::from).collect();
            let _ = runs([&b"containerd-shim"[..], b"conmon", b"systemd-nspawn"][at], &words, None);
        }
    }
}
