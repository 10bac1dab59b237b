//! Support for the tests on real sockets: fixtures to observe, the program under test, and what a test needs of the
//! machine. Nothing here asserts what the program answers.

mod cgroup;
mod cmd;
mod control_chars;
#[cfg(unix)]
mod docker;
mod documents;
#[cfg(unix)]
mod fake_runtime;
mod fixture;
mod folder;
mod json_output;
mod launchers;
pub(crate) mod needs;
#[cfg(unix)]
mod netns;
mod output;
#[cfg(unix)]
mod podman;
mod port;
#[cfg(unix)]
mod process;
mod programs;
#[cfg(unix)]
mod pty_session;
mod registry;
mod running;
#[cfg(target_os = "linux")]
mod shell_session;
mod stream;
#[cfg(unix)]
mod supervised;
#[cfg(unix)]
mod systemd;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod tmux_shell;
#[cfg(target_os = "linux")]
mod tracing;
mod users;

pub(crate) use allears_test_macros::live_test;
pub(crate) use cgroup::{Cgroup, cgroup_root};
pub(crate) use cmd::Cmd;
pub(crate) use control_chars::control_character;
#[cfg(unix)]
pub(crate) use docker::{Container, Engine, kill_proxy, without_host_containers};
pub(crate) use documents::{check_recorded, python, save, validate};
#[cfg(unix)]
pub(crate) use fake_runtime::{Behavior, FakeRuntime};
pub(crate) use fixture::{Fixture, Steps};
pub(crate) use folder::{clean, folder};
pub(crate) use json_output::{JsonOutput, decode_base64, holders, pids};
pub(crate) use launchers::{nobody_with, without_netlink};
pub(crate) use needs::Need;
#[cfg(unix)]
pub(crate) use netns::{in_new_netns, ip, nft, set_limit};
pub(crate) use output::Output;
#[cfg(unix)]
pub(crate) use podman::Podman;
#[cfg(unix)]
pub(crate) use port::listen_without_reuse;
pub(crate) use port::{port, start_on_one_port};
#[cfg(unix)]
pub(crate) use process::{runs, send_signal, stop};
#[cfg(target_os = "linux")]
pub(crate) use process::{state, wait_for_state};
#[cfg(unix)]
pub(crate) use programs::link_or_copy;
pub(crate) use programs::{copy_of, fixture_program, program};
#[cfg(unix)]
pub(crate) use pty_session::PtySession;
pub(crate) use registry::{ALONE, Test, register, tests};
pub(crate) use running::Running;
#[cfg(target_os = "linux")]
pub(crate) use shell_session::{SHELLS, Shell};
#[cfg(unix)]
pub(crate) use stream::Stream;
#[cfg(unix)]
pub(crate) use supervised::{Service, Supervisor};
#[cfg(unix)]
pub(crate) use systemd::{AS_STAGED_USER, STAGED_USER, Systemd};
#[cfg(unix)]
pub(crate) use terminal::without_styles;
#[cfg(unix)]
pub(crate) use tmux_shell::TmuxShell;
#[cfg(unix)]
pub(crate) use users::ordinary_uid;
pub(crate) use users::{NOBODY, is_root, ordinary_user};

use std::time::{Duration, Instant};

/// The longest wait, which nothing here needs even on a busy machine. Reaching it is a failure, never a result.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A value in the environment of every fixture, which no output of the program may show.
pub(crate) const SECRET: &str = "a-secret-that-is-in-the-environment";

/// Polls `condition` until it returns something. Returns `None` after [`PATIENCE`].
pub(crate) fn until<T>(mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
