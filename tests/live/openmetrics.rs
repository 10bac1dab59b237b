//! `--openmetrics`: what prometheus-client, promtool and node_exporter read is what JSON has.

#![cfg(unix)]

use crate::support::{Cmd, Fixture, Output, Steps, folder, holders, live_test, port, python, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Runs a program with this input, asserts success, and returns what it printed.
fn pipe(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start it");
    child.stdin.take().expect("a pipe").write_all(input).expect("write to it");
    let output = child.wait_with_output().expect("wait for it");
    let both = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {both}", output.status);
    output.stdout
}

/// Returns the samples of a metric as prometheus-client reads them: their labels and values.
fn samples(output: &Output, metric: &str) -> BTreeMap<String, f64> {
    let mut parser = Command::new(python("prometheus_client").expect("it is needed"));
    let read = pipe(parser.arg("tests/support/metrics.py"), &output.stdout);
    let read: Vec<(String, Value, f64)> = serde_json::from_slice(&read).expect("a list of samples");
    let own = read.into_iter().filter(|(name, ..)| name == metric);
    own.map(|(_, labels, value)| (labels.to_string(), value)).collect()
}

/// Returns the samples that a snapshot should have: the sockets by place, name and user of their holders.
fn counted(listeners: &[Value]) -> BTreeMap<String, f64> {
    let mut counted = BTreeMap::new();
    for listener in listeners {
        let mut series = Vec::new();
        for holder in holders(listener) {
            let user = holder["user"].as_str().map_or_else(|| holder["uid"].to_string(), str::to_owned);
            let labels = json!({
                "protocol": listener["protocol"],
                "port": listener["port"].to_string(),
                "exposure": listener["exposure"],
                "process": holder["name"],
                "user": user,
            });
            series.push(labels.to_string());
        }
        series.sort();
        series.dedup();
        for labels in series {
            *counted.entry(labels).or_insert(0.0) += 1.0;
        }
    }
    counted
}

#[live_test(Linux, Module("prometheus_client"))]
fn the_samples_are_those_of_json() {
    let [first, second] = [port(), port()];
    let _server = Fixture::start([
        format!("tcp=127.0.0.1:{first}"),
        format!("udp=127.0.0.1:{first}"),
        format!("tcp=0.0.0.0:{second}"),
    ]);
    let target = format!("{first},{second}");
    let document = Cmd::new([&target]).answer(0);
    let wanted = counted(document.listeners());
    let output = Cmd::new(["--openmetrics", &target]).run().code(0);
    let got = samples(&output, "allears_listeners");
    output.assert_eq(&got, &wanted, "samples");
    output.assert_eq(got.len(), 3, "series");
    output.assert_eq(samples(&output, "allears_scan_complete"), [("{}".to_owned(), 1.0)].into(), "complete");
    let version = json!({"version": env!("CARGO_PKG_VERSION")}).to_string();
    output.assert_eq(samples(&output, "allears_build_info"), [(version, 1.0)].into(), "version");
    let took = samples(&output, "allears_scan_duration_seconds")["{}"];
    output.assert(took > 0.0 && took <= output.took.as_secs_f64(), "the duration of the scan");
    let gaps: f64 = samples(&output, "allears_gaps").values().sum();
    let counts = document.document["gaps"].as_array().expect("a list").iter();
    // The number of processes that could not be read differs between two scans.
    output.assert_eq(gaps > 0.0, counts.filter_map(|gap| gap["count"].as_u64()).sum::<u64>() > 0, "gaps");
    let none = Cmd::new(["--openmetrics", &port().to_string()]).run().code(1);
    none.assert_eq(samples(&none, "allears_listeners").len(), 0, "series of a port without listener");
}

#[live_test(Linux, Module("prometheus_client"), Program("promtool"))]
fn a_name_cannot_break_the_format() {
    let port = port();
    for name in
        [&b"a\"} 1\n# EOF"[..], b"back\\slash\\n\"", b"\xff\xc3 \x1b[31m", "caf\u{e9} \u{202e}".as_bytes()]
    {
        let _server = Steps::new([format!("tcp=127.0.0.1:{port}")]).bytes("name", name).start();
        let output = Cmd::new(["--openmetrics", &port.to_string()]).run().code(0);
        let got = samples(&output, "allears_listeners");
        let labels: Vec<Value> = got.keys().filter_map(|labels| serde_json::from_str(labels).ok()).collect();
        let [labels] = labels.as_slice() else { output.fail("not one series") };
        // As every text from outside is shown to people.
        let mut shown = String::new();
        for part in name.utf8_chunks() {
            for letter in part.valid().chars() {
                match letter {
                    '\n' => shown.push_str("\\n"),
                    '\x1b' => shown.push_str("\\x1b"),
                    '\u{202e}' => shown.push_str("\\u{202e}"),
                    letter => shown.push(letter),
                }
            }
            part.invalid().iter().for_each(|byte| shown.push_str(&format!("\\x{byte:02x}")));
        }
        output.assert_eq(&labels["process"], &json!(shown), "process");
        pipe(Command::new("promtool").args(["check", "metrics"]), &output.stdout);
    }
}

/// A program that is killed when this is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _may_have_ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Returns the answer to a request, `None` if it is refused.
fn get(port: u16, path: &str) -> Option<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(connection, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Returns a folder for the metrics of a test, and the PATH with the program under test as `allears`.
fn with_program(name: &str) -> (PathBuf, String) {
    let folder = folder().join(name);
    std::fs::create_dir_all(folder.join("bin")).expect("make folders");
    std::os::unix::fs::symlink(crate::support::program(), folder.join("bin/allears")).expect("make a link");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", folder.join("bin").display());
    (folder, path)
}

#[live_test(Linux, Program("prometheus-node-exporter"))]
fn node_exporter_serves_what_the_recipe_writes() {
    let (folder, path) = with_program("metrics");
    let [held, web] = [port(), port()];
    let server = Fixture::start([format!("tcp=127.0.0.1:{held}")]);
    let write = |target: &str| {
        let mut recipe = Command::new("recipes/prometheus/write-metrics");
        recipe.arg(&folder).arg(target).env("PATH", &path).status().expect("run the recipe").code()
    };
    assert_eq!(write(&held.to_string()), Some(0));
    let exporter = Command::new("prometheus-node-exporter")
        .args(["--collector.disable-defaults", "--collector.textfile", "--log.level=error"])
        .arg(format!("--collector.textfile.directory={}", folder.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{web}"))
        .stdin(Stdio::null())
        .spawn()
        .expect("start node_exporter");
    let _exporter = Killed(exporter);
    let first = until(|| get(web, "/metrics")).expect("node_exporter answers");
    let series = format!("exposure=\"loopback\",port=\"{held}\",process=\"fixture\",protocol=\"tcp\",user=");
    assert!(first.contains(&format!("allears_listeners{{{series}")), "{first}");
    assert!(first.contains("node_textfile_scrape_error 0"), "{first}");
    assert!(first.contains("allears_scan_complete 1"), "{first}");
    drop(server);
    // Nothing listens any more: an answer, which replaces the one before.
    let gone = until(|| {
        assert_eq!(write(&held.to_string()), Some(1));
        get(web, "/metrics").filter(|text| !text.contains("allears_listeners{"))
    });
    assert!(gone.expect("an answer").contains("allears_scan_complete 1"));
    // An error of allears leaves the file as it is.
    let before = std::fs::read(folder.join("allears.prom")).expect("the metrics");
    assert_eq!(write("no such target"), Some(2));
    assert_eq!(std::fs::read(folder.join("allears.prom")).expect("the metrics"), before);
    let names = std::fs::read_dir(&folder)
        .expect("a folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, ["allears.prom", "bin"]);
}

#[live_test(Program("promtool"))]
fn the_alert_rules_report_what_they_name() {
    let folder = Path::new("recipes/prometheus");
    pipe(Command::new("promtool").args(["check", "rules", "allears.rules.yml"]).current_dir(folder), b"");
    pipe(Command::new("promtool").args(["test", "rules", "allears.rules.test.yml"]).current_dir(folder), b"");
}

#[live_test]
fn invalid_combinations_and_lost_output() {
    let output = Cmd::new(["--openmetrics", "--all"]).run().code(2);
    output.assert(output.errors().contains("'--all'"), "it names the option");
    Cmd::new(["--openmetrics", "--json"]).run().code(2);
    if cfg!(target_os = "linux") {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("open /dev/full");
        Cmd::new(["--openmetrics"]).stdout(full).run().code(3);
    }
}
