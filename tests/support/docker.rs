//! Containers of a real Docker engine: an image made of the fixture and its libraries, containers, networks, and
//! private engines. Everything is labelled with the pid of this run, and removed at its end.

use super::Cmd;
use super::{fixture_program, folder};
use serde_json::Value;
use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The default socket of the machine's engine.
const SOCKET: &str = "/var/run/docker.sock";

static NUMBER: AtomicU32 = AtomicU32::new(0);
static HOST: OnceLock<Engine> = OnceLock::new();
static TURN: Mutex<()> = Mutex::new(());

/// The engine of this machine, which no other test uses until this is dropped.
pub(crate) struct HostEngine {
    engine: &'static Engine,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for HostEngine {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.engine
    }
}

/// Keeps other tests from starting containers in the engine of this machine until the result is dropped. Signs of
/// containers change the answer about a free port for an unprivileged user.
pub(crate) fn without_host_containers() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An engine that runs containers.
pub(crate) struct Engine {
    /// Its address; `None` is the default.
    pub(crate) host: Option<String>,
    /// The image of this run.
    pub(crate) image: String,
    private: Option<PrivateEngine>,
}

/// A private engine: its process, and a folder with its data.
struct PrivateEngine {
    child: Child,
    folder: PathBuf,
}

/// Returns whether an engine runs in this network namespace, and a client is installed. Tests install no engine.
pub(crate) fn engine_here() -> bool {
    let client = Command::new("docker").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    client.is_ok_and(|status| status.success()) && Path::new(SOCKET).exists() && daemon_here()
}

/// Returns whether a dockerd runs in this network namespace: one in another publishes its ports there.
fn daemon_here() -> bool {
    let here = std::fs::read_link("/proc/self/ns/net").ok();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.map(|process| process.path()).any(|process| {
        let named = std::fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == "dockerd");
        // The namespace may be hidden from this user; then a request to the engine decides.
        named && std::fs::read_link(process.join("ns/net")).map_or(true, |network| Some(network) == here)
    })
}

/// Returns whether the engine of this machine answers this user.
pub(crate) fn engine_answers() -> bool {
    engine_here() && client(None, &["version"]).status.success()
}

impl Engine {
    /// Returns the engine of this machine, with the image loaded.
    ///
    /// One test has it at a time: containers are visible to every scan of this network namespace.
    pub(crate) fn host() -> HostEngine {
        let turn = without_host_containers();
        let engine = HOST.get_or_init(|| {
            let image = image();
            import(None, &image);
            Self { host: None, image, private: None }
        });
        HostEngine { engine, _turn: turn }
    }

