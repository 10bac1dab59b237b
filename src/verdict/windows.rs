//! Ports of Windows that no program has by itself: those that the kernel listens on, as a rule with its web server for
//! somebody else, and those of the process that services run in.

use super::facts::Explanation;
use crate::model::{Holder, Text};
use crate::os::Server;
use crate::port_info::FILE_SHARING;
use crate::shell::{self, Shell};

/// The kernel's pid, by which it listens.
const KERNEL: u32 = 4;

impl Explanation<'_> {
    fn holders(&self) -> impl Iterator<Item = &Holder> {
        let standing = if self.seen.os == "windows" { self.standing } else { &[] };
        standing.iter().flat_map(|listener| &listener.holders)
    }

    /// Whether the kernel has the port.
    pub(super) fn kernel_listens(&self) -> bool {
        self.holders().any(|holder| holder.process.id.pid == KERNEL)
    }

    /// Whether the process that services run in has it.
    pub(super) fn services_listen(&self) -> bool {
        self.holders().any(|holder| holder.process.name.as_bytes().eq_ignore_ascii_case(b"svchost.exe"))
    }

    /// For whom the kernel's web server has the port.
    pub(super) fn served(&self) -> Vec<String> {
        let mut facts = Vec::new();
        for served in self.seen.served.iter().filter(|_| self.kernel_listens()).take(8) {
            let named = served.by.iter().map(named).collect::<Vec<_>>();
            let by = if named.is_empty() { "nobody who runs now".to_owned() } else { named.join(" and ") };
            facts.push(format!("HTTP.sys answers there for {by}: {}", list(&served.urls)));
        }
        facts
    }

    /// What ends that.
    pub(super) fn end_what_the_kernel_serves(&self) -> Vec<String> {
        let mut advice: Vec<String> = Vec::new();
        for server in self.seen.served.iter().flat_map(|served| &served.by) {
            let line = match server.services.as_slice() {
                [] => format!("end {}: the kernel has the port for it", named(server)),
                [only] => {
                    let words: [&[u8]; 3] = [b"sc.exe", b"stop", only.as_bytes()];
                    match shell::line_for(Shell::Windows, &words) {
                        Some(stop) => format!(
                            "{stop}, as administrator, stops the service that the kernel has the port for"
                        ),
                        None => {
                            let name = only.to_string_lossy();
                            format!(
                                "stop the service that the kernel has the port for, as administrator: {name}"
                            )
                        }
                    }
                }
                several => format!(
                    "stop the one of these services that the kernel has the port for: {}",
                    list(several)
                ),
            };
            if !advice.contains(&line) {
                advice.push(line);
            }
        }
        if FILE_SHARING.contains(&self.seen.asked.port) {
            advice.push(
                "the kernel shares Windows' files there: turn that off, or take another port".to_owned(),
            );
        } else if advice.is_empty() {
            advice.push(
                "netsh http show servicestate view=requestq names the program that the kernel has it for, as \
                 administrator; or take another port"
                    .to_owned(),
            );
        }
        advice
    }
}

/// `w3wp.exe (pid 4012)`, and the services that run in it.
fn named(server: &Server) -> String {
    let name = match &server.name {
        Some(name) => format!("{} (pid {})", name.to_string_lossy(), server.pid),
        None => format!("pid {}", server.pid),
    };
    match server.services.as_slice() {
        [] => name,
        [only] => format!("{name}, the service {}", only.to_string_lossy()),
        several => format!("{name}, one of the services {}", list(several)),
    }
}

fn list(texts: &[Text]) -> String {
    const MOST: usize = 4;
    let mut shown: Vec<String> = texts.iter().take(MOST).map(|text| text.to_string_lossy().into()).collect();
    if texts.len() > MOST {
        shown.push(format!("{} more", texts.len() - MOST));
    }
    shown.join(", ")
}
