//! The programs that run in the kernel before or after a function that listens, binds or closes, or at a tracepoint: each
//! writes a record to the ring buffer. They only read.
//!
//! They declare the licence "Dual MIT/GPL" to the kernel, because the helper that reads the kernel's memory is only for
//! programs under the GPL.

use crate::os::linux_api::bpf::assembly::{
    Assembly, DW, FRAME, H, Instruction, R0, R1, R2, R3, R4, R6, R7, R8, W, add, call, copy, instruction,
    load, set, store, wide,
};
use crate::os::linux_api::bpf::tracing::TraceAt;
use crate::os::parse::linux::btf::{Layout, Wanted};
use crate::os::parse::linux::socket_event::{self as record, Hook};

/// The licence that the programs declare to the kernel.
pub(in crate::os) const LICENCE: &std::ffi::CStr = c"Dual MIT/GPL";

/// The members of the kernel's structures that the programs read. Without the function there is no TCP.
pub(in crate::os) const WANTED: Wanted<'_> = Wanted {
    function: "inet_csk_listen_start",
    members: &[
        ("socket", "sk"),
        ("sock", "__sk_common"),
        ("sock", "sk_protocol"),
        ("sock_common", "skc_family"),
        ("sock_common", "skc_num"),
        ("sock_common", "skc_dport"),
        ("sock_common", "skc_rcv_saddr"),
        ("sock_common", "skc_v6_rcv_saddr"),
        ("sock_common", "skc_bound_dev_if"),
        ("sock_common", "skc_cookie"),
        ("sock_common", "skc_net"),
        ("net", "ns"),
        ("ns_common", "inum"),
        ("task_struct", "group_leader"),
        ("task_struct", "start_boottime"),
    ],
};

/// What a program is attached to.
#[derive(Debug, Clone, Copy)]
pub(in crate::os) struct Traced {
    /// Its name in the kernel's type information.
    pub(in crate::os) name: &'static str,
    reports: Reports,
}

/// What a program reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reports {
    /// Every change of a TCP socket to or from LISTEN.
    States,
    /// The result of a function.
    Results(Hook),
    /// The result of a function, if it is an error.
    Refusals(Hook),
    /// The call of a function that closes.
    Calls(Hook),
}

const fn traced(name: &'static str, reports: Reports) -> Traced {
    Traced { name, reports }
}

/// The functions. All of them are called through a pointer or from another source file of the kernel, so that no compiler
/// inlines them.
///
/// Every TCP socket that begins to listen goes through the first one: over IPv4 and IPv6, and those inside of a socket of
/// multipath TCP. A bind goes through the function of its family and protocol, and before that through the security
/// modules.
pub(in crate::os) const FUNCTIONS: [Traced; 7] = [
    traced("inet_csk_listen_start", Reports::Results(Hook::Listen)),
    traced("inet_csk_listen_stop", Reports::Calls(Hook::StopListening)),
    traced("inet_bind", Reports::Results(Hook::Bind)),
    traced("inet6_bind", Reports::Results(Hook::Bind)),
    traced("mptcp_bind", Reports::Refusals(Hook::Bind)),
    traced("security_socket_bind", Reports::Refusals(Hook::Bind)),
    traced("udp_lib_unhash", Reports::Calls(Hook::Unbind)),
];

/// The tracepoint that replaces the first two functions if the kernel lets no program run at functions. No tracepoint
/// reports binds.
pub(in crate::os) const TRACEPOINT: Traced = traced("btf_trace_inet_sock_set_state", Reports::States);

impl Traced {
    /// Returns where the program runs. A socket that is closed loses its port in the function.
    pub(in crate::os) fn at(&self) -> TraceAt {
        match self.reports {
            Reports::States => TraceAt::Tracepoint,
            Reports::Results(_) | Reports::Refusals(_) => TraceAt::Exit,
            Reports::Calls(_) => TraceAt::Entry,
        }
    }

    fn hook(&self) -> Option<Hook> {
        match self.reports {
            Reports::States => None,
            Reports::Results(hook) | Reports::Refusals(hook) | Reports::Calls(hook) => Some(hook),
        }
    }
}

// Helpers (linux/bpf.h).
const KTIME_GET_NS: i32 = 5;
const GET_CURRENT_PID_TGID: i32 = 14;
const GET_CURRENT_UID_GID: i32 = 15;
const GET_CURRENT_COMM: i32 = 16;
/// For programs at functions since Linux 5.12.
const GET_SOCKET_COOKIE: i32 = 46;
const PROBE_READ_KERNEL: i32 = 113;
const RINGBUF_OUTPUT: i32 = 130;
/// Since Linux 5.11.
const GET_CURRENT_TASK_BTF: i32 = 158;