    /// Starts a private engine with these options in the network namespace of the calling thread.
    pub(crate) fn start(options: &[&str]) -> Self {
        let folder = folder().join(format!("engine-{}", number()));
        std::fs::create_dir_all(&folder).expect("make a folder for an engine");
        let at = |name: &str| folder.join(name).display().to_string();
        std::fs::write(at("settings"), "{}").expect("write private settings");
        let log = File::create(at("log")).expect("create a log");
        let host = format!("unix://{}", at("socket"));
        // Its mounts are private too, and end with it.
        let mut command = Command::new("unshare");
        command.args(["--mount", "dockerd", "--storage-driver", "vfs", "--group", "root"]).args(options);
        command.args([
            "--config-file",
            &at("settings"),
            "--data-root",
            &at("data"),
            "--exec-root",
            &at("run"),
        ]);
        command.args(["--pidfile", &at("pid"), "--host", &host]).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("dup")).stderr(log);
        let child = command.spawn().expect("start an engine");
        let mut private = PrivateEngine { child, folder };
        let ready = super::until(|| {
            let answers = client(Some(&host), &["version"]).status.success();
            let ended = !matches!(private.child.try_wait(), Ok(None));
            (answers || ended).then_some(answers)
        });
        if ready != Some(true) {
            let log = std::fs::read_to_string(private.folder.join("log")).unwrap_or_default();
            panic!("a private engine does not run: {}", last_lines(&log));
        }
        let image = image();
        import(Some(&host), &image);
        Self { host: Some(host), image, private: Some(private) }
    }

    /// Returns the pid of a private engine.
    pub(crate) fn pid(&self) -> u32 {
        self.private.as_ref().expect("a private engine").child.id()
    }

    /// Runs the client with these arguments, and returns what it prints.
    #[track_caller]
    pub(crate) fn client(&self, words: &[&str]) -> String {
        must(client(self.host.as_deref(), words), words)
    }

    /// Returns the program with `DOCKER_HOST` set to this engine.
    pub(crate) fn cmd<S: Into<String>>(&self, arguments: impl IntoIterator<Item = S>) -> Cmd {
        match &self.host {
            Some(host) => Cmd::new(arguments).env("DOCKER_HOST", host),
            None => Cmd::new(arguments),
        }
    }

    /// Starts a container with these options, in which the fixture does these steps.
    #[track_caller]
    pub(crate) fn run(&self, options: &[&str], steps: &[&str]) -> Container<'_> {
        self.run_image(&self.image, options, steps)
    }

    /// Does the same with another image.
    #[track_caller]
    pub(crate) fn run_image(&self, image: &str, options: &[&str], steps: &[&str]) -> Container<'_> {
        let name = format!("allears-{}-{}", std::process::id(), number());
        let mut words = vec!["run", "--detach", "--interactive", "--name", &name, "--label"];
        let label = label();
        words.push(&label);
        words.extend(options);
        words.push(image);
        words.extend(steps);
        let id = self.client(&words);
        let mut container = Container {
            engine: self,
            id,
            name: name.clone(),
            image: image.to_owned(),
            reported: Value::Null,
        };
        let reported = super::until(|| {
            let output = client(self.host.as_deref(), &["logs", &container.id]);
            let reported = serde_json::from_slice(&output.stdout).ok();
            let ended = || container.inspect("{{.State.Running}}") != "true";
            (reported.is_some() || ended()).then_some((reported, output))
        });
        match reported {
            Some((Some(reported), _)) => container.reported = reported,
            Some((None, output)) => {
                panic!("{words:?} reported nothing: {}", String::from_utf8_lossy(&output.stderr))
            }
            None => panic!("{words:?} reported nothing in time"),
        }
        container
    }

    /// Loads the same image again under this name.
    pub(crate) fn another_image(&self, name: &str) {
        import(self.host.as_deref(), name);
    }

    /// Creates a bridge network.
    pub(crate) fn network(&self) -> Network<'_> {
        let name = format!("allears-{}-{}", std::process::id(), number());
        self.client(&["network", "create", "--label", &label(), &name]);
        Network { engine: self, name }
    }
}

// A type of its own, so that the engine also ends if a step after its start fails.
impl Drop for PrivateEngine {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        // Not reaped yet, so the pid is still its own. On SIGTERM it ends what it started.
        let _may_have_ended = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        if super::until(|| self.child.try_wait().ok().flatten()).is_none() {
            let _may_have_ended_just_now = self.child.kill();
            let _reaped = self.child.wait();
        }
        let _what_is_left_goes_with_the_folder = std::fs::remove_dir_all(&self.folder);
    }
}

/// A running container. It is removed when this is dropped.
pub(crate) struct Container<'a> {
    engine: &'a Engine,
    pub(crate) id: String,
    pub(crate) name: String,
    image: String,
    reported: Value,
}

