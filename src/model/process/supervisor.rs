//! The ancestor that explains why a process runs.

use crate::model::Text;
use crate::model::open_enum::open_enum;

/// The nearest ancestor that explains why a process runs: a service manager, a terminal, an editor or a login.
///
/// ```
/// use allears::{Query, SupervisorKind};
///
/// for listener in Query::new().scan()?.listeners {
///     for holder in listener.holders {
///         match &holder.process.supervisor {
///             Some(supervisor) if supervisor.kind == SupervisorKind::Tmux => println!("runs in tmux"),
///             Some(supervisor) => println!("started by {} ({})", supervisor.kind, supervisor.pid),
///             None => {}
///         }
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Supervisor {
    /// What kind of program it is.
    pub kind: SupervisorKind,
    /// Its process id.
    pub pid: u32,
    /// Its process name.
    pub name: Text,
    /// Whether it gave the process a terminal: a pane of tmux, the terminal in an editor. `None` if the system does not
    /// report it.
    pub terminal: Option<bool>,
}

open_enum! {
    /// The kind of program that a [`Supervisor`] is: a service manager, a terminal, an editor, a remote session.
    ///
    /// ```
    /// use allears::SupervisorKind;
    ///
    /// assert_eq!(SupervisorKind::WindowsServices.to_string(), "windows-services");
    /// assert_eq!("tmux".parse(), Ok(SupervisorKind::Tmux));
    /// assert!(matches!("of-a-later-version".parse(), Ok(SupervisorKind::Other(_))));
    /// ```
    SupervisorKind {
        /// at(1).
        At = "at",
        /// The monitor of a container of Podman or CRI-O.
        Conmon = "conmon",
        /// The shim of a container of containerd, which Docker uses.
        Containerd = "containerd",
        /// A cron daemon.
        Cron = "cron",
        /// Cursor.
        Cursor = "cursor",
        /// daemontools.
        Daemontools = "daemontools",
        /// Emacs.
        Emacs = "emacs",
        /// An IDE of JetBrains, or Android Studio.
        Jetbrains = "jetbrains",
        /// launchd of macOS.
        Launchd = "launchd",
        /// A login on a console.
        Login = "login",
        /// A session of Mosh.
        Mosh = "mosh",
        /// Neovim.
        Nvim = "nvim",
        /// The supervise-daemon of OpenRC.
        Openrc = "openrc",
        /// PM2.
        Pm2 = "pm2",
        /// runit.
        Runit = "runit",
        /// s6.
        S6 = "s6",
        /// GNU Screen.
        Screen = "screen",
        /// A session over SSH.
        Ssh = "ssh",
        /// Supervisor.
        Supervisord = "supervisord",
        /// systemd, as the manager of the system or of a user.
        Systemd = "systemd",
        /// A terminal emulator.
        Terminal = "terminal",
        /// tmux.
        Tmux = "tmux",
        /// Vim.
        Vim = "vim",
        /// Visual Studio Code, or a program built from its source.
        Vscode = "vscode",
        /// The service control manager of Windows.
        WindowsServices = "windows-services",
        /// Windsurf.
        Windsurf = "windsurf",
        /// Zed.
        Zed = "zed",
        /// Zellij.
        Zellij = "zellij",
    }
}

impl SupervisorKind {
    /// Returns whether it is an editor, which also runs processes that are in none of its terminals.
    pub(crate) fn is_editor(&self) -> bool {
        use SupervisorKind::{Cursor, Emacs, Jetbrains, Nvim, Vim, Vscode, Windsurf, Zed};
        matches!(self, Cursor | Emacs | Jetbrains | Nvim | Vim | Vscode | Windsurf | Zed)
    }
}