const AF_INET: i32 = 2;
const AF_INET6: i32 = 10;
const IPPROTO_TCP: i32 = 6;
const IPPROTO_UDP: i32 = 17;
const IPPROTO_UDPLITE: i32 = 136;
const TCP_LISTEN: i32 = 10;

// Registers that survive calls.
const CONTEXT: u8 = R6;
const RESULT: u8 = R7;
/// At a tracepoint, which has no result.
const HOOK: u8 = R7;
const SOCK: u8 = R8;
const NET_PROTOCOL: u8 = 9;

/// The target of a jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    HasAddress,
    Take,
    Changes,
    Written,
    End,
}

/// What a program writes to: the descriptors of its maps, and the network namespace whose sockets it reports.
#[derive(Debug, Clone, Copy)]
pub(in crate::os) struct Outputs {
    pub(in crate::os) ring: i32,
    pub(in crate::os) lost: i32,
    pub(in crate::os) namespace: u32,
}

/// Returns the stack offset of a field of the record.
fn field(offset: usize) -> Option<i16> {
    i16::try_from(offset).ok()?.checked_sub(i16::try_from(record::RECORD).ok()?)
}

/// Returns the load of an argument of the traced function; the result stands behind the last one.
fn argument(to: u8, number: usize) -> Option<Instruction> {
    Some(load(DW, to, CONTEXT, i16::try_from(number.checked_mul(8)?).ok()?))
}