impl Container<'_> {
    /// Returns its description in the JSON document, with this port inside.
    pub(crate) fn described(&self, port: u16) -> Value {
        serde_json::json!({
            "runtime": "docker", "id": self.id, "name": self.name, "image": self.image, "port": port,
        })
    }

    /// Returns one fact about it, as a template of the client selects it.
    #[track_caller]
    pub(crate) fn inspect(&self, template: &str) -> String {
        self.engine.client(&["inspect", "--format", template, &self.id])
    }

    /// Returns the pid of its first process in this pid namespace.
    pub(crate) fn pid(&self) -> u32 {
        self.inspect("{{.State.Pid}}").parse().expect("a pid")
    }

    /// Returns the inode of the socket opened by its n-th socket step.
    pub(crate) fn inode(&self, index: usize) -> u64 {
        self.reported["sockets"][index]["inode"].as_u64().expect("so many sockets were staged")
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _said_by_the_sweep_at_the_end = client(self.engine.host.as_deref(), &["rm", "--force", &self.id]);
    }
}

/// Kills the proxy of a published port, and waits until the port can be bound.
#[track_caller]
pub(crate) fn kill_proxy(proxy: u32, address: &str, port: u16) {
    super::send_signal(proxy, nix::sys::signal::Signal::SIGKILL);
    let bound = super::until(|| std::net::TcpListener::bind((address, port)).ok());
    assert!(bound.is_some(), "the proxy is gone");
}

/// A network between containers. It is removed when this is dropped.
pub(crate) struct Network<'a> {
    engine: &'a Engine,
    pub(crate) name: String,
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        let _said_by_the_sweep_at_the_end =
            client(self.engine.host.as_deref(), &["network", "rm", &self.name]);
    }
}

/// Removes what this run has left in the engine of this machine.
pub(super) fn clean() {
    if HOST.get().is_none() {
        return;
    }
    let filter = format!("label={}", label());
    let sweep = |list: &[&str], remove: &[&str]| {
        // What goes first may be what keeps another.
        for _ in 0..3 {
            let found = client(None, &[list, &["--quiet", "--filter", &filter]].concat());
            let found = String::from_utf8_lossy(&found.stdout).into_owned();
            let found: Vec<&str> = found.split_whitespace().collect();
            if found.is_empty() {
                break;
            }
            let _asked_for_again = client(None, &[remove, &found].concat());
        }
    };
    sweep(&["ps", "--all"], &["rm", "--force"]);
    sweep(&["network", "ls"], &["network", "rm"]);
    sweep(&["image", "ls"], &["image", "rm", "--force"]);
}

/// Loads an image of the fixture and the libraries it is linked to. Nothing is downloaded.
fn import(host: Option<&str>, image: &str) {
    let archive = archive().display().to_string();
    let label = format!("LABEL {}", label());
    let words = ["import", "--change", "ENTRYPOINT [\"/fixture\"]", "--change", &label, &archive, image];
    must(client(host, &words), &words);
}

/// Makes the archive of which the image consists.
pub(super) fn archive() -> PathBuf {
    let fixture = fixture_program();
    let linked = Command::new("ldd").arg(&fixture).output().expect("run ldd");
    let linked = String::from_utf8_lossy(&linked.stdout).into_owned();
    let libraries: Vec<&str> = linked.split_whitespace().filter_map(|word| word.strip_prefix('/')).collect();
    let archive = folder().join(format!("image-{}.tar", number()));
    let mut tar = Command::new("tar");
    tar.args(["--create", "--dereference", "--file"]).arg(&archive);
    tar.arg("--directory").arg(fixture.parent().expect("a folder")).arg(fixture.file_name().expect("a name"));
    // A static fixture is linked to nothing.
    if !libraries.is_empty() {
        tar.args(["--directory", "/"]).args(libraries);
    }
    assert!(tar.status().is_ok_and(|status| status.success()), "{tar:?}");
    archive
}

fn image() -> String {
    format!("allears-live-{}:1", std::process::id())
}

fn client(host: Option<&str>, words: &[&str]) -> Output {
    let mut command = Command::new("docker");
    command.args(words).env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT").stdin(Stdio::null());
    if let Some(host) = host {
        command.env("DOCKER_HOST", host);
    }
    command.output().expect("run docker")
}

#[track_caller]
fn must(output: Output, words: &[&str]) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {words:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(super) fn number() -> u32 {
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

fn label() -> String {
    format!("allears-live={}", std::process::id())
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("\n")
}
