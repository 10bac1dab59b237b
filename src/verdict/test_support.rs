//! Observations for tests, without a machine that is in that state.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::Observation;
use crate::bind_attempt::{Attempt, BindOptions, BindRefusal, BindRefusalKind, BindTarget};
use crate::model::{
    Endpoint, Evidence, Help, Holder, Listener, Process, ProcessId, Protocol, Socket, State, System, Unseen,
    UnseenReason,
};
use crate::os::Limits;

pub(crate) fn bind_target(address: Option<&str>) -> BindTarget {
    BindTarget {
        protocol: Protocol::Tcp,
        address: address.map(|address| address.parse().unwrap()),
        interface: None,
        port: 80,
    }
}

pub(crate) fn socket(address: &str, dual_stack: Option<bool>, state: State) -> Listener {
    let endpoint = Endpoint::Ip { address: address.parse().unwrap(), port: 80, interface: None };
    let mut socket = Socket::new(Protocol::Tcp, endpoint, state);
    if address == "::" {
        socket.dual_stack = dual_stack;
    }
    socket.uid = Some(0);
    Listener::new(socket)
}

pub(crate) fn held_by(mut listener: Listener, name: &str) -> Listener {
    listener.holders.push(Holder {
        process: Process {
            uid: Some(1000),
            user: Some("dev".into()),
            ..Process::new(ProcessId { pid: 991, start: Some(1) }, name.into())
        }
        .into(),
        descriptors: vec![3],
        evidence: Evidence::Descriptor,
    });
    listener
}

pub(crate) fn attempts(options: BindOptions, refused: Option<(BindRefusalKind, &str)>) -> Vec<Attempt> {
    vec![Attempt {
        address: Ipv4Addr::UNSPECIFIED.into(),
        v6only: false,
        options,
        refused: refused.map(|(kind, name)| BindRefusal {
            kind,
            name: name.into(),
            message: name.to_owned(),
        }),
    }]
}

/// A bind as servers do ends like this, one without options like that.
pub(crate) fn observation(
    lenient: Option<(BindRefusalKind, &str)>,
    plain: Option<(BindRefusalKind, &str)>,
    sockets: Vec<Listener>,
) -> Observation {
    let mut all = attempts(BindOptions::ReuseAddress, lenient);
    all.extend(attempts(BindOptions::Plain, plain));
    Observation {
        target: bind_target(None),
        forwarded: Vec::new(),
        served: Vec::new(),
        os: System::Linux,
        sockets,
        other_protocol: Vec::new(),
        attempts: all,
        decisive: BindOptions::ReuseAddress,
        limits: Limits { unprivileged_from: Some(1024), ephemeral: Some(32768..=60999), ..Limits::default() },
        local: Some(Vec::new()),
        policies: None,
        orphans: Vec::new(),
        fin_timeout: None,
        in_order: Vec::new(),
        join_options: None,
        write_queues: BTreeMap::new(),
        answered: None,
        reached: Vec::new(),
        forwarding_unknown: false,
        time_wait_left: None,
        clients: Vec::new(),
        engine_users: BTreeMap::new(),
        uid: Some(1000),
        gaps: Vec::new(),
    }
}

pub(crate) const IN_USE: Option<(BindRefusalKind, &str)> = Some((BindRefusalKind::InUse, "EADDRINUSE"));
pub(crate) const DENIED: Option<(BindRefusalKind, &str)> = Some((BindRefusalKind::Denied, "EACCES"));

/// Returns a listener with a further holder that was not seen, for a reason.
pub(crate) fn with_unseen_holder(
    mut listener: Listener,
    reason: UnseenReason,
    help: Option<Help>,
) -> Listener {
    listener.unseen = Some(Unseen { reason, help, candidates: Vec::new(), kernel: Vec::new() }.into());
    listener
}
