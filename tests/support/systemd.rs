//! A real systemd with socket units, as pid 1 of new namespaces.

use super::{Cmd, JsonOutput, copy_of, fixture_program, folder, program};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The user with a user manager there.
pub(crate) const STAGED_USER: u32 = 4242;

/// A launcher that runs a program as that user.
pub(crate) const AS_STAGED_USER: [&str; 6] =
    ["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups", "env", "XDG_RUNTIME_DIR=/run/user/4242"];

/// It ends with all its children when this is dropped.
pub(crate) struct Systemd {
    unshare: Child,
    pid: u32,
    cgroup: PathBuf,
}

/// Several may run at the same time.
static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Systemd {
    /// Starts it, and waits until its units listen.
    pub(crate) fn start() -> Self {
        let root = folder().join("systemd-root");
        std::fs::create_dir_all(&root).expect("make a folder for a root");
        let script = folder().join("systemd.sh");
        std::fs::write(&script, include_bytes!("systemd.sh")).expect("write the script");
        let tree = super::cgroup_root().expect("a cgroup2 file system");
        let cgroup = tree.join(format!(
            "allears-systemd-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir(&cgroup).expect("make a cgroup");
        let log = folder().join("systemd.log");
        let to_log =
            || Stdio::from(File::options().append(true).create(true).open(&log).expect("open the log"));
        // Its root cgroup is the cgroup in which it is started.
        let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", cgroup.display());
        let mut command = Command::new("sh");
        command.args([
            "-c", &enter, "sh", "unshare", "--mount", "--pid", "--fork", "--cgroup", "--net", "--uts",
        ]);
        command
            .args(["--ipc", "--kill-child", "sh"])
            .arg(&script)
            .arg(&root)
            .arg(copy_of(&program(), None))
            .arg(fixture_program());
        command.stdin(Stdio::null()).stdout(to_log()).stderr(to_log());
        let unshare = command.spawn().expect("start unshare");
        let mut started = Self { unshare, pid: 0, cgroup };
        let of = started.unshare.id();
        let listens = super::until(|| {
            let children = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).ok()?;
            let pid: u32 = children.split_ascii_whitespace().next()?.parse().ok()?;
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            let tables = ["tcp", "tcp6", "udp"]
                .map(|table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default());
            let all = [":1267 ", ":1268 ", ":1269 "].iter().zip(&tables);
            let bus = format!("/proc/{pid}/root/run/dbus/system_bus_socket");
            let ready = name.trim() == "systemd" && std::path::Path::new(&bus).exists();
            (ready && all.into_iter().all(|(port, table)| table.contains(port))).then_some(pid)
        });
        match listens {
            Some(pid) => started.pid = pid,
            None => panic!("systemd does not listen: {}", std::fs::read_to_string(&log).unwrap_or_default()),
        }
        started
    }

    /// Returns its pid, as this pid namespace has it.
    #[cfg(target_os = "linux")]
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns a launcher that runs a program in its namespaces.
    pub(crate) fn inside(&self) -> Vec<String> {
        ["nsenter", &format!("--target={}", self.pid), "--all"].map(str::to_owned).to_vec()
    }

    /// Runs a program in its namespaces, and asserts success.
    pub(crate) fn run(&self, words: &[&str]) {
        let launcher = self.inside();
        let output =
            Command::new(&launcher[0]).args(&launcher[1..]).args(words).output().expect("run nsenter");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?} ended with {}: {said}", output.status);
    }

    /// Starts the manager of [`STAGED_USER`], and some of its units.
    pub(crate) fn start_user_manager(&self, units: &[&str]) {
        self.run(&["systemctl", "start", "user@4242.service"]);
        self.run(&[&AS_STAGED_USER[..], &["systemctl", "--user", "start"], units].concat());
    }

    /// Runs the program under test in its namespaces, through another program, until systemd answers in time: on a busy
    /// machine it may answer after the timeout, which a gap reports.
    #[track_caller]
    pub(crate) fn answer(&self, target: &str, through: &[&str]) -> JsonOutput {
        let answer = super::until(|| {
            let answer = Cmd::new([target]).through(self.launcher(through)).answer(0);
            answer.gaps("services").is_empty().then_some(answer)
        });
        answer.expect("systemd answers in time")
    }

    /// Returns a launcher for the program under test in its namespaces, through another program. Its path differs
    /// there.
    pub(crate) fn launcher(&self, through: &[&str]) -> Vec<String> {
        let there = ["sh", "-c", "shift && exec /allears \"$@\"", "sh"];
        let words = through.iter().chain(&there).map(|word| (*word).to_owned());
        self.inside().into_iter().chain(words).collect()
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        // The child is killed with it, and with pid 1 of its pid namespace everything else.
        let _may_have_ended = self.unshare.kill();
        let _reaped = self.unshare.wait();
        let _gave_up = super::until(|| remove(&self.cgroup).ok());
    }
}

/// Removes a cgroup and those below it.
fn remove(cgroup: &std::path::Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(cgroup)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path())?;
        }
    }
    std::fs::remove_dir(cgroup)
}
