//! Completions in real shells: each test types into bash, zsh and fish on a pseudo-terminal.

#![cfg(target_os = "linux")]

use crate::support::{
    Cmd, Fixture, NOBODY, SHELLS, Shell, copy_of, fixture_program, in_new_netns, live_test, port, program,
};
use std::time::Duration;

/// The tests of one shell after the other, each in a new session.
fn in_each_shell(test: impl Fn(Shell)) {
    for shell in SHELLS {
        test(shell);
    }
}

/// Returns a server and its port. Other tests have listeners too, so the whole number is typed where one word is expected.
fn server() -> (Fixture, String) {
    let port = port();
    (Fixture::start([format!("tcp=127.0.0.1:{port}")]), port.to_string())
}

#[live_test(Program("bash"), Program("zsh"), Program("fish"), Program("setsid"))]
fn commands_options_and_values() {
    in_each_shell(|shell| {
        let mut shell = shell.start(None);
        for (line, words) in [
            // Commands are completed although a target can stand at the same place.
            ("allears fre", &["free"][..]),
            ("allears comp", &["completions"]),
            ("allears completions z", &["completions", "zsh"]),
            ("allears help wh", &["help", "why"]),
            ("allears postgres", &["postgresql"]),
            ("allears --exp", &["--exposed"]),
            ("allears --color=al", &["--color=always"]),
            ("allears --color al", &["--color", "always"]),
            ("allears --sort dual", &["--sort", "dual_stack"]),
            ("allears --columns port,exe", &["--columns", "port,executable"]),
            ("allears --columns=port,exe", &["--columns=port,executable"]),
            ("allears --user roo", &["--user", "root"]),
            ("allears free --via=cont", &["free", "--via=container"]),
            ("allears free --signal QU", &["free", "--signal", "QUIT"]),
            ("allears wait 1 --acc", &["wait", "1", "--accepts"]),
            ("allears -c free --exp", &["-c", "free", "--exposed"]),
            ("allears about postgres", &["about", "postgresql"]),
            ("allears watch --ndj", &["watch", "--ndjson"]),
            ("allears schema sna", &["schema", "snapshot"]),
        ] {
            shell.expect_words(line, words);
        }
    });
}

#[live_test(Program("bash"), Program("zsh"), Program("fish"), Program("setsid"))]
fn files_and_directories() {
    in_each_shell(|shell| {
        let mut shell = shell.start(None);
        let folder = shell.folder.clone();
        std::fs::create_dir(folder.join("some folder")).expect("make a folder");
        std::fs::write(folder.join("some snapshot"), "{}").expect("write a file");
        shell.expect_words("allears --from some\\ sn", &["--from", "some snapshot"]);
        shell.expect_words("allears --from=some\\ sn", &["--from=some snapshot"]);
        shell.expect_words("allears diff some\\ sn", &["diff", "some snapshot"]);
        shell.expect_words("allears ./some\\ sn", &["./some snapshot"]);
        // The file is no folder.
        shell.expect_words("allears --in some", &["--in", "some folder/"]);
        shell.expect_words("allears man some", &["man", "some folder/"]);
    });
}

