//! `why` and `free` about a port that no socket holds, but that a policy keeps this process from binding.

#![cfg(target_os = "linux")]

use crate::support::{Cmd, Need, cgroup_root, fixture_program, live_test, port};
use crate::why::{must_be_bindable, must_have_verdict, obstacles, run_why, sentences};
use serde_json::json;

/// A kernel whose Landlock can forbid binds (Linux 6.7, with Landlock among its security modules).
const LANDLOCK: Need = Need::Probe(
    "Landlock for the network",
    &["python3", "-c", "import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(444, None, 0, 1) < 4)"],
);

/// A kernel that accepts BPF programs for cgroups.
const CGROUP_BPF: Need =
    Need::Probe("BPF for cgroups", &["test", "-e", "/proc/sys/kernel/unprivileged_bpf_disabled"]);

/// Runs the program where this step of the fixture forbids the bind.
fn confined(step: &str, arguments: &[&str]) -> Cmd {
    let fixture = fixture_program().to_string_lossy().into_owned();
    Cmd::new(arguments.iter().copied()).through([fixture.as_str(), step, "exec"])
}

#[live_test(Kernel(6, 8), LANDLOCK)]
fn a_landlock_sandbox_is_suspected() {
    let target = port().to_string();
    must_be_bindable(&target);
    let answer = run_why(confined("no-bind-by-landlock", &["why", "--json", &target]), 1);
    must_have_verdict(&answer, "unknown");
    answer.assert_eq(&answer.document["error"], &json!("EACCES"), "error");
    answer.assert_eq(&answer.document["hindrance"], &json!("policy"), "hindrance");
    answer.assert_eq(obstacles(&answer).len(), 0, "no socket prevents the bind");
    let reported = sentences(&answer);
    answer.assert(reported.contains("landlock"), "the sandbox is named");
    answer.assert(reported.contains("no_new_privs is set"), "with what is visible of it");
    let freed = confined("no-bind-by-landlock", &["free", "--json", "--yes", &target]).run().code(3);
    freed.assert(
        freed.text().contains("policy") && !freed.text().contains("\"free\":true"),
        "free reports it too",
    );
    // It concerns TCP only.
    let udp = run_why(confined("no-bind-by-landlock", &["why", "--json", &format!("udp/{target}")]), 0);
    must_have_verdict(&udp, "free");
}

#[live_test(Root, Cgroup, CGROUP_BPF)]
fn a_bpf_program_of_the_cgroup_is_counted() {
    let root = cgroup_root().expect("a tree");
    let cgroup = root.join(format!("allears-bind-{}", std::process::id()));
    std::fs::create_dir(&cgroup).expect("make a cgroup");
    let step = format!("no-bind-by-cgroup={}", cgroup.display());
    let target = port().to_string();
    let result = std::panic::catch_unwind(|| {
        for target in [target.clone(), format!("udp/{target}"), "600".to_owned()] {
            let answer = run_why(confined(&step, &["why", "--json", &target]), 1);
            must_have_verdict(&answer, "unknown");
            answer.assert_eq(&answer.document["error"], &json!("EPERM"), "error");
            answer.assert_eq(&answer.document["hindrance"], &json!("policy"), "hindrance");
            let reported = sentences(&answer);
            answer.assert(
                reported.contains("bpf program") && reported.contains("bpftool cgroup"),
                "how to find it",
            );
            answer.assert(!reported.contains("setcap"), "no privilege is missing");
        }
    });
    std::fs::remove_dir(&cgroup).expect("remove the cgroup");
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    must_be_bindable(&target);
}
