//! The contract on every system: arguments, invalid input, exit codes, and a listener of this process.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed step fails the test")]

mod transcript;

use std::net::{TcpListener, UdpSocket};

use transcript::{run, status, transcript};

/// A listener of this process. Reading its TTL makes wine record its owner.
fn listener(address: &str) -> (TcpListener, String) {
    let listener = TcpListener::bind(address).unwrap();
    listener.ttl().unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

#[test]
fn invalid_arguments_are_refused_with_a_correct_form() {
    let mut all = String::new();
    for arguments in [
        &["0"][..],
        &["65536"],
        &["10-5"],
        &[""],
        &["1.2.3:80"],
        &["[::1]"],
        &["::1"],
        &["127.0.0.1"],
        &["8080/xyz"],
        &["80,,81"],
        &["localhost"],
        &["example.com:80"],
        &["http://user:secret@example.com/x"],
        &["http://user:sec/ret@localhost/"],
        &["http://192.0.2.7/"],
        &["localhost:80/x"],
        &["http://localhost/a,80"],
        &["nosuchservice"],
        &["postgresq"],
        &["kafka,80"],
        &["bngsync/tcp"],
        &["-i", ":htpp"],
        &["why"],
        &["kill", "-9", "3000"],
        &["kill"],
        &["ls"],
        &["-n", "kill", "3000"],
        &["wath"],
        &["help", "fre"],
        &["help", "stop"],
        &["help", "nosuch"],
        &["free"],
        &["free", "-c", "x", "--tree"],
        &["about", "0"],
        &["about", "80-90"],
        &["about", "unix"],
        &["about", "127.0.0.1:80"],
        &["about", "nosuchservice"],
        &["/"],
        &["unix/80"],
        &["why", "80-143,200"],
        &["why", "unix"],
        &["wait", "unix"],
        &["wait", "80,81-"],
        &["wait", "--free", "--accepts", "80"],
        &["wait", "--listening", "80", "--http"],
        &["wait", "80", "--http", "health"],
        &["wait", "80", "--http", "/a b"],
        &["wait", "--http", "/health"],
        &["wait", "udp/80", "--accepts"],
        &["wait", "80,/run/app.sock", "--http"],
        &["wait", "80", "--timeout", "5parsec"],
        &["wait", "80", "--timeout", "8761h"],
        &["wait", "80", "--timeout", "NaN"],
        &["wait", "80", "--timeout", "-1s"],
        &["wait", "80", "--timeout=-1s"],
        &["free", "80", "--timeout", "1e9h"],
        &["free", "80", "--timeout", "99999999999999999999999999999999s"],
        &["watch", "--interval", "8761h"],
        &["watch", "0"],
        &["watch", "--interval", "99ms"],
        &["watch", "--interval", "0"],
        &["watch", "--from", "a.json"],
        &["watch", "--json"],
        &["diff"],
        &["diff", "-", "-"],
        &["diff", "a.json", "b.json", "c.json"],
        &["free", "/run/docker.sock"],
        &["free", "80", "--timeout", "5parsec"],
        &["-i", "icmp:80"],
        &["-i", "8080"],
        &["--pid", "x"],
        &["--user", "no-such-user"],
        &["--columns", "port,nosuch"],
        &["--sort", "nosuch"],
        &["--color", "sometimes"],
        &["--nosuch"],
        &["--json", "--csv"],
        &["80\u{1b}[31m"],
    ] {
        let output = run(arguments);
        assert_eq!(status(&output), 2, "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.contains(&0x1b), "{arguments:?}");
        let reported = transcript(arguments).replace("allears.exe", "allears").replace('\u{1b}', "<ESC>");
        all.push_str(&reported);
        all.push('\n');
    }
    insta::assert_snapshot!(all);
}

/// Removes the lines about this machine from the output of `about`.
fn about(arguments: &[&str]) -> String {
    let reported = transcript(&[&["about"], arguments].concat());
    let mut here = false;
    let kept = reported.lines().filter(|line| {
        here = line.starts_with("  here") || (here && line.starts_with("              "));
        !here
    });
    kept.map(|line| format!("{line}\n")).collect()
}

#[test]
fn about_a_port() {
    let ports = ["10309", "5432", "2049", "tcp/443", "6005", "10321", "5173", "51820", "8000", "http-alt"];
    insta::assert_snapshot!(ports.map(|port| about(&[port])).join("\n"));
}

#[test]
fn about_a_port_as_json() {
    let output = run(&["about", "10309", "--json"]);
    assert_eq!(status(&output), 0);
    let mut document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let here = document["here"].take();
    assert_eq!(here.as_object().unwrap().len(), 3, "{here}");
    insta::assert_snapshot!(format!("{document:#}"));
    let several = run(&["about", "tcp/http-alt", "--json"]);
    let several: serde_json::Value = serde_json::from_slice(&several.stdout).unwrap();
    let ports: Vec<_> = several["ports"].as_array().unwrap().iter().map(|one| one["port"].as_u64()).collect();
    assert_eq!(ports, [Some(591), Some(8008), Some(8080)]);
    assert_eq!(several["ports"][2]["registry"].as_array().unwrap().len(), 1, "only TCP was requested");
}

#[test]
fn a_listener_and_its_holder() {
    let (_listener, port) = listener("127.0.0.1:0");
    let output = run(&[&port, "--json"]);
    assert_eq!(status(&output), 0);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "allears/1");
    assert_eq!(document["os"], std::env::consts::OS);
    let listeners = document["listeners"].as_array().unwrap();
    assert_eq!(listeners.len(), 1, "{document:#}");
    let found = listeners.first().unwrap();
    assert_eq!(found["port"].to_string(), port);
    assert_eq!(found["address"], "127.0.0.1");
    assert_eq!(found["protocol"], "tcp");
    assert_eq!(found["state"], "listen");
    assert_eq!(found["exposure"], "loopback");
    assert_eq!(found["holders"][0]["pid"], std::process::id());
    let pids = run(&["--pids", &port]);
    assert_eq!(String::from_utf8_lossy(&pids.stdout).trim(), std::process::id().to_string());
    let card = String::from_utf8(run(&[&port]).stdout).unwrap();
    // In an emulator of another processor, the kernel knows this process by the name of the emulator.
    let comm = std::fs::read_to_string("/proc/self/comm").ok().filter(|_| cfg!(target_os = "linux"));
    let known = comm.unwrap_or_else(|| "contract".to_owned());
    assert!(
        card.starts_with(&format!("{port}/tcp on 127.0.0.1 is held by {}", known.trim_end())),
        "{known}: {card}"
    );
    assert!(card.contains(&format!("(pid {}", std::process::id())), "{card}");
}

#[test]
fn udp_is_not_tcp() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.ttl().unwrap();
    let port = socket.local_addr().unwrap().port();
    let output = run(&[&format!("udp/{port}"), "--pids"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), std::process::id().to_string());
    let output = run(&["-t", &port.to_string()]);
    assert_eq!(status(&output), 1);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("nothing listens on tcp port {port}{}\n", "")
    );
}

