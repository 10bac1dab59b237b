//! runsv, s6-supervise, supervise and supervise-daemon.

use super::*;

#[test]
fn supervisors_of_service_folders() {
    for (file, command, kind, stop) in [
        ("/usr/bin/runsv", &["runsv", "web"][..], RestarterKind::Runit, "sv down /etc/sv/web"),
        // BusyBox has many programs in one file.
        ("/bin/busybox", &["runsv", "web"], RestarterKind::Runit, "sv down /etc/sv/web"),
        ("/bin/busybox", &["busybox", "runsv", "web"], RestarterKind::Runit, "sv down /etc/sv/web"),
        ("/usr/bin/s6-supervise", &["s6-supervise", "web"], RestarterKind::S6, "s6-svc -d /etc/sv/web"),
        ("/usr/bin/supervise", &["supervise", "web"], RestarterKind::Daemontools, "svc -d /etc/sv/web"),
    ] {
        let found = TestProcesses::default()
            .runs(file, command)
            .within("/etc/sv/web")
            .runs("/usr/bin/node", &["node", "x.js"])
            .only();
        assert_eq!((found.kind, words(&found.stop).as_str()), (kind, stop));
        assert_eq!((found.delay, found.certainty), (Some(SECOND), Certainty::Certain));
        assert_eq!(program(&found), Some("/etc/sv/web"));
    }
    // Without a readable working directory the argument decides, if it is an absolute path.
    let hidden =
        |given| TestProcesses::default().runs("/usr/bin/runsv", &["runsv", given]).runs("/bin/x", &["x"]);
    assert_eq!(words(&hidden("/etc/sv/web").only().stop), "sv down /etc/sv/web");
    assert_eq!(hidden("web").only().stop, Stop::Unknown);
}

#[test]
fn finish_scripts_add_to_the_delay() {
    let s6 = |file: &str, content: &str| {
        TestProcesses::default()
            .runs("/usr/bin/s6-supervise", &["s6-supervise", "web"])
            .within("/run/service/web")
            .file("/run/service/web/finish", "#!/bin/sh")
            .file(file, content)
            .runs("/bin/x", &["x"])
            .only()
            .delay
    };
    assert_eq!(s6("/x", ""), Some(6 * SECOND));
    assert_eq!(s6("/run/service/web/timeout-finish", "20000\n"), Some(21 * SECOND));
    assert_eq!(s6("/run/service/web/timeout-finish", "0\n"), None);
    let runit = TestProcesses::default()
        .runs("/usr/bin/runsv", &["runsv", "web"])
        .within("/etc/sv/web")
        .file("/etc/sv/web/finish", "#!/bin/sh")
        .runs("/bin/x", &["x"]);
    assert_eq!(runit.only().delay, None);
}

#[test]
fn a_service_that_runs_once_is_not_restarted() {
    let runit = |stat: &str| {
        TestProcesses::default()
            .runs("/usr/bin/runsv", &["runsv", "web"])
            .within("/etc/sv/web")
            .file("/etc/sv/web/supervise/stat", stat)
            .runs("/bin/x", &["x"])
    };
    runit("run, want down\n").none();
    assert_eq!(runit("run\n").only().kind, RestarterKind::Runit);
    let daemontools = |want: &str| {
        TestProcesses::default()
            .runs("/usr/bin/supervise", &["supervise", "web"])
            .within("/etc/service/web")
            .file("/etc/service/web/supervise/status", &format!("0123456789ABpid1\0{want}"))
            .runs("/bin/x", &["x"])
    };
    daemontools("d").none();
    daemontools("\0").none();
    assert_eq!(daemontools("u").only().kind, RestarterKind::Daemontools);
}

#[test]
fn openrc_names_its_service_and_its_delay() {
    let start = &["--start", "/usr/bin/web", "--", "-D", "9"];
    let run = |options: &[&str]| {
        let command = [&["/sbin/supervise-daemon", "web"], options, start].concat();
        TestProcesses::default()
            .runs("/sbin/supervise-daemon", &command)
            .runs("/usr/bin/web", &["web"])
            .only()
    };
    let found = run(&[]);
    assert_eq!((words(&found.stop).as_str(), found.delay), ("rc-service web stop", Some(Duration::ZERO)));
    for options in [&["--respawn-delay", "3"][..], &["--respawn-delay=3"], &["-D", "3"], &["-D3"]] {
        assert_eq!(run(options).delay, Some(3 * SECOND), "{options:?}");
    }
    assert_eq!(run(&["-D", "x"]).delay, None);
}
