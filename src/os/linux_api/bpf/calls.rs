//! The calls of bpf(2) that the search and the checks of BPF programs need. Custom code, because neither rustix nor libc
//! has this system call's structures.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::assembly::Instruction;

// Commands, kinds and attach types (linux/bpf.h).
const MAP_CREATE: libc::c_long = 0;
const MAP_UPDATE_ELEM: libc::c_long = 2;
pub(super) const PROG_LOAD: libc::c_long = 5;
const PROG_QUERY: libc::c_long = 16;
const LINK_CREATE: libc::c_long = 28;
const ITER_CREATE: libc::c_long = 33;
const MAP_TYPE_ARRAY: u32 = 2;
pub(super) const PROG_TYPE_TRACING: u32 = 26;
const TRACE_ITER: u32 = 28;
const SK_LOOKUP: u32 = 36;
const CGROUP_INET4_BIND: u32 = 8;
const CGROUP_INET6_BIND: u32 = 9;
const CGROUP_INET4_POST_BIND: u32 = 12;
const CGROUP_INET6_POST_BIND: u32 = 13;
/// Also counts the programs of the cgroups above.
const QUERY_EFFECTIVE: u32 = 1;

/// The name of the program and the map in the kernel's lists.
const NAME: [u8; 16] = *b"allears\0\0\0\0\0\0\0\0\0";

/// Returns a pointer in the kernel's form: 64 bits on every machine.
pub(super) fn address<T>(pointer: *const T) -> u64 {
    pointer as usize as u64
}

