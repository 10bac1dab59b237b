//! Tests: what restarts a process, and what stops that, on machines of a few processes.

mod held;
mod masters;
mod pm2_and_circus;
mod service_folders;
mod shell_loops;
mod supervisord;

use std::time::Duration;

use proptest::collection;
use proptest::prelude::*;

use super::*;
use crate::model::Process;
use crate::model::process_table::ProcessEntry;

/// A machine of a few processes, each the child of the one before it.
#[derive(Default)]
struct TestProcesses {
    processes: Vec<Process>,
    files: BTreeMap<String, String>,
    elsewhere: Vec<u32>,
    own_uid: u32,
}

impl TestProcesses {
    /// Adds a process as the child of the last one.
    fn runs(mut self, file: &str, command: &[&str]) -> TestProcesses {
        let pid = u32::try_from(self.processes.len()).unwrap() + 10;
        let name = file.rsplit('/').next().unwrap();
        let short = &name[..name.len().min(15)];
        let mut process = Process::new(ProcessId { pid, start: Some(u64::from(pid)) }, short.into());
        process.executable = Some(file.into());
        process.command = Some(command.iter().map(|word| Text::from(*word)).collect());
        process.uid = Some(0);
        self.processes.push(process);
        self
    }

    /// Sets the working directory of the last process.
    fn within(mut self, folder: &str) -> TestProcesses {
        self.processes.last_mut().unwrap().directory = Some(folder.into());
        self
    }

    fn file(mut self, path: &str, content: &str) -> TestProcesses {
        self.files.insert(path.into(), content.into());
        self
    }

    fn table(&self) -> ProcessTable {
        let entry = |process: &Process| ProcessEntry {
            id: process.id,
            parent: process.id.pid - 1,
            name: process.name.clone(),
            group: None,
            session: None,
            condition: None,
            zombie: false,
        };
        self.processes.iter().map(entry).collect()
    }

    /// Returns what restarts the last process.
    fn restarters(mut self) -> Vec<RestartingProcess> {
        let table = self.table();
        let last = self.processes.last().unwrap().clone();
        restarters(&last, &table, &mut self)
    }

    fn only(self) -> RestartingProcess {
        let mut found = self.restarters();
        assert_eq!(found.len(), 1, "{found:?}");
        found.pop().unwrap()
    }

    fn none(self) {
        assert_eq!(self.restarters(), []);
    }
}

impl Sources for TestProcesses {
    fn describe(&mut self, ids: &[ProcessId]) -> BTreeMap<u32, Process> {
        let known = self.processes.iter().filter(|process| ids.contains(&process.id));
        known.map(|process| (process.id.pid, process.clone())).collect()
    }

    fn file(&mut self, _viewer: ProcessId, path: &Text) -> Option<Vec<u8>> {
        self.files.get(path.as_str()?).map(|content| content.as_bytes().to_vec())
    }

    fn folder(&mut self, _viewer: ProcessId, path: &Text) -> Option<Vec<Text>> {
        let folder = format!("{}/", path.as_str()?);
        let names: Vec<Text> =
            self.files.keys().filter_map(|file| file.strip_prefix(&folder)).map(Text::from).collect();
        (!names.is_empty()).then_some(names)
    }

    fn is_elsewhere(&mut self, id: ProcessId) -> bool {
        self.elsewhere.contains(&id.pid)
    }

    fn own_uid(&mut self) -> Option<u32> {
        Some(self.own_uid)
    }
}

fn words(stop: &Stop) -> String {
    match stop {
        Stop::Command(words) => {
            words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        }
        Stop::FindName(words) => {
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            format!("find: {}", words.join(" "))
        }
        Stop::EndRestarter => "end".into(),
        Stop::Unknown => "unknown".into(),
    }
}

fn program(restarter: &RestartingProcess) -> Option<&str> {
    restarter.program.as_ref().and_then(Text::as_str)
}

