//! The restart policy of a service: when its manager restarts it after its process ends, and after how long.
//! Pure: `os::services` fills these types in, the plan of `free` reads them.
//!
//! The rules are systemd's: the table of Restart= in systemd.service(5) and service_shall_restart() in its
//! src/core/service.c (252 to 257).

use std::time::Duration;

use crate::model::Text;

/// How the manager of a service reacts to the end of its main process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RestartPolicy {
    /// When it starts the service again: Restart=.
    pub(crate) restart: Restart,
    /// The delay before that: RestartSec=, which is 100 ms unless the unit sets it. `Duration::MAX` for `infinity`,
    /// `None` if unknown.
    pub(crate) delay: Option<Duration>,
    /// The longest wait if each restart in a row waits longer: RestartMaxDelaySec= with RestartSteps= (systemd 254).
    pub(crate) longest_delay: Option<Duration>,
    /// The main process, to whose end the manager reacts. `None` if the manager knows none, or did not answer.
    pub(crate) main_pid: Option<u32>,
    /// The active socket units that start the service on the next connection (Sockets=, TriggeredBy=).
    pub(crate) sockets: Vec<Text>,
    /// Which processes of the service `stop` ends: KillMode=.
    pub(crate) kill_mode: KillMode,
    /// Whether some signals end it cleanly in addition to those of SuccessExitStatus=: not for Type=oneshot.
    pub(crate) clean_signals: bool,
    /// SuccessExitStatus=
    pub(crate) success: ExitStatuses,
    /// RestartPreventExitStatus=
    pub(crate) prevent: ExitStatuses,
    /// RestartForceExitStatus=
    pub(crate) force: ExitStatuses,
    /// The source of this policy.
    pub(crate) source: PolicySource,
}

/// The values of Restart=.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    No,
    OnSuccess,
    OnFailure,
    OnAbnormal,
    OnWatchdog,
    OnAbort,
    Always,
}

/// The values of KillMode= (systemd.kill(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KillMode {
    /// All processes of the unit.
    ControlGroup,
    /// All processes, those other than the main process with SIGKILL.
    Mixed,
    /// Only the main process.
    Process,
    /// No process.
    None,
    Unknown,
}

/// The source of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicySource {
    /// The manager itself.
    Manager,
    /// The unit's files, because the manager did not answer. They lack settings that were made at run time.
    UnitFiles,
}

/// Exit codes and signals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExitStatuses {
    pub(crate) codes: Vec<i32>,
    pub(crate) signals: Vec<i32>,
}

/// Whether a service is started again after its main process is sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterSignal {
    /// However the process ends.
    Restarts,
    /// It depends on how the process ends: by the signal, or with an exit code of its own.
    Depends,
    /// However the process ends.
    StaysDown,
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Exit(i32),
    Signal(i32),
}

impl Restart {
    const NAMES: [(Restart, &'static str); 7] = [
        (Restart::No, "no"),
        (Restart::OnSuccess, "on-success"),
        (Restart::OnFailure, "on-failure"),
        (Restart::OnAbnormal, "on-abnormal"),
        (Restart::OnWatchdog, "on-watchdog"),
        (Restart::OnAbort, "on-abort"),
        (Restart::Always, "always"),
    ];

    pub(crate) fn parse(name: &[u8]) -> Option<Restart> {
        Restart::NAMES.iter().find(|(_, known)| known.as_bytes() == name).map(|(value, _)| *value)
    }
}

impl KillMode {
    pub(crate) fn parse(name: &[u8]) -> KillMode {
        match name {
            b"control-group" => KillMode::ControlGroup,
            b"mixed" => KillMode::Mixed,
            b"process" => KillMode::Process,
            b"none" => KillMode::None,
            _ => KillMode::Unknown,
        }
    }
}

impl ExitStatuses {
    fn includes(&self, ending: Ending) -> bool {
        match ending {
            Ending::Exit(code) => self.codes.contains(&code),
            Ending::Signal(signal) => self.signals.contains(&signal),
        }
    }
}

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGKILL: i32 = 9;
const SIGPIPE: i32 = 13;
const SIGTERM: i32 = 15;

impl RestartPolicy {
    /// Returns whether the service is started again after its main process is sent `signal` (Linux's number). A process
    /// that may catch the signal exits with 0, with 128 and the signal, or with another code, which cannot be known in
    /// advance.
    pub(crate) fn after_signal(&self, signal: i32) -> AfterSignal {
        let mut endings = vec![Ending::Signal(signal)];
        if signal != SIGKILL {
            endings.extend([Ending::Exit(0), Ending::Exit(128 + signal), Ending::Exit(1)]);
        }
        let restarts = endings.iter().filter(|ending| self.restarts_after(**ending)).count();
        match restarts {
            0 => AfterSignal::StaysDown,
            _ if restarts == endings.len() => AfterSignal::Restarts,
            _ => AfterSignal::Depends,
        }
    }

