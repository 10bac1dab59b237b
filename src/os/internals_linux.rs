//! What benches and fuzz targets may call on this system. Only `walk` and `iterate` make requests to the kernel.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::{Container, Error, ForwardingRule, ForwardingRules, Protocol, Service, Text};
use crate::os::descriptors::sys as descriptors;
use crate::os::holders::sys::bpf;
use crate::os::parse::linux::kernel_sockets::{generic_message, link_message, rpcbind_reply, service_files};
use crate::os::parse::linux::nftables::{evaluate, expressions};
use crate::os::parse::linux::unit_syntax;
use crate::os::parse::linux::{
    cgroup_file, cgroup_mounts, cmdline, dbus_message, inet_diag, netlink, proc_fd, proc_net, proc_stat,
    unit_file, unix_diag,
};

/// The kind of the messages that answer a request to sock_diag (SOCK_DIAG_BY_FAMILY).
pub const SOCK_DIAG: u16 = 20;
/// The kind of the messages that answer a request for links (RTM_NEWLINK).
pub const LINK: u16 = 16;
/// The sequence number that every request has.
pub const SEQUENCE: u32 = 1;

/// Calls `each` with the payload of each message of a kind in one netlink datagram. Returns whether the datagram was
/// understood to its end.
pub fn datagram(bytes: &[u8], kind: u16, mut each: impl FnMut(&[u8])) -> bool {
    netlink::read_datagram(bytes, SEQUENCE, kind, &mut each).is_ok()
}

/// Returns the number of attributes in a list.
pub fn attributes(bytes: &[u8]) -> usize {
    let mut count = 0;
    netlink::attributes(bytes, |_, _| count += 1);
    count
}

/// Sockets that inet_diag reported.
#[derive(Debug, Default)]
pub struct InetSockets(Vec<inet_diag::InetDiagEntry>);

impl InetSockets {
    /// Adds the socket of one message. Returns false if it cannot be read.
    pub fn push(&mut self, message: &[u8], protocol: Protocol) -> bool {
        let entry = inet_diag::parse(message, protocol);
        let read = entry.is_some();
        self.0.extend(entry);
        read
    }

    /// Returns the number of sockets.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// Returns the inode number and the path in a message of unix_diag.
pub fn unix_message(message: &[u8]) -> Option<(u64, Option<Text>)> {
    unix_diag::parse(message).map(|entry| (entry.inode, entry.path))
}

/// Returns the port of a tunnel in a message about a link.
pub fn link_port(message: &[u8]) -> Option<u16> {
    link_message::parse_link(message)?.port
}

/// Returns the number of kernel sockets in these bytes, parsed as each kind of message and of file that reports them.
pub fn kernel_sockets(bytes: &[u8]) -> usize {
    use generic_message::Message;
    let messages = [Message::Fou, Message::L2tp, Message::Mptcp, Message::Nfsd];
    let of_messages: usize =
        messages.iter().map(|message| generic_message::read_message(*message, bytes).len()).sum();
    let of_files = [
        service_files::rxrpc_locals(bytes).len(),
        service_files::nfsd_portlist(bytes).len(),
        rpcbind_reply::lock_manager(bytes).len(),
    ];
    of_messages + of_files.iter().sum::<usize>()
}

/// Returns as how many of the three kinds of nftables' messages these bytes can be read: a chain, a rule, a set's
/// element.
pub fn nftables_message(bytes: &[u8]) -> usize {
    let read = [
        expressions::base_chain(bytes).is_some(),
        expressions::rule(bytes).is_some(),
        expressions::element(bytes).is_some(),
    ];
    read.into_iter().filter(|is_read| *is_read).count()
}

/// Returns the name and the start in a /proc/PID/stat.
pub fn stat(bytes: &[u8]) -> Option<(Vec<u8>, u64)> {
    proc_stat::parse_stat(bytes).map(|stat| (stat.name, stat.start))
}

/// Returns the number of sockets in a /proc/net/tcp or the like.
pub fn inet_table(bytes: &[u8]) -> usize {
    proc_net::parse_net(bytes).len()
}

/// Returns the inode numbers and paths in a /proc/net/unix.
pub fn unix_table(bytes: &[u8]) -> Vec<(u64, Option<Text>)> {
    unix_diag::parse_proc(bytes).into_iter().map(|entry| (entry.inode, entry.path)).collect()
}

/// Returns the arguments in a /proc/PID/cmdline.
pub fn arguments(bytes: &[u8]) -> Vec<Text> {
    cmdline::arguments(bytes)
}

/// Returns the inode numbers of the sockets in an io_uring's fdinfo.
pub fn ring_sockets(fdinfo: &[u8]) -> Vec<u64> {
    proc_fd::parse_ring(fdinfo).sockets
}

/// Returns the number of descriptors that wait in a Unix socket, by its fdinfo.
pub fn waiting_descriptors(fdinfo: &[u8]) -> u64 {
    proc_fd::waiting_descriptors(fdinfo)
}

/// Returns how many descriptors of any process are one of these sockets (inode numbers, ascending).
///
/// # Errors
/// If /proc cannot be listed.
pub fn walk(wanted: &[u64]) -> Result<usize, Error> {
    descriptors::walk(wanted).map(|walk| walk.found.len())
}

/// Returns the number of threads on which so many processes are walked on this machine.
pub fn threads(processes: usize) -> usize {
    descriptors::threads_for(processes)
}

/// Returns the length of the first message, and whether the whole was read as a reply of a service manager.
pub fn manager_message(bytes: &[u8]) -> (Option<usize>, bool) {
    let reply = dbus_message::reply(bytes);
    let read = |reply: &dbus_message::Reply<'_>| {
        let texts = reply.property_texts().is_some() || reply.property_flag().is_some();
        let numbers = reply.property_number().is_some() || reply.property_long().is_some();
        let others = reply.property_text().is_some() || reply.property_statuses().is_some();
        let lists = reply.units().is_some() || reply.stored_descriptors().is_some();
        texts || numbers || others || lists || reply.property_pairs().is_some()
    };
    (dbus_message::message_length(bytes), reply.as_ref().is_some_and(read))
}

