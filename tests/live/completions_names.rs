//! Names of processes that a shell or a terminal would act on, in the completions of real shells.

#![cfg(target_os = "linux")]

use crate::support::{SHELLS, Shell, Steps, in_new_netns, live_test, port};

/// Names that would create a file if they were run, or change the terminal if they were printed.
const NAMES: [&str; 9] = [
    "$(touch marker)",
    "`touch marker`",
    "a;touch marker",
    "a|touch marker'",
    "\"a&touch marker",
    "x\ntouch marker",
    "\u{1b}]2;evil\u{7}x",
    "%F{red}%n\\e[31m",
    "a\ttouch marker",
];

#[live_test(Root, NETWORK_NAMESPACE, Program("bash"), Program("zsh"), Program("fish"), Program("setsid"))]
fn no_name_is_run_or_reaches_the_terminal() {
    // Nothing else listens there.
    in_new_netns(each_shell_is_safe);
}

fn each_shell_is_safe() {
    let servers: Vec<_> = NAMES
        .iter()
        .map(|name| {
            let port = port();
            let steps = Steps::new([format!("tcp=127.0.0.1:{port}")]).bytes("name", name.as_bytes());
            steps.start()
        })
        .collect();
    for shell in SHELLS {
        let mut session = shell.start(None);
        session.expect_words("allears -c \\$\\(tou", &["-c", "$(touch marker)"]);
        session.expect_words("allears -c \\`tou", &["-c", "`touch marker`"]);
        session.expect_words("allears -c a\\;t", &["-c", "a;touch marker"]);
        session.expect_words("allears -c a\\|t", &["-c", "a|touch marker'"]);
        session.expect_words("allears -c \\\"a", &["-c", "\"a&touch marker"]);
        session.expect_words("allears -c %F", &["-c", "%F{red}%n\\e[31m"]);
        if shell == Shell::Bash {
            session.expect_words("allears -c '$(tou", &["-c", "$(touch marker)"]);
            session.expect_words("allears -c \"\\$(tou", &["-c", "$(touch marker)"]);
        } else {
            for (number, server) in servers.iter().enumerate() {
                // Every name is shown with its pid, and a control character as text.
                session.expect_listed("allears 127.0.0.1:", &format!("(pid {})", server.pid()));
                if number == 5 {
                    assert!(session.shows("x\\ntouch marker (pid"), "{shell:?} shows a line break as text");
                }
            }
        }
        assert!(!session.shows("\u{1b}]2;evil"), "{shell:?} passes a sequence to the terminal");
        assert!(!session.folder.join("marker").exists(), "{shell:?} runs a name");
    }
}
