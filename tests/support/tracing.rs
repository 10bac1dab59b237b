//! Whether the kernel lets BPF programs run at its functions, asked without the program under test.

use std::io;

const PROG_LOAD: libc::c_long = 5;
const PROG_TYPE_TRACING: u32 = 26;
const TRACE_FEXIT: u32 = 25;
/// A function that every kernel with TCP has.
const FUNCTION: &str = "inet_csk_listen_start";
const FUNC: u32 = 12;

/// Returns why the kernel lets no program run at its functions.
pub(crate) fn refusal() -> Option<String> {
    let types = match std::fs::read("/sys/kernel/btf/vmlinux") {
        Ok(types) => types,
        Err(error) => return Some(format!("type information: {error}")),
    };
    let Some(number) = number_of(&types, FUNCTION) else { return Some(format!("no function {FUNCTION}")) };
    // `r0 = 0; exit`.
    let instructions: [u8; 16] = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let licence = c"GPL";
    // union bpf_attr of linux/bpf.h up to attach_btf_id.
    let mut attributes = [0_u32; 28];
    let mut put = |at: usize, value: u64| {
        attributes[at] = value as u32;
        attributes[at + 1] = (value >> 32) as u32;
    };
    put(2, instructions.as_ptr() as u64);
    put(4, licence.as_ptr() as u64);
    (attributes[0], attributes[1]) = (PROG_TYPE_TRACING, 2);
    (attributes[17], attributes[27]) = (TRACE_FEXIT, number);
    #[expect(unsafe_code, reason = "no crate has this system call")]
    // SAFETY: the pointers in the attributes are to memory that outlives the call, and their length is given.
    let loaded =
        unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, attributes.as_mut_ptr(), size_of_val(&attributes)) };
    match i32::try_from(loaded) {
        Ok(descriptor) if descriptor >= 0 => {
            nix::unistd::close(descriptor).err().map(|error| error.to_string())
        }
        _ => Some(format!("programs at functions: {}", io::Error::last_os_error())),
    }
}

/// Returns the number of a function in type information (Documentation/bpf/btf.rst in the kernel's sources).
fn number_of(bytes: &[u8], function: &str) -> Option<u32> {
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let header = word(4)? as usize;
    let (types, end) = (header + word(8)? as usize, header + word(8)? as usize + word(12)? as usize);
    let names = header + word(16)? as usize;
    let (mut at, mut number) = (types, 0);
    while at < end {
        number += 1;
        let (name, info) = (names + word(at)? as usize, word(at + 4)?);
        let (kind, count) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        let is_named =
            bytes.get(name..)?.strip_prefix(function.as_bytes()).is_some_and(|rest| rest.first() == Some(&0));
        if kind == FUNC && is_named {
            return Some(number);
        }
        at += 12
            + match kind {
                1 | 14 | 17 => 4,
                6 | 13 => count * 8,
                3 => 12,
                4 | 5 | 15 | 19 => count * 12,
                _ => 0,
            };
    }
    None
}
