//! A private Podman in the network namespace of the calling thread, with its own store. The machine's Podman is
//! untouched, and nothing is left behind.

use super::Cmd;
use super::docker::{archive, number};
use super::folder;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const IMAGE: &str = "fixture:1";

/// A private Podman.
pub(crate) struct Podman {
    folder: PathBuf,
    service: Option<Child>,
}

/// A running container.
pub(crate) struct Pod<'a> {
    podman: &'a Podman,
    pub(crate) id: String,
    pub(crate) name: String,
}

impl Podman {
    /// Creates it with the fixture as its only image. The calling thread must be in a new network namespace, and enters
    /// a new mount namespace.
    pub(crate) fn new() -> Self {
        super::netns::leave_mounts();
        // Its locks and addresses are private only with these mounts.
        std::fs::create_dir_all("/run/containers").expect("make a folder to mount on");
        for place in ["/dev/shm", "/run/containers"] {
            super::netns::mount_empty(place);
        }
        let folder = folder().join(format!("podman-{}", number()));
        for part in ["root", "run", "tmp", "net"] {
            std::fs::create_dir_all(folder.join(part)).expect("make a folder for a store");
        }
        let podman = Self { folder, service: None };
        let archive = archive().display().to_string();
        podman.client(&["import", "--change", "ENTRYPOINT [\"/fixture\"]", &archive, IMAGE]);
        podman
    }

    /// Starts the API service, as systemd would.
    pub(crate) fn serve(&mut self) {
        let address = format!("unix://{}", self.socket());
        let mut command = self.command(&["system", "service", "--time", "0", &address]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.service = Some(command.spawn().expect("start the service"));
        let there = super::until(|| std::os::unix::net::UnixStream::connect(self.socket()).ok());
        assert!(there.is_some(), "the service answers");
    }

    fn socket(&self) -> String {
        self.folder.join("api").display().to_string()
    }

    /// Starts a container with these options, in which the fixture does these steps.
    pub(crate) fn run(&self, options: &[&str], steps: &[&str]) -> Pod<'_> {
        let name = format!("allears-{}-{}", std::process::id(), number());
        // The limits of this user may exceed those allowed for a container.
        let limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
        let begin = ["run", "--detach", "--interactive", "--name", &name];
        let id = self.client(&[&begin[..], &limits, options, &[IMAGE], steps].concat());
        let pod = Pod { podman: self, id, name };
        let reported = super::until(|| {
            let reported = self.client(&["logs", &pod.id]);
            (!reported.is_empty()).then_some(reported)
        });
        assert!(reported.is_some(), "the fixture reported nothing");
        pod
    }

    /// Returns the program with `CONTAINER_HOST` set, if the API runs.
    pub(crate) fn cmd<S: Into<String>>(&self, arguments: impl IntoIterator<Item = S>) -> Cmd {
        let cmd = Cmd::new(arguments);
        match self.service {
            Some(_) => cmd.env("CONTAINER_HOST", &format!("unix://{}", self.socket())),
            None => cmd,
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let at = |part: &str| self.folder.join(part);
        let mut command = Command::new("podman");
        command.arg("--root").arg(at("root")).arg("--runroot").arg(at("run")).arg("--tmpdir").arg(at("tmp"));
        command.arg("--network-config-dir").arg(at("net"));
        command.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", "runc"]);
        command.args(["--events-backend", "file"]).args(words).stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn client(&self, words: &[&str]) -> String {
        let output = self.command(words).output().expect("run podman");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "podman {words:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        let _what_is_left_goes_with_the_folder =
            self.podman.command(&["rm", "--force", "--time", "0", &self.id]).output();
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        if let Some(mut service) = self.service.take() {
            let _may_have_ended = service.kill();
            let _reaped = service.wait();
        }
        let _what_is_left_goes_with_the_run = std::fs::remove_dir_all(&self.folder);
    }
}