pub(super) fn length<T>(items: &[T]) -> io::Result<u32> {
    u32::try_from(items.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

/// The attributes of MAP_CREATE.
#[repr(C)]
struct CreateMap {
    kind: u32,
    key_size: u32,
    value_size: u32,
    most: u32,
    flags: u32,
    inner: u32,
    node: u32,
    name: [u8; 16],
}

/// The attributes of MAP_LOOKUP_ELEM and MAP_UPDATE_ELEM.
#[repr(C)]
pub(super) struct Element {
    pub(super) map: u32,
    pub(super) padding: u32,
    pub(super) key: u64,
    pub(super) value: u64,
    pub(super) flags: u64,
}

pub(super) fn create_map(kind: u32, key_size: u32, value_size: u32, most: u32) -> io::Result<OwnedFd> {
    let (flags, inner, node) = (0, 0, 0);
    bpf_descriptor(
        MAP_CREATE,
        &mut CreateMap { kind, key_size, value_size, most, flags, inner, node, name: NAME },
    )
}

/// Creates a map with bytes that a program reads or writes: an array of one element, whose value can be a constant of a
/// program since Linux 5.2.
pub(in crate::os) fn shared(bytes: &[u8]) -> io::Result<OwnedFd> {
    let map = create_map(MAP_TYPE_ARRAY, 4, length(bytes)?, 1)?;
    let first = 0_u32;
    let mut update = Element {
        map: map.as_raw_fd().cast_unsigned(),
        padding: 0,
        key: address(&raw const first),
        value: address(bytes.as_ptr()),
        flags: 0,
    };
    bpf(MAP_UPDATE_ELEM, &mut update)?;
    Ok(map)
}

/// The attributes of PROG_LOAD.
#[repr(C)]
pub(super) struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    licence: u64,
    log: [u32; 2],
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_to: u32,
    types: u32,
    function_info_size: u32,
    function_info: u64,
    function_info_count: u32,
    line_info_size: u32,
    line_info: u64,
    line_info_count: u32,
    pub(super) attach_function: u32,
}

impl Load {
    /// Returns the attributes of a program of this kind, which is attached in this way.
    pub(super) fn new<T>(kind: u32, program: &[T], count: u32, licence: &CStr, attach_to: u32) -> Load {
        Load {
            kind,
            count,
            instructions: address(program.as_ptr()),
            licence: address(licence.as_ptr()),
            log: [0; 2],
            log_buffer: 0,
            kernel_version: 0,
            flags: 0,
            name: NAME,
            interface: 0,
            attach_to,
            types: 0,
            function_info_size: 0,
            function_info: 0,
            function_info_count: 0,
            line_info_size: 0,
            line_info: 0,
            line_info_count: 0,
            attach_function: 0,
        }
    }
}

/// Loads a program: the kernel verifies it. `iterator` is the number of the iterator's function.
pub(in crate::os) fn load(program: &[Instruction], licence: &CStr, iterator: u32) -> io::Result<OwnedFd> {
    let mut load = Load::new(PROG_TYPE_TRACING, program, length(program)?, licence, TRACE_ITER);
    load.attach_function = iterator;
    bpf_descriptor(PROG_LOAD, &mut load)
}

/// The attributes of LINK_CREATE.
#[repr(C)]
struct Link {
    program: u32,
    target: u32,
    attach_to: u32,
    flags: u32,
    info: u64,
    info_length: u32,
    padding: u32,
}

/// Creates an iterator over the descriptors of every process, or of one (Linux 6.1). Reading it runs the program.
pub(in crate::os) fn iterate(program: BorrowedFd<'_>, process: Option<u32>) -> io::Result<OwnedFd> {
    /// The part of union bpf_iter_link_info about tasks, padded to the length of the union.
    #[repr(C)]
    struct LinkInfo {
        thread: u32,
        process: u32,
        handle: u32,
        padding: u32,
    }
    #[repr(C)]
    struct Iterate {
        link: u32,
        flags: u32,
    }
    let info = process.map(|process| LinkInfo { thread: 0, process, handle: 0, padding: 0 });
    let mut link = Link {
        program: program.as_raw_fd().cast_unsigned(),
        target: 0,
        attach_to: TRACE_ITER,
        flags: 0,
        info: info.as_ref().map_or(0, |info| address(info)),
        info_length: info.as_ref().map_or(0, |_| size_of::<LinkInfo>() as u32),
        padding: 0,
    };
    let link = bpf_descriptor(LINK_CREATE, &mut link)?;
    bpf_descriptor(ITER_CREATE, &mut Iterate { link: link.as_raw_fd().cast_unsigned(), flags: 0 })
}

/// Returns how many programs choose the sockets of connections in a network namespace.
pub(in crate::os) fn socket_lookups(namespace: BorrowedFd<'_>) -> io::Result<u32> {
    attached(namespace, SK_LOOKUP, 0)
}

/// Returns how many programs of a cgroup and of those above it decide whether its processes may bind. It takes
/// CAP_NET_ADMIN.
pub(in crate::os) fn bind_hooks(cgroup: BorrowedFd<'_>) -> io::Result<u32> {
    let mut count = 0;
    for hook in [CGROUP_INET4_BIND, CGROUP_INET6_BIND, CGROUP_INET4_POST_BIND, CGROUP_INET6_POST_BIND] {
        count += attached(cgroup, hook, QUERY_EFFECTIVE)?;
    }
    Ok(count)
}

/// Returns how many programs are attached to an object with one attach type.
fn attached(target: BorrowedFd<'_>, attach_type: u32, query_flags: u32) -> io::Result<u32> {
    #[repr(C)]
    struct AttachedQuery {
        target: u32,
        attach_type: u32,
        query_flags: u32,
        attach_flags: u32,
        programs: u64,
        count: u32,
        padding: u32,
    }
    let mut query = AttachedQuery {
        target: target.as_raw_fd().cast_unsigned(),
        attach_type,
        query_flags,
        attach_flags: 0,
        programs: 0,
        count: 0,
        padding: 0,
    };
    bpf(PROG_QUERY, &mut query)?;
    Ok(query.count)
}

/// Calls bpf(2) for a descriptor. The kernel sets close-on-exec on it.
pub(super) fn bpf_descriptor<T>(command: libc::c_long, attributes: &mut T) -> io::Result<OwnedFd> {
    let descriptor = bpf(command, attributes)?;
    #[expect(unsafe_code, reason = "a descriptor fresh from the kernel becomes an owned one")]
    // SAFETY: the kernel has just made this descriptor for this call, and nothing else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

pub(super) fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<libc::c_int> {
    #[expect(unsafe_code, reason = "neither rustix nor nix has this system call")]
    // SAFETY: every `T` is a `repr(C)` beginning of the kernel's union bpf_attr for its command, without implicit
    // padding, and the pointers in it are to memory that lives until the call returns. The kernel checks the length and
    // takes what is not given as zero.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>()) };
    libc::c_int::try_from(result).ok().filter(|result| *result >= 0).ok_or_else(io::Error::last_os_error)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    /// A program that does not change which socket a connection finds: `r0 = 1; exit`.
    fn passing_program() -> io::Result<OwnedFd> {
        const PROG_TYPE_SK_LOOKUP: u32 = 30;
        let instructions: [[u8; 8]; 2] = [[0xb7, 0, 0, 0, 1, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];
        let mut load = Load::new(PROG_TYPE_SK_LOOKUP, &instructions, 2, c"Dual MIT/GPL", SK_LOOKUP);
        bpf_descriptor(PROG_LOAD, &mut load)
    }

    #[test]
    fn programs_at_socket_lookup_are_counted() {
        // The namespace is this thread's alone, and ends with it.
        let own = std::thread::spawn(|| {
            // SAFETY: it takes numbers and concerns this thread alone.
            #[expect(unsafe_code, reason = "nix is built without it here")]
            let entered = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            let (0, Ok(program)) = (entered, passing_program()) else {
                eprintln!("skipped: needs root and BPF programs at socket lookup");
                return;
            };
            let namespace = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
            assert_eq!(socket_lookups(namespace.as_fd()).unwrap(), 0);
            let mut link = Link {
                program: program.as_raw_fd().cast_unsigned(),
                target: namespace.as_raw_fd().cast_unsigned(),
                attach_to: SK_LOOKUP,
                flags: 0,
                info: 0,
                info_length: 0,
                padding: 0,
            };
            let link = bpf_descriptor(LINK_CREATE, &mut link).unwrap();
            assert_eq!(socket_lookups(namespace.as_fd()).unwrap(), 1);
            drop(link);
            assert_eq!(socket_lookups(namespace.as_fd()).unwrap(), 0);
        });
        own.join().unwrap();
    }
}
