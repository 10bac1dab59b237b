//! Real supervisors, and services for them.

use super::{fixture_program, folder, port, until};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A supervisor, or another process that must end its children. It gets SIGTERM when this is dropped.
pub(crate) struct Supervisor(pub(crate) Child);

impl Supervisor {
    /// Starts it without input.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::spawn(command.stdin(Stdio::null()))
    }

    /// Starts it with an input that stays open until it ends or the test closes it.
    pub(crate) fn start_with_input(command: &mut Command) -> Self {
        Self::spawn(command.stdin(Stdio::piped()))
    }

    fn spawn(command: &mut Command) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")))
    }

    /// Returns its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // SIGTERM and not SIGKILL, so that it ends its children. Not reaped yet, so the pid is still its own.
        // Sent again, because circusd 0.19 ignores a signal while it carries out a command.
        let mut sent: Option<Instant> = None;
        let _gave_up = until(|| {
            let ended = self.0.try_wait().ok().flatten();
            if ended.is_none() && sent.is_none_or(|sent| sent.elapsed() >= Duration::from_secs(2)) {
                super::send_signal(self.pid(), nix::sys::signal::Signal::SIGTERM);
                sent = Some(Instant::now());
            }
            ended
        });
        let _may_have_ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A folder `web` with a program `run`, which serves a port as long as this is not dropped.
pub(crate) struct Service {
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    _input: File,
}

impl Service {
    /// Creates it in a folder of this name.
    pub(crate) fn new(name: &str) -> Self {
        let (folder, port) = (folder().join(name).join("web"), port());
        std::fs::create_dir_all(&folder).expect("make a folder");
        let input = folder.join("input");
        nix::unistd::mkfifo(&input, nix::sys::stat::Mode::S_IRWXU).expect("make a pipe");
        // Open for reading and writing, so that opening does not block.
        let open = File::options().read(true).write(true).open(&input).expect("open the pipe");
        let service = Self { folder, port, _input: open };
        let serve = format!("exec {}", service.command());
        service.program("run", &serve);
        service
    }

    /// Returns the shell command of the server.
    pub(crate) fn command(&self) -> String {
        let input = self.folder.join("input");
        format!("{} tcp=127.0.0.1:{} < {}", fixture_program().display(), self.port, input.display())
    }

    /// Adds a shell script.
    pub(crate) fn program(&self, name: &str, code: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.file(name, &format!("#!/bin/sh\n{code}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("make it a program");
    }

    /// Adds a file.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::write(&path, content).expect("write a file");
        path
    }

    /// Returns the folder around it.
    pub(crate) fn parent(&self) -> &Path {
        self.folder.parent().expect("a folder in a folder")
    }
}
