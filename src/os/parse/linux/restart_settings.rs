//! The restart policy in the settings of a service's files (systemd.service(5), systemd.kill(5)). Pure.

use std::time::Duration;

use super::restart_policy::{ExitStatuses, KillMode, PolicySource, Restart, RestartPolicy};
use crate::os::parse::linux::unit_syntax::{Setting, time_span};

/// RestartSec= of a unit that does not set it.
const DELAY: Duration = Duration::from_millis(100);

/// Names of exit statuses that are not numbers: those of sysexits.h and of stdlib.h (systemd.exec(5), "Process Exit
/// Codes"). Those of systemd itself are left out: no server exits with them.
const STATUSES: [(&str, i32); 17] = [
    ("SUCCESS", 0),
    ("FAILURE", 1),
    ("USAGE", 64),
    ("DATAERR", 65),
    ("NOINPUT", 66),
    ("NOUSER", 67),
    ("NOHOST", 68),
    ("UNAVAILABLE", 69),
    ("SOFTWARE", 70),
    ("OSERR", 71),
    ("OSFILE", 72),
    ("CANTCREAT", 73),
    ("IOERR", 74),
    ("TEMPFAIL", 75),
    ("PROTOCOL", 76),
    ("NOPERM", 77),
    ("CONFIG", 78),
];

/// Signals by their names without `SIG`, as most processors of Linux number them (signal(7)).
const SIGNALS: [(&str, i32); 16] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("SYS", 31),
];

/// Returns the restart policy in the settings of a service. An invalid value is ignored, as systemd does.
pub(in crate::os) fn policy(settings: &[Setting]) -> RestartPolicy {
    let mut policy = RestartPolicy {
        restart: Restart::No,
        delay: Some(DELAY),
        longest_delay: None,
        main_pid: None,
        // Whether they are active is not in files.
        sockets: Vec::new(),
        kill_mode: KillMode::ControlGroup,
        clean_signals: true,
        success: ExitStatuses::default(),
        prevent: ExitStatuses::default(),
        force: ExitStatuses::default(),
        source: PolicySource::UnitFiles,
    };
    let mut steps = false;
    for Setting { section, key, value } in settings {
        if section != b"Service" {
            continue;
        }
        match key.as_slice() {
            b"Restart" => policy.restart = Restart::parse(value).unwrap_or(policy.restart),
            b"RestartSec" => policy.delay = time_span(value).or(policy.delay),
            b"RestartMaxDelaySec" => {
                policy.longest_delay = time_span(value).filter(|span| *span != Duration::MAX)
            }
            b"RestartSteps" => steps = value != b"0",
            b"KillMode" => policy.kill_mode = KillMode::parse(value),
            b"Type" => policy.clean_signals = value != b"oneshot",
            b"SuccessExitStatus" => add(&mut policy.success, value),
            b"RestartPreventExitStatus" => add(&mut policy.prevent, value),
            b"RestartForceExitStatus" => add(&mut policy.force, value),
            _ => {}
        }
    }
    policy.longest_delay = policy.longest_delay.filter(|_| steps);
    policy
}

/// Adds a list of exit codes and signals, or clears what was listed before.
fn add(statuses: &mut ExitStatuses, value: &[u8]) {
    if value.is_empty() {
        *statuses = ExitStatuses::default();
    }
    for word in value.split(u8::is_ascii_whitespace) {
        let Ok(word) = std::str::from_utf8(word) else { continue };
        let by_name = |known: &[(&str, i32)], word: &str| {
            known.iter().find(|(name, _)| *name == word).map(|(_, number)| *number)
        };
        if let Some(code) = word.parse::<u8>().ok().map(i32::from).or_else(|| by_name(&STATUSES, word)) {
            statuses.codes.push(code);
        } else if let Some(signal) = by_name(&SIGNALS, word.strip_prefix("SIG").unwrap_or(word)) {
            statuses.signals.push(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::os::parse::linux::unit_syntax::settings;

    #[test]
    fn settings_of_a_service() {
        let file = b"[Unit]\nRestart=always\n[Service]\nType=oneshot\nRestart=on-failure\nRestart=nonsense\n\
            RestartSec=2\nRestartSteps=5\nRestartMaxDelaySec=1min\nKillMode=mixed\n\n\
            SuccessExitStatus=143 SIGKILL TEMPFAIL what\nRestartPreventExitStatus=1\nRestartPreventExitStatus=\n\
            RestartForceExitStatus=TERM 300\n";
        let policy = policy(&settings(file));
        assert_eq!((policy.restart, policy.kill_mode), (Restart::OnFailure, KillMode::Mixed));
        assert_eq!(policy.delay, Some(Duration::from_secs(2)));
        assert_eq!(policy.longest_delay, Some(Duration::from_secs(60)));
        assert!(!policy.clean_signals);
        assert_eq!(policy.success, ExitStatuses { codes: vec![143, 75], signals: vec![9] });
        assert_eq!(policy.prevent, ExitStatuses::default());
        assert_eq!(policy.force, ExitStatuses { codes: vec![], signals: vec![15] });
        let prevented = super::policy(&settings(b"[Service]\nRestartPreventExitStatus=1 SIGKILL\n")).prevent;
        assert_eq!(prevented, ExitStatuses { codes: vec![1], signals: vec![9] });
    }

    #[test]
    fn what_a_service_does_not_say() {
        let policy = policy(&settings(b"[Service]\nRestartMaxDelaySec=1min\nRestartSec=what\n"));
        assert_eq!((policy.restart, policy.delay), (Restart::No, Some(DELAY)));
        assert_eq!(policy.longest_delay, None, "it grows in steps alone");
        assert_eq!((policy.kill_mode, policy.main_pid), (KillMode::ControlGroup, None));
        assert_eq!(policy.source, PolicySource::UnitFiles);
    }

    proptest! {
        #[test]
        fn any_bytes(key in prop::sample::select(vec![
            "Restart", "RestartSec", "RestartMaxDelaySec", "RestartSteps", "KillMode", "Type",
            "SuccessExitStatus", "RestartForceExitStatus",
        ]), value: Vec<u8>) {
            let setting = Setting { section: b"Service".to_vec(), key: key.into(), value };
            let _ = policy(&[setting]);
        }
    }
}
