//! What the tests on real sockets stand on: fixtures to look at, the program that looks, and what a
//! machine must have for it. It asserts nothing about the program's answers by itself.

mod answer;
#[cfg(unix)]
mod dialogue;
#[cfg(unix)]
mod docker;
mod fixture;
mod inert;
mod look;
mod need;
#[cfg(unix)]
mod network;
mod place;
#[cfg(unix)]
mod podman;
mod port;
mod running;
#[cfg(unix)]
mod runtime;
mod stream;
#[cfg(unix)]
mod systemd;
#[cfg(unix)]
mod terminal;

pub(crate) use answer::{Answer, decoded, holders, pids};
#[cfg(unix)]
pub(crate) use docker::{Container, Engine};
pub(crate) use fixture::{Fixture, Steps};
pub(crate) use inert::live_character;
pub(crate) use look::{Look, Seen};
pub(crate) use need::{Need, cgroup_root};
#[cfg(unix)]
pub(crate) use network::{in_own_network, ip, set_limit};
#[cfg(unix)]
pub(crate) use place::ordinary_uid;
#[cfg(unix)]
pub(crate) use place::program;
pub(crate) use place::{NOBODY, clean, copy_of, fixture_program, folder, is_root, ordinary_user};
#[cfg(unix)]
pub(crate) use podman::Podman;
#[cfg(unix)]
pub(crate) use port::listen_strictly;
pub(crate) use port::{on_one_port, port};
pub(crate) use running::Running;
#[cfg(unix)]
pub(crate) use runtime::{Manner, Odd};
#[cfg(unix)]
pub(crate) use systemd::{AS_STAGED_USER, STAGED_USER, Systemd};
#[cfg(unix)]
pub(crate) use terminal::without_styles;

use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine; reaching it is a failure, never a result.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// In the environment of every fixture; no output of the program may ever show it.
pub(crate) const SECRET: &str = "a-secret-that-is-in-the-environment";

/// Asks again and again until `condition` gives something; `None` when patience ends first.
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
