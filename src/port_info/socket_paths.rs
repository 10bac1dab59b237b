//! Unix sockets that programs open by default: the rows of `data/sockets.tsv`.

use super::common_uses::is_one_of;
use super::tables::SOCKETS;

/// Returns what listens on this path by default. `names` are those of the programs that hold it.
pub(crate) fn by_path(path: &[u8], names: &[&[u8]]) -> Option<&'static str> {
    // With systemd /var/run is a link to /run, and programs bind either.
    let short = path.strip_prefix(b"/var").filter(|rest| rest.starts_with(b"/run/")).unwrap_or(path);
    SOCKETS.iter().find_map(|row| {
        let mut columns = row.split('\t');
        let (pattern, tool, programs) = (columns.next()?, columns.next()?, columns.next()?);
        let held = programs.is_empty() || names.iter().any(|name| is_one_of(programs, name));
        (held && matches(pattern.as_bytes(), short)).then_some(tool)
    })
}

/// Matches a path: `?` is one byte, and `*` any number of bytes within one folder, or at the start any folder.
fn matches(pattern: &[u8], path: &[u8]) -> bool {
    match pattern.strip_prefix(b"*/") {
        Some(rest) => {
            let folders = (0..path.len()).filter(|at| path.get(*at) == Some(&b'/'));
            folders.filter_map(|at| path.get(at + 1..)).any(|below| matches_within(rest, below))
        }
        None => matches_within(pattern, path),
    }
}

fn matches_within(pattern: &[u8], path: &[u8]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
            // A star is at least one byte, as no name is empty.
            (1..=end).any(|at| path.get(at..).is_some_and(|path| matches_within(rest, path)))
        }
        (Some((b'?', rest)), Some((byte, path))) if *byte != b'/' => matches_within(rest, path),
        (Some((one, rest)), Some((other, path))) => one == other && matches_within(rest, path),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sockets_by_their_paths() {
        let named = |path: &str, name: &str| by_path(path.as_bytes(), &[name.as_bytes()]);
        assert_eq!(named("/run/docker.sock", "dockerd"), Some("Docker's API"));
        assert_eq!(named("/var/run/docker.sock", "systemd"), Some("Docker's API"));
        assert_eq!(named("/var/run/postgresql/.s.PGSQL.5432", "postgres"), Some("PostgreSQL"));
        assert_eq!(named("/home/dev/.gnupg/S.gpg-agent.ssh", "gpg-agent"), Some("GnuPG's agent"));
        assert_eq!(named("/tmp/tmux-0/default", "tmux: server"), Some("tmux server"));
        assert_eq!(named("/tmp/tmux-0/a/b", "tmux: server"), None);
        assert_eq!(named("@/tmp/.X11-unix/X1", "Xvnc"), Some("X display"));
        assert_eq!(named("private/anvil", "master"), Some("Postfix"));
        assert_eq!(named("private/anvil", "node"), None, "anybody may have such a folder");
        assert_eq!(named("@1a2b3", "incusd"), Some("incusd, under a new name at each start"));
        assert_eq!(named("@1a2b3", "node"), None);
        assert_eq!(named("/srv/run/docker.sock", "dockerd"), None);
        assert_eq!(named("", ""), None);
    }

    proptest! {
        #[test]
        fn any_bytes(pattern in "[a*?/]{0,8}", path: Vec<u8>) {
            let _ = matches(pattern.as_bytes(), &path);
            let _ = by_path(&path, &[]);
        }
    }
}