#[test]
fn a_port_without_a_listener() {
    // Bound but not listening: no other process can listen there meanwhile.
    let (listener, port) = listener("127.0.0.1:0");
    let connection = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let client = connection.local_addr().unwrap().port().to_string();
    let output = run(&[&client]);
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(format!("nothing listens on port {client}").as_str()));
    if let Some(but) = lines.next() {
        assert!(but.starts_with("  but it cannot be bound: "), "{but}");
        assert!(but.ends_with(&format!("; see allears why {client}")), "{but}");
    }
    assert_eq!(status(&output), 1, "a client of a port is no listener");
    let quiet = run(&["-q", &client]);
    assert_eq!((status(&quiet), quiet.stdout.len(), quiet.stderr.len()), (1, 0, 0));
    let quiet = run(&["-q", &port]);
    assert_eq!((status(&quiet), quiet.stdout.len(), quiet.stderr.len()), (0, 0, 0));
    let both = run(&[&port, &client]);
    assert_eq!(status(&both), 0);
    assert!(String::from_utf8_lossy(&both.stderr).contains(&format!("nothing listens on port {client}")));
    drop(connection);
}

#[test]
fn options_of_ss_netstat_and_lsof_are_accepted() {
    let (_listener, port) = listener("127.0.0.1:0");
    let spec = format!(":{port}");
    let tcp = format!("tcp:{port}");
    for arguments in [
        &["-tulnp"][..],
        &["-tlnp"],
        &["-ano"],
        &["-nP", "-i", &spec],
        &["-nP", "-i", &tcp],
        &["-nPi", &spec],
        &["-i", "4"],
        &["-nP", "-i"],
        &["-iTCP", "-sTCP:LISTEN", "-P", "-n"],
        &["-i", &spec, "-s", "tcp:listen"],
        &["-lntup", &port],
        &["-t", "-i", &spec, "--csv"],
    ] {
        let output = run(arguments);
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(status(&output), 0, "{arguments:?}");
        assert!(table.contains(&port), "{arguments:?}: {table}");
    }
    let other = run(&["-i", "-sTCP:ESTABLISHED"]);
    assert_eq!(status(&other), 2);
    assert!(String::from_utf8_lossy(&other.stderr).contains("-a shows the sockets in all other states"));
}

