//! Network namespaces for tests: only loopback, and the default limits.

use std::process::Command;

/// Runs `test` in a new network namespace with loopback up. Processes that it starts are there too, and `/proc/sys/net`
/// is private. It may use any port; [`super::port`] is for the machine's namespace.
pub(crate) fn in_new_netns<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    // The namespace belongs to this thread, and ends with its last user.
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            enter();
            ip("link set lo up");
            test()
        });
        match inside.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(target_os = "linux")]
fn enter() {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("unshare the network");
}

/// Moves the calling thread into a new mount namespace.
#[cfg(target_os = "linux")]
pub(super) fn leave_mounts() {
    use nix::mount::MsFlags;
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("unshare the mounts");
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>).expect("private mounts");
}

/// Mounts an empty tmpfs in this mount namespace.
#[cfg(target_os = "linux")]
pub(super) fn mount_empty(place: &str) {
    use nix::mount::MsFlags;
    let mounted = nix::mount::mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), None::<&str>);
    mounted.unwrap_or_else(|error| panic!("mount a tmpfs at {place}: {error}"));
}

#[cfg(not(target_os = "linux"))]
pub(super) fn mount_empty(_place: &str) {
    panic!("a test with private mounts needs Linux");
}

#[cfg(not(target_os = "linux"))]
pub(super) fn leave_mounts() {
    panic!("a test with private mounts needs Linux");
}

#[cfg(not(target_os = "linux"))]
fn enter() {
    panic!("a test in a new network namespace needs Linux");
}

/// Runs `ip(8)` with these arguments in the network namespace of the calling thread.
pub(crate) fn ip(words: &str) {
    let status = Command::new("ip").args(words.split(' ')).status();
    assert!(status.is_ok_and(|status| status.success()), "ip {words}");
}

/// Runs `nft(8)` with these rules in the network namespace of the calling thread.
pub(crate) fn nft(rules: &str) {
    let set = Command::new("nft").arg(rules).status();
    assert!(set.is_ok_and(|status| status.success()), "nft {rules}");
}

/// Sets a limit of the network namespace, such as `ipv4/ip_local_port_range`.
pub(crate) fn set_limit(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/{name}"), value)
        .unwrap_or_else(|error| panic!("set net/{name} to {value}: {error}"));
}