/// Returns how many descriptors of any process are one of these sockets (inode numbers), by the BPF iterator.
///
/// # Errors
/// If the iterator is unavailable.
pub fn iterate(wanted: &[u64]) -> Result<usize, String> {
    bpf::search(wanted).map(|walk| walk.found.len()).map_err(|refusal| refusal.to_string())
}

/// Returns whether the type information of a kernel (BTF) has what the BPF iterator's program needs.
pub fn type_information(bytes: &[u8]) -> bool {
    bpf::understands(bytes)
}

/// Returns the service and the container that a cgroup belongs to, by its path.
pub fn cgroup_belongs_to(path: &[u8]) -> (Option<Service>, Option<Container>) {
    crate::os::linux_api::cgroup_owner::belongs_to(path, &mut || true)
}

/// Returns the path in a /proc/PID/cgroup.
pub fn cgroup_of_process(bytes: &[u8]) -> Option<Vec<u8>> {
    cgroup_file::path_of_process(bytes)
}

/// Returns the paths in the other trees of a /proc/PID/cgroup.
pub fn cgroup_of_process_elsewhere(bytes: &[u8]) -> Vec<&[u8]> {
    cgroup_file::other_paths_of_process(bytes).collect()
}

/// Returns the pids in a cgroup.procs.
pub fn cgroup_members(bytes: &[u8]) -> Vec<u32> {
    cgroup_file::parse_members(bytes).collect()
}

/// Returns root and mount point of each cgroup2 mount in a /proc/PID/mountinfo.
pub fn cgroup_mounts(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    cgroup_mounts::cgroup2_mounts(bytes).into_iter().map(|mount| (mount.root, mount.point)).collect()
}

/// Returns the assignments of a unit file: section, key and value.
pub fn unit_settings(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    let parts = |setting: unit_syntax::Setting| (setting.section, setting.key, setting.value);
    unit_syntax::settings(bytes).into_iter().map(parts).collect()
}

/// Returns a time span of a unit file.
pub fn unit_time_span(value: &[u8]) -> Option<Duration> {
    unit_syntax::time_span(value)
}

/// Returns the template of the services that a socket unit starts, one for each connection.
pub fn socket_template(unit: &Text) -> Option<Text> {
    unit_file::connection_template(unit)
}

/// Returns the path of a unit's D-Bus object.
pub fn unit_object(unit: &Text) -> String {
    unit_file::object_path(unit)
}

/// A rule of nftables that passes a connection on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarding {
    /// The addresses that it concerns.
    pub addresses: Vec<IpAddr>,
    /// The address that connections go to instead.
    pub to: Option<IpAddr>,
    /// The port there.
    pub port: Option<u16>,
}

/// Returns the rules that pass a connection on, and how many reasons there are that some could not be evaluated. The
/// messages are of chains (0), of rules (1), and elements (2) of a set that stands for every set.
pub fn nftables_forwarding(
    messages: &[(u8, &[u8])],
    (protocol, port, addresses): (Protocol, u16, &[IpAddr]),
) -> (Vec<Forwarding>, usize) {
    let (mut chains, mut set) = (evaluate::Chains::default(), Some(Vec::new()));
    for (kind, message) in messages {
        match kind {
            0 => chains.bases.extend(expressions::base_chain(message)),
            1 => {
                if let Some(rule) = expressions::rule(message) {
                    let key = (rule.family, rule.table.clone(), rule.chain.clone());
                    chains.rules.entry(key).or_default().push(rule);
                }
            }
            _ => {
                set = set.zip(expressions::element(message)).map(|(mut set, one)| {
                    set.push(one);
                    set
                });
            }
        }
    }
    let connection = evaluate::Connection { protocol, port, addresses };
    let mut found = ForwardingRules::default();
    evaluate::evaluate(&chains, connection, &|_, _, _| set.clone(), &mut found);
    let rule = |rule: ForwardingRule| Forwarding { addresses: rule.addresses, to: rule.to, port: rule.port };
    (found.rules.into_iter().map(rule).collect(), found.unread.len())
}
