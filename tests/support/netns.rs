//! A network of a trial's own: loopback and nothing else, with the machine's limits at their defaults.

use std::process::Command;

/// Runs `trial` in a new network namespace, with loopback up. Whatever the trial starts is there too, and
/// `/proc/sys/net` is the namespace's own. Port numbers are free to choose; [`super::port`] is for outside.
pub(crate) fn in_new_netns<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    // The namespace is this one thread's, and ends with the last that uses it.
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

/// Gives the calling thread mounts of its own, which nobody else sees.
#[cfg(target_os = "linux")]
pub(super) fn leave_mounts() {
    use nix::mount::MsFlags;
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("unshare the mounts");
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>).expect("private mounts");
}

/// An empty folder in memory in this place, for who shares these mounts.
#[cfg(target_os = "linux")]
pub(super) fn mount_empty(place: &str) {
    use nix::mount::MsFlags;
    let mounted = nix::mount::mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), None::<&str>);
    mounted.unwrap_or_else(|error| panic!("mount a tmpfs at {place}: {error}"));
}

#[cfg(not(target_os = "linux"))]
pub(super) fn mount_empty(_place: &str) {
    panic!("a trial with mounts of its own needs Linux");
}

#[cfg(not(target_os = "linux"))]
pub(super) fn leave_mounts() {
    panic!("a trial with mounts of its own needs Linux");
}

#[cfg(not(target_os = "linux"))]
fn enter() {
    panic!("a trial in a network of its own needs Linux");
}

/// `ip(8)` with these words, where the calling thread is.
pub(crate) fn ip(words: &str) {
    let status = Command::new("ip").args(words.split(' ')).status();
    assert!(status.is_ok_and(|status| status.success()), "ip {words}");
}

/// Runs `nft(8)` with these rules in the network namespace of the calling thread.
pub(crate) fn nft(rules: &str) {
    let set = Command::new("nft").arg(rules).status();
    assert!(set.is_ok_and(|status| status.success()), "nft {rules}");
}

/// Sets one of the network's own limits, as `ipv4/ip_local_port_range`.
pub(crate) fn set_limit(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/{name}"), value)
        .unwrap_or_else(|error| panic!("set net/{name} to {value}: {error}"));
}