#[live_test(Program("bash"), Program("zsh"), Program("fish"), Program("setsid"))]
fn ports_and_addresses() {
    let (_server, port) = server();
    in_each_shell(|shell| {
        let mut shell = shell.start(None);
        for (typed, completed) in [
            (port.clone(), port.clone()),
            (format!(":{port}"), format!(":{port}")),
            (format!("127.0.0.1:{port}"), format!("127.0.0.1:{port}")),
            (format!("localhost:{port}"), format!("localhost:{port}")),
            (format!("tcp/{port}"), format!("tcp/{port}")),
            (format!("http,{port}"), format!("http,{port}")),
            (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{port}")),
            (format!("\"127.0.0.1:{port}"), format!("127.0.0.1:{port}")),
        ] {
            for command in [&[][..], &["why"], &["free"], &["watch"]] {
                let line =
                    ["allears"].iter().chain(command).chain([&typed.as_str()]).copied().collect::<Vec<_>>();
                // A word that is complete gets a space, and a quote its end.
                let words: Vec<&str> = command.iter().copied().chain([completed.as_str()]).collect();
                shell.expect_words(&line.join(" "), &words);
            }
        }
        shell.expect_words("allears localho", &["localhost:"]);
        shell.expect_words(&format!("allears -i :{port}"), &["-i", &format!(":{port}")]);
    });
}

/// Nothing else listens in a network namespace, so each shell has two candidates to list. bash shows no descriptions.
#[live_test(Root, Linux, NETWORK_NAMESPACE, Program("zsh"), Program("fish"), Program("setsid"))]
fn descriptions_name_the_holders() {
    in_new_netns(|| {
        let [(holder, port), (_other, _)] = [server(), server()];
        for shell in [Shell::Zsh, Shell::Fish] {
            let mut shell = shell.start(None);
            shell.expect_listed("allears 127.0.0.1:", &format!("fixture (pid {})", holder.pid()));
            shell.expect_listed("allears --pid ", &format!("fixture, port {port}"));
        }
    });
}

#[live_test(Program("bash"), Program("zsh"), Program("fish"), Program("setsid"))]
fn pids_and_names() {
    let name = format!("held{}", std::process::id());
    let program = copy_of(&fixture_program(), Some(&name));
    let port = port();
    let server = crate::support::Steps::new([format!("tcp=127.0.0.1:{port}")]).program(program).start();
    let pid = server.pid().to_string();
    in_each_shell(|shell| {
        let mut shell = shell.start(None);
        shell.expect_words("allears -c held", &["-c", &name]);
        shell.expect_words("allears free --command=held", &["free", &format!("--command={name}")]);
        shell.expect_words(&format!("allears --pid {pid}"), &["--pid", &pid]);
        shell.expect_words(&format!("allears --tree {pid}"), &["--tree", &pid]);
    });
}

/// Another user's holders are not visible. The port is completed, and the description shows its user.
#[live_test(
    Root,
    Linux,
    NETWORK_NAMESPACE,
    Program("bash"),
    Program("zsh"),
    Program("fish"),
    Program("setsid")
)]
fn a_holder_that_cannot_be_seen() {
    in_new_netns(|| {
        let [(_one, port), (_other, _)] = [server(), server()];
        for shell in SHELLS {
            let mut session = shell.start(Some(NOBODY));
            session.expect_words(&format!("allears 127.0.0.1:{port}"), &[&format!("127.0.0.1:{port}")]);
            if shell != Shell::Bash {
                session.expect_listed("allears 127.0.0.1:", "not seen, user root");
            }
        }
    });
}

/// The script asks for nothing that a machine without the program, or with another one, would answer by an error.
#[live_test(Program("bash"), Program("zsh"), Program("fish"), Program("setsid"))]
fn a_missing_program_prints_nothing() {
    in_each_shell(|shell| {
        let mut session = shell.start(None);
        session.expect_words("allears fre", &["free"]);
        let path = if shell == Shell::Fish { "set PATH /usr/bin /bin" } else { "PATH=/usr/bin:/bin" };
        session.expect_words(&format!("{path}; allears why 1 -"), &["why", "1", "-"]);
        for message in ["not found", "Unknown command", "rror:"] {
            assert!(!session.shows(message), "{} shows {message}", shell.name());
        }
    });
}

#[live_test(Linux)]
fn an_answer_is_fast_and_asks_no_runtime() {
    let (_server, port) = server();
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let output = Cmd::new(["__complete", "zsh", &port]).run().code(0);
        output.assert(output.text().contains(&format!("\t{port}\t")), "the port");
        output.assert_eq(output.errors().as_str(), "", "standard error");
        fastest = fastest.min(output.took);
    }
    // The search for holders may take 250 ms; this build is not optimised.
    assert!(fastest < Duration::from_millis(500), "{fastest:?} from {}", program().display());
}

#[live_test]
fn a_wrong_request_gets_no_answer() {
    for arguments in
        [&["__complete"][..], &["__complete", "tcsh", "x"], &["__complete", "bash"], &["__complete", "zsh"]]
    {
        let output = Cmd::new(arguments.iter().copied()).run().code(0);
        output.assert_eq(output.both_streams().as_str(), "", "both streams");
    }
}
