//! Recognises the ancestors that explain why a process runs: service managers, terminals, editors, remote sessions.
//! Pure: a name and a command line go in, a kind comes out. Shells and launchers such as npm or make are not among them.

use crate::model::{SupervisorKind, Text};

/// How a process is recognised. Names are compared without regard to case and to `.exe`. Linux reports the first 15
/// bytes of an ancestor's name.
enum MatchRule {
    /// Its name.
    Name(&'static str),
    /// The beginning of its name.
    Prefix(&'static str),
    /// Its name, which other programs may have too, and the beginning of one of its arguments.
    Argument(&'static str, &'static str),
    /// Its name, and a part of its program's path or of its first argument: the program of an interpreter.
    Path(&'static str, &'static str),
    /// The beginning of its name, and a part as in [`MatchRule::Path`].
    PathOf(&'static str, &'static str),
}

use MatchRule::{Argument, Name, Path, PathOf, Prefix};

/// Kinds, and how each is recognised. The first row that matches counts.
const KNOWN: &[(SupervisorKind, &[MatchRule])] = &[
    (SupervisorKind::Systemd, &[Name("systemd")]),
    (SupervisorKind::Launchd, &[Name("launchd")]),
    (SupervisorKind::Supervisord, &[Name("supervisord"), PathOf("python", "/supervisord")]),
    (
        SupervisorKind::Pm2,
        &[
            Prefix("PM2 v"),
            Name("pm2-runtime"),
            Path("node", "/pm2-runtime"),
            Path("node", "/pm2/lib/Daemon.js"),
        ],
    ),
    (SupervisorKind::Runit, &[Name("runsv"), Name("runsvdir")]),
    (SupervisorKind::S6, &[Name("s6-supervise"), Name("s6-svscan")]),
    (SupervisorKind::Daemontools, &[Name("supervise"), Name("svscan")]),
    // The kernel cuts the sixteenth letter off.
    (SupervisorKind::Openrc, &[Prefix("supervise-daemo")]),
    (SupervisorKind::Containerd, &[Prefix("containerd-shim")]),
    (SupervisorKind::Conmon, &[Name("conmon")]),
    (SupervisorKind::Cron, &[Name("cron"), Name("crond"), Name("anacron"), Name("fcron")]),
    (SupervisorKind::At, &[Name("atd")]),
    (SupervisorKind::Tmux, &[Name("tmux"), Prefix("tmux: server")]),
    (SupervisorKind::Screen, &[Name("screen")]),
    (SupervisorKind::Zellij, &[Name("zellij")]),
    (
        SupervisorKind::Vscode,
        &[
            // Each of Electron's processes has an option for its type; a user's own program named `code` has not.
            Argument("code", "--type="),
            Argument("code-insiders", "--type="),
            Argument("code-oss", "--type="),
            Argument("codium", "--type="),
            Prefix("Code Helper"),
            Prefix("VSCodium Helper"),
            Path("node", "/.vscode-server"),
            Path("node", "/.vscodium-server"),
            Path("node", "/code-server/"),
            Path("MainThread", "/.vscode-server"),
            Path("MainThread", "/code-server/"),
            PathOf("electron", "/code/"),
        ],
    ),
    (
        SupervisorKind::Cursor,
        &[
            Argument("cursor", "--type="),
            Prefix("Cursor Helper"),
            Path("node", "/.cursor-server"),
            Path("MainThread", "/.cursor-server"),
        ],
    ),
    (
        SupervisorKind::Windsurf,
        &[Argument("windsurf", "--type="), Prefix("Windsurf Helper"), Path("node", "/.windsurf-server")],
    ),
    // ZFS has a daemon named `zed`.
    (SupervisorKind::Zed, &[Name("zed-editor"), Prefix("zed-remote-serv"), Path("zed", "Zed.app/")]),
    (
        SupervisorKind::Jetbrains,
        &[
            Argument("java", "com.intellij.idea.Main"),
            Argument("java", "-Didea.paths.selector="),
            Path("idea", "/bin/idea"),
            Path("webstorm", "/bin/webstorm"),
            Path("pycharm", "/bin/pycharm"),
            Path("goland", "/bin/goland"),
            Path("clion", "/bin/clion"),
            Path("rustrover", "/bin/rustrover"),
            Path("phpstorm", "/bin/phpstorm"),
            Path("rubymine", "/bin/rubymine"),
            Path("rider", "/bin/rider"),
            Path("studio", "/bin/studio"),
            Path("idea", ".app/Contents/MacOS/"),
            Name("idea64"),
            Name("webstorm64"),
            Name("pycharm64"),
            Name("goland64"),
            Name("clion64"),
            Name("rustrover64"),
            Name("phpstorm64"),
            Name("rubymine64"),
            Name("rider64"),
        ],
    ),
    (SupervisorKind::Nvim, &[Name("nvim")]),
    (SupervisorKind::Vim, &[Name("vim"), Name("gvim"), Prefix("vim."), Name("MacVim")]),
    (SupervisorKind::Emacs, &[Name("emacs"), Prefix("emacs-")]),
    (SupervisorKind::Mosh, &[Name("mosh-server")]),
    (SupervisorKind::Ssh, &[Name("sshd"), Name("sshd-session"), Name("sshd-auth"), Name("dropbear")]),
    (
        SupervisorKind::Terminal,
        &[
            Prefix("gnome-terminal"),
            Name("ptyxis-agent"),
            Name("kgx"),
            Name("konsole"),
            Name("yakuake"),
            Name("xfce4-terminal"),
            Name("mate-terminal"),
            Name("lxterminal"),
            Name("qterminal"),
            Name("deepin-terminal"),
            Name("terminator"),
            Name("tilix"),
            Name("guake"),
            Name("alacritty"),
            Name("kitty"),
            Name("ghostty"),
            Prefix("wezterm"),
            Name("foot"),
            Name("xterm"),
            Name("urxvt"),
            Name("warp-terminal"),
            Name("WindowsTerminal"),
            Path("Terminal", "Terminal.app/"),
            Prefix("iTerm"),
        ],
    ),
    (SupervisorKind::Login, &[Name("login")]),
    // On Windows the name is that of a file; on other systems any program may be named `services`.
    (SupervisorKind::WindowsServices, &[Argument("services.exe", "")]),
];

/// Returns the kind of supervisor that a process of this name is. `command` is called only if the name alone does not
/// decide.
pub(crate) fn kind(name: &Text, command: &mut dyn FnMut() -> Vec<Text>) -> Option<SupervisorKind> {
    let whole = name.as_bytes();
    let short = match whole.len().checked_sub(4).and_then(|at| whole.split_at_checked(at)) {
        Some((short, end)) if end.eq_ignore_ascii_case(b".exe") => short,
        _ => whole,
    };
    let is = |known: &str| short.eq_ignore_ascii_case(known.as_bytes());
    let begins = |known: &str| {
        short.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known.as_bytes()))
    };
    let mut read: Option<Vec<Text>> = None;
    let mut fits = |by: &MatchRule| match by {
        Name(known) => is(known),
        Prefix(known) => begins(known),
        Argument(known, "") => whole.eq_ignore_ascii_case(known.as_bytes()),
        Argument(known, start) => {
            is(known)
                && read
                    .get_or_insert_with(&mut *command)
                    .iter()
                    .any(|argument| argument.as_bytes().starts_with(start.as_bytes()))
        }
        Path(known, part) => is(known) && mentions(read.get_or_insert_with(&mut *command), part),
        PathOf(known, part) => begins(known) && mentions(read.get_or_insert_with(&mut *command), part),
    };
    KNOWN.iter().find(|(_, rows)| rows.iter().any(&mut fits)).map(|(kind, _)| kind.clone())
}

