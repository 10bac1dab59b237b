//! The calls of bpf(2) for programs that run at functions and tracepoints of the kernel, and for their output.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::assembly::Instruction;
use super::calls::{
    Element, Load, PROG_LOAD, PROG_TYPE_TRACING, address, bpf, bpf_descriptor, create_map, length,
};

// Commands, kinds and attach types (linux/bpf.h).
const MAP_LOOKUP_ELEM: libc::c_long = 1;
const RAW_TRACEPOINT_OPEN: libc::c_long = 17;
const MAP_TYPE_RINGBUF: u32 = 27;
const TRACE_RAW_TP: u32 = 23;
const TRACE_FENTRY: u32 = 24;
const TRACE_FEXIT: u32 = 25;

/// Returns the number in a map of [`super::calls::shared`] bytes that a program counts in: eight bytes.
pub(in crate::os) fn counter(map: BorrowedFd<'_>) -> io::Result<u64> {
    let (first, mut count) = (0_u32, 0_u64);
    let mut lookup = Element {
        map: map.as_raw_fd().cast_unsigned(),
        padding: 0,
        key: address(&raw const first),
        value: address(&raw mut count),
        flags: 0,
    };
    bpf(MAP_LOOKUP_ELEM, &mut lookup)?;
    Ok(count)
}

/// Creates a ring buffer (Linux 5.8) of so many bytes: a power of two, and at least a page.
pub(in crate::os) fn ring(bytes: u32) -> io::Result<OwnedFd> {
    create_map(MAP_TYPE_RINGBUF, 0, 0, bytes)
}

/// Where a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum TraceAt {
    /// At a tracepoint.
    Tracepoint,
    /// Before a function.
    Entry,
    /// After a function, with its result.
    Exit,
}

/// Loads a program and attaches it to a tracepoint or a function of the kernel (Linux 5.5; functions on 64-bit ARM 6.0),
/// by its number in the type information. It is detached when the descriptor is closed.
pub(in crate::os) fn trace(
    program: &[Instruction],
    licence: &CStr,
    at: TraceAt,
    number: u32,
) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Open {
        name: u64,
        program: u32,
        padding: u32,
    }
    let attach_to = match at {
        TraceAt::Tracepoint => TRACE_RAW_TP,
        TraceAt::Entry => TRACE_FENTRY,
        TraceAt::Exit => TRACE_FEXIT,
    };
    let mut load = Load::new(PROG_TYPE_TRACING, program, length(program)?, licence, attach_to);
    load.attach_function = number;
    // The link keeps the program after its own descriptor is closed.
    let program = bpf_descriptor(PROG_LOAD, &mut load)?;
    // Unlike LINK_CREATE, this attaches such programs on every kernel that has them.
    let mut open = Open { name: 0, program: program.as_raw_fd().cast_unsigned(), padding: 0 };
    bpf_descriptor(RAW_TRACEPOINT_OPEN, &mut open)
}