#[test]
fn pids_as_lsof_prints_them() {
    let (_listener, port) = listener("127.0.0.1:0");
    let own = format!("{}\n", std::process::id());
    for arguments in [
        &["-t", "-i", &format!(":{port}")][..],
        &["-ti", &format!(":{port}")],
        &[&format!("-ti:{port}")],
        &["-nPti", &format!("tcp:{port}")],
        &[&format!("-ti@localhost:{port}")],
    ] {
        let output = run(arguments);
        assert_eq!(
            (status(&output), String::from_utf8_lossy(&output.stdout).as_ref()),
            (0, own.as_str()),
            "{arguments:?}"
        );
    }
}

#[test]
fn targets_as_people_paste_them() {
    let (_listener, port) = listener("127.0.0.1:0");
    let other = format!("nothing listens on tcp [::1]:{port}");
    for target in ["localhost:P", "http://user:secret@LOCALHOST:P/x?y", "tcp/localhost:P", "a.localhost:P/"] {
        let target = target.replace('P', &port);
        let output = run(&[&target]);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(status(&output), 0, "{target}: {err}");
        assert!(out.starts_with(&format!("{port}/tcp on 127.0.0.1 is held by ")), "{target}: {out}");
        assert!(err.contains(&other) && !err.contains("secret"), "{target}: {err}");
    }
    for target in ["http://127.0.0.1:P/", "127.0.0.1:P/", "*:P", "http://*:P", ":P"] {
        let output = run(&["-q", &target.replace('P', &port)]);
        assert_eq!(status(&output), 0, "{target}");
    }
    assert_eq!(status(&run(&["-q", &format!("0.0.0.0:{port}")])), 1);
    assert_eq!(status(&run(&["-q", &format!("http://[::1]:{port}/")])), 1);
    assert_eq!(status(&run(&["why", &format!("http://127.0.0.1:{port}/")])), 1);
    assert_eq!(status(&run(&["wait", "--timeout", "0s", &format!("http://127.0.0.1:{port}/")])), 0);
    assert_eq!(status(&run(&["free", "--dry-run", &format!("http://127.0.0.1:{port}/")])), 3);
}

