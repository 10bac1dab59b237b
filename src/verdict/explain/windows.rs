//! Ports on Windows that a program does not hold itself: those that the kernel listens on, usually with HTTP.sys for
//! another program, and those of svchost.exe, which runs services.

use super::super::{Advice, Fact, HttpServer};
use super::{Explanation, add_once};
use crate::model::{Holder, System};
use crate::os::Server;
use crate::port_info::FILE_SHARING;

/// The pid of the kernel.
const KERNEL: u32 = 4;

impl Explanation<'_> {
    fn holders(&self) -> impl Iterator<Item = &Holder> {
        let standing = if self.observation.os == System::Windows { self.standing } else { &[] };
        standing.iter().flat_map(|listener| &listener.holders)
    }

    /// Returns whether the kernel listens on the port.
    pub(super) fn kernel_listens(&self) -> bool {
        self.holders().any(|holder| holder.process.id.pid == KERNEL)
    }

    /// Returns whether svchost.exe has the port.
    pub(super) fn services_listen(&self) -> bool {
        self.holders().any(|holder| holder.process.name.as_bytes().eq_ignore_ascii_case(b"svchost.exe"))
    }

    /// Returns what HTTP.sys serves at the port.
    pub(super) fn http_sys_servers(&self) -> Vec<Fact> {
        let served = self.observation.served.iter().filter(|_| self.kernel_listens()).take(8);
        served
            .map(|served| Fact::HttpSys {
                urls: served.urls.clone(),
                servers: served.by.iter().map(http_server).collect(),
            })
            .collect()
    }

    /// Returns how to end what HTTP.sys serves.
    pub(super) fn end_http_servers(&self) -> Vec<Advice> {
        let mut advice: Vec<Advice> = Vec::new();
        for server in self.observation.served.iter().flat_map(|served| &served.by) {
            let one = match server.services.as_slice() {
                [] => Advice::EndHttpServer(http_server(server)),
                [only] => Advice::StopHttpService {
                    service: only.clone(),
                    command: vec!["sc.exe".into(), "stop".into(), only.clone()],
                },
                several => Advice::StopOneOfHttpServices(several.to_vec()),
            };
            add_once(&mut advice, one);
        }
        if FILE_SHARING.contains(&self.observation.target.port) {
            advice.push(Advice::TurnOffFileSharing);
        } else if advice.is_empty() {
            advice.push(Advice::FindHttpServer);
        }
        advice
    }
}

fn http_server(server: &Server) -> HttpServer {
    HttpServer { pid: server.pid, name: server.name.clone(), services: server.services.clone() }
}