/// Returns whether the program's path or its first argument contains `part`. Later arguments belong to the program that
/// is run.
fn mentions(command: &[Text], part: &str) -> bool {
    let part = part.as_bytes();
    let has = |argument: &Text| argument.as_bytes().windows(part.len()).any(|window| window == part);
    command.iter().take(2).any(has)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind_of(name: &str, command: &[&str]) -> Option<SupervisorKind> {
        kind(&name.into(), &mut || command.iter().map(|argument| Text::from(*argument)).collect())
    }

    #[test]
    fn supervisors_by_name() {
        for (name, kind) in [
            ("systemd", "systemd"),
            ("launchd", "launchd"),
            ("supervisord", "supervisord"),
            ("PM2 v5.3.0: God", "pm2"),
            ("runsv", "runit"),
            ("s6-supervise", "s6"),
            ("supervise", "daemontools"),
            ("supervise-daemo", "openrc"),
            ("containerd-shim", "containerd"),
            ("containerd-shim-runc-v2", "containerd"),
            ("conmon", "conmon"),
            ("cron", "cron"),
            ("CRON", "cron"),
            ("tmux: server", "tmux"),
            ("tmux", "tmux"),
            ("screen", "screen"),
            ("SCREEN", "screen"),
            ("zellij", "zellij"),
            ("Code Helper (Plugin)", "vscode"),
            ("zed-editor", "zed"),
            ("zed-remote-serv", "zed"),
            ("pycharm64.exe", "jetbrains"),
            ("vim.basic", "vim"),
            ("nvim", "nvim"),
            ("emacs-gtk", "emacs"),
            ("sshd", "ssh"),
            ("sshd-session", "ssh"),
            ("gnome-terminal-", "terminal"),
            ("WindowsTerminal.exe", "terminal"),
            ("services.exe", "windows-services"),
            ("login", "login"),
        ] {
            let mut asked = false;
            let found = super::kind(&name.into(), &mut || {
                asked = true;
                Vec::new()
            });
            assert_eq!((found, asked), (Some(kind.into()), false), "{name}: its name is enough");
        }
    }

    #[test]
    fn supervisors_by_command_line() {
        for (name, command, kind) in [
            ("code", &["/usr/share/code/code", "--type=utility"][..], "vscode"),
            (
                "node",
                &["/home/dev/.vscode-server/cli/servers/Stable-1/server/node", "out/bootstrap-fork"],
                "vscode",
            ),
            ("MainThread", &["/home/dev/.vscode-server/bin/1/node", "--type=ptyHost"], "vscode"),
            ("electron37", &["/usr/lib/electron37/electron", "/usr/lib/code/out/main.js"], "vscode"),
            ("cursor", &["/opt/cursor/cursor", "--type=utility"], "cursor"),
            ("node", &["/home/dev/.cursor-server/bin/1/node", "x.js"], "cursor"),
            ("java", &["/opt/idea/jbr/bin/java", "-Xmx2g", "com.intellij.idea.Main"], "jetbrains"),
            ("idea", &["/opt/idea/bin/idea"], "jetbrains"),
            ("python3", &["/usr/bin/python3", "/usr/bin/supervisord", "-n"], "supervisord"),
            ("node", &["node", "/usr/bin/pm2-runtime", "start"], "pm2"),
            ("zed", &["/Applications/Zed.app/Contents/MacOS/zed"], "zed"),
        ] {
            assert_eq!(kind_of(name, command), Some(kind.into()), "{name}");
        }
    }

    #[test]
    fn what_is_no_supervisor() {
        for (name, command) in [
            ("zsh", &["-zsh"][..]),
            ("npm run dev", &["npm run dev"]),
            ("make", &["make", "run"]),
            ("node", &["node", "server.js", "/.vscode-server/"]),
            ("code", &["./code", "8080"]),
            ("idea", &["./idea"]),
            ("zed", &["/usr/sbin/zed", "-F"]),
            ("services", &["./services"]),
            ("tmux: client", &["tmux"]),
            ("systemd-udevd", &[]),
            ("java", &["java", "-jar", "shop.jar"]),
            ("", &[]),
        ] {
            assert_eq!(kind_of(name, command), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes(name: Vec<u8>, command: Vec<Vec<u8>>) {
            let command: Vec<Text> = command.into_iter().map(Text::from).collect();
            let _ = kind(&name.into(), &mut || command.clone());
        }
    }
}