const SECOND: Duration = Duration::from_secs(1);

fn supervisord(config: &str) -> TestProcesses {
    TestProcesses::default()
        .runs("/usr/bin/python3.11", &["/usr/bin/python3", "/usr/bin/supervisord", "-c", "s.conf"])
        .within("/srv")
        .file("/srv/s.conf", config)
}

const CONTROL: &str = "[supervisorctl]\nserverurl=unix:///run/s.sock\n";

#[test]
fn the_outermost_comes_last() {
    let found = TestProcesses::default()
        .runs("/usr/bin/runsv", &["runsv", "web"])
        .within("/etc/sv/web")
        .runs("/usr/bin/dash", &["sh", "-c", "gunicorn x:app; true"])
        .runs("/usr/bin/python3", &["gunicorn: master [x]"])
        .runs("/usr/bin/python3", &["gunicorn: worker [x]"])
        .restarters();
    let kinds: Vec<_> = found.iter().map(|restarter| (restarter.kind, restarter.certainty)).collect();
    let certain = Certainty::Certain;
    assert_eq!(kinds, [(RestarterKind::ServerMaster, certain), (RestarterKind::Runit, certain)]);
    // Whether an unknown program ends with its child is unknown.
    let found = TestProcesses::default()
        .runs("/usr/bin/runsv", &["runsv", "web"])
        .within("/etc/sv/web")
        .runs("/srv/own", &["own"])
        .runs("/usr/bin/node", &["node"])
        .only();
    assert_eq!(found.certainty, Certainty::Likely);
    // A supervised sshd does not restart what was started from a login.
    TestProcesses::default()
        .runs("/usr/bin/runsv", &["runsv", "sshd"])
        .within("/etc/sv/sshd")
        .runs("/usr/sbin/sshd", &["sshd: dev@pts/0"])
        .runs("/usr/bin/bash", &["-bash"])
        .runs("/usr/bin/node", &["node"])
        .none();
}

#[test]
fn commands_of_another_pid_namespace_are_unknown() {
    let mut processes = TestProcesses::default()
        .runs("/usr/bin/runsv", &["runsv", "web"])
        .within("/etc/sv/web")
        .runs("/usr/bin/node", &["node"]);
    processes.elsewhere = vec![10, 11];
    assert_eq!(processes.only().stop, Stop::Unknown);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes(
        commands in collection::vec(collection::vec(collection::vec(any::<u8>(), 0..12), 0..5), 0..6),
        files in collection::vec(collection::vec(any::<u8>(), 0..12), 0..6),
        content in "\\PC{0,80}",
    ) {
        let mut processes = TestProcesses::default();
        for (at, command) in commands.iter().enumerate() {
            let file = files.get(at).cloned().unwrap_or_else(|| b"/usr/bin/sh".to_vec());
            processes = processes.runs("/usr/bin/x", &[]).within("/srv").file("/srv/x", &content);
            let process = processes.processes.last_mut().unwrap();
            process.executable = Some(file.into());
            process.command = Some(command.iter().cloned().map(Text::from).collect());
            let _ = holds_for_others(process);
        }
        if !processes.processes.is_empty() {
            let _ = processes.restarters();
        }
    }

    #[test]
    fn any_configuration(
        content in collection::vec(any::<u8>(), 0..200),
        code in "[a-z$(){};|&'\"#\\\\ \n=:\\[\\]*]{0,120}",
    ) {
        let text = String::from_utf8_lossy(&content).into_owned();
        for text in [text, code.clone(), format!("[include]\nfiles={code}\n[program:{code}]\ncommand={code}")] {
            let _ = supervisord(&text).runs("/usr/bin/web", &["web"]).restarters();
            let command = ["sh", "-c", &text];
            let _ = TestProcesses::default().runs("/usr/bin/dash", &command).runs("/usr/bin/web", &["web"]).restarters();
        }
    }
}