    /// Returns whether the service is started again after its main process ends like this.
    pub(crate) fn restarts_after(&self, ending: Ending) -> bool {
        if self.delay == Some(Duration::MAX) || self.prevent.includes(ending) {
            return false;
        }
        if self.force.includes(ending) {
            return true;
        }
        let clean = self.is_clean(ending);
        let killed = matches!(ending, Ending::Signal(_));
        match self.restart {
            Restart::No | Restart::OnWatchdog => false,
            Restart::Always => true,
            Restart::OnSuccess => clean,
            Restart::OnFailure => !clean,
            Restart::OnAbnormal | Restart::OnAbort => killed && !clean,
        }
    }

    fn is_clean(&self, ending: Ending) -> bool {
        let by_default = match ending {
            Ending::Exit(code) => code == 0,
            Ending::Signal(signal) => {
                self.clean_signals && [SIGHUP, SIGINT, SIGTERM, SIGPIPE].contains(&signal)
            }
        };
        by_default || self.success.includes(ending)
    }

    /// Returns the longest time until the service is started again, if it is. `None` if unknown.
    pub(crate) fn longest_wait(&self) -> Option<Duration> {
        self.longest_delay.max(self.delay)
    }

    /// Returns whether stopping the unit ends a process that is in it. `None` if unknown. Jobs of cron.service, and
    /// sessions in ssh.service on a machine without logind, stay with KillMode=process.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the plan of free, before it stops a unit"))]
    pub(crate) fn stop_ends(&self, pid: u32) -> Option<bool> {
        match self.kill_mode {
            KillMode::ControlGroup | KillMode::Mixed => Some(true),
            KillMode::Process => self.main_pid.map(|main| main == pid),
            KillMode::None => Some(false),
            KillMode::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIGQUIT: i32 = 3;

    fn policy(restart: Restart) -> RestartPolicy {
        RestartPolicy {
            restart,
            delay: Some(Duration::from_millis(100)),
            longest_delay: None,
            main_pid: Some(7),
            sockets: Vec::new(),
            kill_mode: KillMode::ControlGroup,
            clean_signals: true,
            success: ExitStatuses::default(),
            prevent: ExitStatuses::default(),
            force: ExitStatuses::default(),
            source: PolicySource::Manager,
        }
    }

    /// The table "Exit causes and the effect of the Restart= settings" in systemd.service(5).
    #[test]
    fn the_table_of_the_manual() {
        let endings = [
            Ending::Exit(0),
            Ending::Signal(SIGTERM),
            Ending::Exit(3),
            Ending::Signal(SIGKILL),
            Ending::Signal(SIGQUIT),
        ];
        for (restart, restarts) in [
            (Restart::No, [false; 5]),
            (Restart::Always, [true; 5]),
            (Restart::OnSuccess, [true, true, false, false, false]),
            (Restart::OnFailure, [false, false, true, true, true]),
            (Restart::OnAbnormal, [false, false, false, true, true]),
            (Restart::OnAbort, [false, false, false, true, true]),
            (Restart::OnWatchdog, [false; 5]),
        ] {
            assert_eq!(endings.map(|ending| policy(restart).restarts_after(ending)), restarts, "{restart:?}");
        }
    }

    #[test]
    fn what_a_signal_leads_to() {
        let after = |restart, signal| policy(restart).after_signal(signal);
        assert_eq!(after(Restart::Always, SIGTERM), AfterSignal::Restarts);
        assert_eq!(after(Restart::No, SIGTERM), AfterSignal::StaysDown);
        assert_eq!(after(Restart::OnFailure, SIGTERM), AfterSignal::Depends, "node exits with 143");
        assert_eq!(after(Restart::OnFailure, SIGKILL), AfterSignal::Restarts);
        assert_eq!(after(Restart::OnAbnormal, SIGTERM), AfterSignal::StaysDown);
        assert_eq!(after(Restart::OnAbnormal, SIGKILL), AfterSignal::Restarts);
    }

    #[test]
    fn statuses_that_a_unit_names() {
        let statuses =
            |codes: &[i32], signals: &[i32]| ExitStatuses { codes: codes.into(), signals: signals.into() };
        let success = RestartPolicy { success: statuses(&[143], &[SIGKILL]), ..policy(Restart::OnFailure) };
        assert!(
            !success.restarts_after(Ending::Exit(143)) && !success.restarts_after(Ending::Signal(SIGKILL))
        );
        let handles_it =
            RestartPolicy { success: statuses(&[128 + SIGTERM, 1], &[]), ..policy(Restart::OnFailure) };
        assert_eq!(handles_it.after_signal(SIGTERM), AfterSignal::StaysDown);
        let prevent = RestartPolicy { prevent: statuses(&[], &[SIGTERM]), ..policy(Restart::Always) };
        assert!(!prevent.restarts_after(Ending::Signal(SIGTERM)) && prevent.restarts_after(Ending::Exit(0)));
        let force = RestartPolicy { force: statuses(&[0], &[]), ..policy(Restart::No) };
        assert!(force.restarts_after(Ending::Exit(0)) && !force.restarts_after(Ending::Exit(1)));
        let oneshot = RestartPolicy { clean_signals: false, ..policy(Restart::OnFailure) };
        assert!(oneshot.restarts_after(Ending::Signal(SIGTERM)));
        let never = RestartPolicy { delay: Some(Duration::MAX), ..policy(Restart::Always) };
        assert_eq!(never.after_signal(SIGKILL), AfterSignal::StaysDown);
    }

    #[test]
    fn kill_modes() {
        let ends = |kill_mode, pid| RestartPolicy { kill_mode, ..policy(Restart::No) }.stop_ends(pid);
        assert_eq!(ends(KillMode::Mixed, 8), Some(true));
        assert_eq!(ends(KillMode::Process, 7), Some(true));
        assert_eq!(ends(KillMode::Process, 8), Some(false));
        assert_eq!(ends(KillMode::Unknown, 7), None);
        // systemd.kill(5).
        for (name, kill_mode) in [
            ("control-group", KillMode::ControlGroup),
            ("mixed", KillMode::Mixed),
            ("process", KillMode::Process),
            ("none", KillMode::None),
            ("later", KillMode::Unknown),
        ] {
            assert_eq!(KillMode::parse(name.as_bytes()), kill_mode);
        }
    }

    #[test]
    fn the_longest_wait() {
        let wait = |delay, longest_delay| {
            RestartPolicy { delay, longest_delay, ..policy(Restart::Always) }.longest_wait()
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait(seconds(1), seconds(60)), seconds(60));
        assert_eq!(wait(seconds(1), None), seconds(1));
        assert_eq!(wait(None, None), None);
    }

    proptest! {
        #[test]
        fn values_are_read_as_they_are_written(name: Vec<u8>) {
            if let Some(restart) = Restart::parse(&name) {
                prop_assert!(Restart::NAMES.iter().any(|(it, known)| *it == restart && known.as_bytes() == name));
            }
        }
    }
}