#[test]
fn why_answers_for_several_ports() {
    let (_listener, port) = listener("127.0.0.1:0");
    let (unused, free) = listener("127.0.0.1:0");
    drop(unused);
    let [held, free] = [port, free].map(|port| format!("127.0.0.1:{port}"));
    let several = run(&["why", &free, &format!("{held},{free}")]);
    assert_eq!(status(&several), 1);
    let text = String::from_utf8(several.stdout).unwrap().replace('\r', "");
    let headlines: Vec<&str> = text.lines().filter(|line| line.contains("be bound:")).collect();
    assert_eq!(headlines.len(), 2, "each port once, in the order of the arguments: {text}");
    let separate: Vec<String> = [&free, &held]
        .map(|target| String::from_utf8(run(&["why", target]).stdout).unwrap().replace('\r', ""))
        .into();
    assert_eq!(text, separate.join("\n"));
    let json = run(&["why", "--json", &free, &held]);
    assert_eq!(status(&json), 1);
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(document["can_bind"], false);
    let verdicts: Vec<&str> =
        document["ports"].as_array().unwrap().iter().map(|port| port["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["free", "listening"]);
}

#[test]
fn a_port_of_another_address_is_named() {
    let (_listener, port) = listener("127.0.0.1:0");
    let output = run(&[&format!("[::1]:{port}")]);
    assert_eq!(status(&output), 1);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(err.contains(&format!("note: 127.0.0.1:{port} is held by ")), "{err}");
    assert!(err.contains("and cannot be reached at ::1"), "{err}");
}

#[test]
fn help_of_a_command() {
    for command in ["why", "free", "watch", "help"] {
        let option = run(&[command, "--help"]);
        let word = run(&["help", command]);
        assert_eq!((status(&word), word.stdout), (0, option.stdout), "{command}");
    }
    assert_eq!(run(&["help"]).stdout, run(&["--help"]).stdout);
}

#[test]
fn help_version_completions_and_manual() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for part in ["allears 10309", "--exposed", "Exit status"] {
        assert!(help.contains(part), "{part}");
    }
    let columns = help.split("Columns:\n").nth(1).unwrap();
    let columns: Vec<(&str, &str)> = columns.lines().filter_map(|line| line.trim().split_once(' ')).collect();
    assert!(
        columns.len() > 35 && columns.iter().all(|(_, meaning)| !meaning.trim().is_empty()),
        "{columns:?}"
    );
    for column in ["age", "branch", "url", "what"] {
        assert!(columns.iter().any(|(name, _)| *name == column), "{column}");
    }
    let version = String::from_utf8(run(&["--version"]).stdout).unwrap();
    assert_eq!(version.trim(), format!("allears {}", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(&["completions", shell]);
        assert_eq!(status(&output), 0, "{shell}");
        let script = String::from_utf8_lossy(&output.stdout);
        // The first three ask the program, the others list what it had when they were printed.
        let part = if ["powershell", "elvish"].contains(&shell) { "exposed" } else { "allears __complete" };
        assert!(script.contains(part), "{shell}");
        assert!(!script.contains("Accepted for compatibility"), "{shell} has a hidden option");
    }
    let page = String::from_utf8(run(&["man"]).stdout).unwrap();
    assert!(page.contains(".TH allears 1"), "{page}");
    assert!(page.contains("address for a browser on this machine"), "{page}");
    let folder = std::env::temp_dir().join(format!("allears-man-{}", std::process::id()));
    assert_eq!(status(&run(&["man".as_ref(), folder.as_os_str()])), 0);
    assert!(std::fs::read_dir(&folder).expect("a folder of pages").count() >= 3);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_forced_search_that_is_unavailable_is_an_error() {
    let (_listener, port) = listener("127.0.0.1:0");
    // Permissions and kernels differ: the forced search works, or the output is only the reason why not.
    let forced = run(&["--holders", "bpf", "--csv", &port]);
    match status(&forced) {
        // The card shows the age of a process, which changes every second.
        0 => assert_eq!(forced.stdout, run(&["--csv", &port]).stdout),
        3 => {
            assert!(forced.stdout.is_empty(), "{forced:?}");
            assert!(String::from_utf8_lossy(&forced.stderr).contains("BPF"), "{forced:?}");
        }
        _ => panic!("{forced:?}"),
    }
    // netstat2 has no fallback if netlink is refused, as in an emulator of another processor.
    let document: serde_json::Value = serde_json::from_slice(&run(&["--json", &port]).stdout).unwrap();
    let refused = document["gaps"].as_array().unwrap().iter().any(|gap| gap["reason"] == "netlink");
    assert_eq!(
        status(&run(&["--reader", "netstat2", &port])),
        if refused || cfg!(target_os = "macos") { 3 } else { 0 }
    );
}
