//! Loops in shells and scripts.

use super::*;

#[test]
fn loops_in_shells() {
    for (command, delay) in [
        (&["sh", "-c", "while :; do python3 x.py; sleep 3; done"][..], Some(3 * SECOND)),
        (&["bash", "-lc", "until ./x.py; do :; done; while true\ndo\n ./x.py\ndone"], Some(Duration::ZERO)),
        (&["bash", "-c", "for i in 1 2 3; do (cd /srv && exec python3 x.py); sleep 0.5; done"], {
            Some(Duration::from_millis(500))
        }),
        (&["sh", "-c", "while :; do \"$@\"; sleep $delay; done", "sh", "python3", "x.py"], None),
        (&["sh", "-c", "serve() { python3 x.py; }; while serve || true; do serve; sleep 1m; done"], {
            Some(60 * SECOND)
        }),
    ] {
        let server = ["python3", "x.py"];
        let found =
            TestProcesses::default().runs("/usr/bin/dash", command).runs("/usr/bin/python3", &server).only();
        assert_eq!((found.kind, found.certainty), (RestarterKind::ShellLoop, Certainty::Likely));
        assert_eq!((found.delay, found.stop), (delay, Stop::EndRestarter), "{command:?}");
    }
}

#[test]
fn shells_without_a_restarting_loop() {
    for command in [
        &["sh", "-c", "python3 x.py; echo over"][..],
        &["sh", "-c", "for word in a b; do export $word=1; done; python3 x.py"],
        &["sh", "-c", "echo 'while true; do python3 x.py; done'; python3 x.py"],
        &["sh", "-c", "# while :; do python3 x.py; done\npython3 x.py"],
        &["sh", "-c", "while ! nc -z db 5432; do sleep 1; done; python3 x.py"],
        // Commands that are typed cannot be read.
        &["-bash"],
        &["bash", "-i"],
        &["sh"],
        // A script that cannot be read shows no loop.
        &["sh", "/srv/start.sh"],
    ] {
        let processes = TestProcesses::default().runs("/usr/bin/bash", command);
        processes.runs("/usr/bin/python3", &["python3", "x.py"]).none();
    }
}

#[test]
fn loops_in_scripts() {
    let run = |code: &str| {
        TestProcesses::default()
            .runs("/usr/bin/bash", &["/bin/bash", "start.sh", "8000"])
            .within("/srv")
            .file("/srv/start.sh", code)
            .runs("/usr/bin/node", &["node", "server.js"])
    };
    let code =
        "#!/bin/bash\nset -e\nwhile :; do\n  node \\\n    server.js || true\n  sleep 2 # a while\ndone\n";
    assert_eq!(run(code).only().delay, Some(2 * SECOND));
    run("#!/bin/bash\nexec node server.js\n").none();
    // A subshell of a script is a process: the inner one restarts the server, not both.
    let code = "for delay in 1 3; do\n( while :; do node server.js; sleep $delay; done ) &\ndone\n";
    let found = TestProcesses::default()
        .runs("/usr/bin/bash", &["bash", "start.sh"])
        .within("/srv")
        .file("/srv/start.sh", code)
        .runs("/usr/bin/bash", &["bash", "start.sh"])
        .within("/srv")
        .runs("/usr/bin/node", &["node", "server.js"])
        .only();
    assert_eq!((found.id.pid, found.delay), (11, None));
}

#[test]
fn long_scripts_are_parsed_quickly() {
    // Scripts of the greatest length, which consist of loops and calls.
    for part in ["do x;", "f(){ ", "while f; do f; ", "for f in g; do $(f); done; "] {
        let code = part.repeat(LONGEST_FILE as usize / part.len());
        let code = format!("{code}{}", "done; ".repeat(1000));
        let began = std::time::Instant::now();
        let processes = TestProcesses::default().runs("/usr/bin/dash", &["sh", "-c", &code]);
        let _ = processes.runs("/usr/bin/node", &["node", "x.js"]).restarters();
        assert!(began.elapsed() < 20 * SECOND, "{part}: {:?}", began.elapsed());
    }
}

#[test]
fn the_remaining_sleep_of_a_shell() {
    let run = |command: &[&str]| {
        let mut processes =
            TestProcesses::default().runs("/usr/bin/dash", &["sh", "x.sh"]).runs("/usr/bin/sleep", command);
        let table = processes.table();
        let shell = processes.processes[0].id;
        sleeps(shell, &table, &mut processes)
    };
    assert_eq!(run(&["sleep", "3"]), Some(3 * SECOND));
    assert_eq!(run(&["/bin/sleep", "1m", "0.5"]), Some(Duration::from_millis(60_500)));
    assert_eq!(run(&["sleep", "infinity"]), None);
    assert_eq!(run(&["sleep", "1e300d"]), None);
}
