//! Documents, and files that are read back.

use std::io::Write;
use std::process::Stdio;

use crate::transcript::{command, run, status};
use crate::{SAVED, replay};

#[test]
fn csv() {
    insta::assert_snapshot!(replay(&["--csv", "22", "9000-9002"]));
}

#[test]
fn json_is_the_document_again() {
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(SAVED).unwrap()).unwrap();
    let output = run(&["--from", SAVED, "--json"]);
    let mut again: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let listeners = |document: &serde_json::Value| {
        let mut listeners = document["listeners"].as_array().unwrap().clone();
        listeners.sort_by_key(|listener| (listener["port"].as_u64(), listener["address"].to_string()));
        listeners
    };
    assert_eq!(listeners(&saved), listeners(&again));
    again["listeners"] = saved["listeners"].clone();
    assert_eq!(saved, again);
}

#[test]
fn lines_of_json_are_the_listeners_and_the_gaps() {
    let output = run(&["--from", SAVED, "--ndjson"]);
    let lines: Vec<serde_json::Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(
        lines.iter().filter(|line| line.get("listeners").is_none() && line["port"].is_u64()).count(),
        13
    );
    assert_eq!(lines.iter().filter(|line| line["gap"]["count"] == 112).count(), 1);
    assert!(lines.iter().all(|line| line["schema"] == "allears/1" && line["host"] == "workstation"));
}

#[test]
fn files_that_are_not_snapshots() {
    let folder = std::env::temp_dir().join(format!("allears-replay-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let saved = std::fs::read_to_string(SAVED).unwrap();
    for (name, content, place) in [
        ("empty", String::new(), "not a JSON document"),
        ("torn", saved[..saved.len() / 2].to_owned(), "not a JSON document"),
        ("foreign", "{\"containers\": []}".to_owned(), "at schema"),
        ("newer", saved.replacen("allears/1", "allears/2", 1), "allears/2"),
        ("damaged", saved.replacen("\"port\": 22", "\"port\": 70000", 1), "listeners[0].port"),
        (
            "nonsense",
            saved.replacen("\"state\": \"listen\"", "\"state\": \"lissen\"", 1),
            "listeners[0].state",
        ),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        let output = run(&["--from".as_ref(), path.as_os_str()]);
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(status(&output), 3, "{name}: {reported}");
        assert!(reported.contains(place) && output.stdout.is_empty(), "{name}: {reported}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(status(&run(&["--from", "tests/replay/no-such-file.json"])), 3);
}

#[test]
fn standard_input_is_a_file_too() {
    let mut child = command()
        .args(["--from", "-", "--pids", "22"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&std::fs::read(SAVED).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"811\n");
}