/// Returns the program for a function with so many parameters, or for the tracepoint, in a kernel of this layout.
pub(in crate::os) fn assemble(
    traced: &Traced,
    parameters: usize,
    layout: &Layout,
    outputs: Outputs,
) -> Option<Vec<Instruction>> {
    let [
        sk,
        common,
        protocol,
        family,
        port,
        peer_port,
        v4,
        v6,
        interface,
        cookie,
        net,
        ns,
        inum,
        leader,
        start,
    ] = *layout.offsets.as_slice()
    else {
        return None;
    };
    let common = |offset: i16| common.checked_add(offset);
    let mut program = Assembly::new();
    program.add(&[copy(CONTEXT, R1), set(RESULT, 0)]);
    match traced.at() {
        TraceAt::Exit => {
            // An int: the upper half of the register is anything. Shifts left and, with the sign, right.
            let (left, right) = (instruction(0x67, RESULT, 0, 0, 32), instruction(0xc7, RESULT, 0, 0, 32));
            program.add(&[argument(RESULT, parameters)?, left, right]);
        }
        TraceAt::Tracepoint => {
            // The old and the new state.
            program.add(&[argument(R2, 1)?, argument(R3, 2)?]);
            program.add(&[set(HOOK, i32::from(Hook::Listen.number()))]);
            program.jump_if(Label::Changes, R3, TCP_LISTEN);
            program.add(&[set(HOOK, i32::from(Hook::StopListening.number()))]);
            program.jump_unless(Label::End, R2, TCP_LISTEN);
            program.define(Label::Changes);
        }
        TraceAt::Entry => {}
    }
    if matches!(traced.reports, Reports::Refusals(_)) {
        program.jump_if(Label::End, RESULT, 0);
    }
    program.add(&[argument(SOCK, 0)?]);
    if traced.hook() == Some(Hook::Bind) {
        program.add(&[load(DW, SOCK, SOCK, sk)]);
        program.jump_if(Label::End, SOCK, 0);
    }
    program.add(&[load(H, NET_PROTOCOL, SOCK, protocol)]);
    match traced.reports {
        Reports::States | Reports::Results(Hook::Listen) | Reports::Calls(Hook::StopListening) => {
            program.jump_unless(Label::End, NET_PROTOCOL, IPPROTO_TCP);
        }
        // A socket without a cookie was neither bound under a program's eyes nor listed: a client, as a rule.
        Reports::Calls(_) => {
            program.add(&[load(DW, R1, SOCK, common(cookie)?)]);
            program.jump_if(Label::End, R1, 0);
        }
        // A TCP socket that was bound is no event before it listens.
        Reports::Results(_) => {
            program.jump_unless(Label::Take, RESULT, 0);
            program.jump_if(Label::Take, NET_PROTOCOL, IPPROTO_UDP);
            program.jump_unless(Label::End, NET_PROTOCOL, IPPROTO_UDPLITE);
        }
        Reports::Refusals(_) => {}
    }
    program.define(Label::Take);
    // The verifier wants every byte of the record set.
    for offset in (0..record::RECORD).step_by(8) {
        program.add(&[instruction(0x7a, FRAME, 0, field(offset)?, 0)]);
    }
    program.add(&[load(DW, R1, SOCK, common(net)?), load(W, R1, R1, ns.checked_add(inum)?)]);
    // Compares 32 bits: a namespace's number has the highest one set.
    program.jump(Label::End, instruction(0x56, R1, 0, 0, outputs.namespace.cast_signed()));
    program.add(&[store(W, FRAME, field(record::NAMESPACE)?, R1)]);
    program.add(&[load(H, R1, SOCK, common(family)?), store(H, FRAME, field(record::FAMILY)?, R1)]);
    program.add(&[load(W, R2, SOCK, common(v4)?), store(W, FRAME, field(record::ADDRESS_V4)?, R2)]);
    program.jump_if(Label::HasAddress, R1, AF_INET);
    program.jump_unless(Label::End, R1, AF_INET6);
    let read = |to: usize, length: usize, pointer: [Instruction; 2]| {
        Some([
            pointer[0],
            pointer[1],
            copy(R1, FRAME),
            add(R1, i32::from(field(to)?)),
            set(R2, i32::try_from(length).ok()?),
            call(PROBE_READ_KERNEL),
        ])
    };
    program.add(&read(record::ADDRESS_V6, 16, [copy(R3, SOCK), add(R3, i32::from(common(v6)?))])?);
    program.define(Label::HasAddress);
    program.add(&[
        load(H, R1, SOCK, common(port)?),
        store(H, FRAME, field(record::PORT)?, R1),
        load(H, R1, SOCK, common(peer_port)?),
        store(H, FRAME, field(record::PEER_PORT)?, R1),
        load(W, R1, SOCK, common(interface)?),
        store(W, FRAME, field(record::INTERFACE)?, R1),
        store(H, FRAME, field(record::PROTOCOL)?, NET_PROTOCOL),
    ]);
    match traced.hook() {
        Some(hook) => program.add(&[
            store(W, FRAME, field(record::RESULT)?, RESULT),
            set(R1, i32::from(hook.number())),
            store(H, FRAME, field(record::HOOK)?, R1),
        ]),
        None => program.add(&[store(H, FRAME, field(record::HOOK)?, HOOK)]),
    }
    if traced.hook() == Some(Hook::Bind) {
        let requested = [argument(R3, 1)?, set(R4, 0)];
        program.add(&read(record::REQUESTED, record::REQUESTED_LENGTH, requested)?);
    }
    for (helper, to) in [
        (KTIME_GET_NS, record::TIME),
        (GET_CURRENT_PID_TGID, record::PID),
        (GET_CURRENT_UID_GID, record::UID),
    ] {
        program.add(&[call(helper), store(DW, FRAME, field(to)?, R0)]);
    }
    program.add(&[copy(R1, SOCK), call(GET_SOCKET_COOKIE), store(DW, FRAME, field(record::COOKIE)?, R0)]);
    program.add(&[
        call(GET_CURRENT_TASK_BTF),
        load(DW, R1, R0, leader),
        load(DW, R1, R1, start),
        store(DW, FRAME, field(record::START)?, R1),
        copy(R1, FRAME),
        add(R1, i32::from(field(record::COMM)?)),
        set(R2, i32::try_from(record::COMM_LENGTH).ok()?),
        call(GET_CURRENT_COMM),
    ]);
    // 1 is a map by its descriptor, 2 the address of what is in a map.
    let [low, high] = wide(R1, 1, u64::from(outputs.ring.cast_unsigned()));
    program.add(&[
        low,
        high,
        copy(R2, FRAME),
        add(R2, i32::from(field(0)?)),
        set(R3, i32::try_from(record::RECORD).ok()?),
        set(R4, 0),
        call(RINGBUF_OUTPUT),
    ]);
    program.jump_if(Label::Written, R0, 0);
    let [low, high] = wide(R2, 2, u64::from(outputs.lost.cast_unsigned()));
    // Adds 1 atomically.
    program.add(&[low, high, set(R1, 1), instruction(0xdb, R2, R1, 0, 0)]);
    program.define(Label::Written);
    program.define(Label::End);
    program.add(&[set(R0, 0), instruction(0x95, 0, 0, 0, 0)]);
    program.finish()
}
