//! The BPF program that runs for each descriptor of each process: it writes a record if the descriptor is a socket that
//! passes the filter, or an io_uring, in which more sockets may be. It only reads.
//!
//! Assembled here, because a compiler for BPF is no part of a Rust toolchain. It stays out of `parse`: only the kernel that
//! it is loaded into can run it.

use crate::os::descriptors::task_files::program_parts::{
    CONTEXT, CONTEXT_DESCRIPTOR, S_IFSOCK, TASK, begin, end_unless_ring, write_and_end,
};
use crate::os::linux_api::bpf::assembly::{
    Assembly, B, DW, FRAME, Instruction, R1, R2, R3, R4, W, and, copy, instruction, load, set, shift_right,
    store, wide,
};
use crate::os::parse::linux::btf::{Layout, Wanted};

/// What the program needs from the kernel's type information. The function names the iterator to attach to.
pub(in crate::os) const WANTED: Wanted<'_> = Wanted {
    function: "bpf_iter_task_file",
    members: &[
        ("file", "f_inode"),
        ("inode", "i_mode"),
        ("inode", "i_ino"),
        ("inode", "i_sb"),
        ("super_block", "s_magic"),
        ("file", "f_path"),
        ("path", "dentry"),
        ("dentry", "d_name"),
        ("qstr", "name"),
        ("task_struct", "group_leader"),
        ("task_struct", "start_boottime"),
        ("task_struct", "tgid"),
    ],
};

/// The bytes of a record: the process's start in nanoseconds since boot, its pid, the descriptor, the inode number or 0.
pub(in crate::os) const RECORD: usize = 24;

/// A descriptor of a socket or of an io_uring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::os) struct Record {
    pub(in crate::os) pid: u32,
    pub(in crate::os) descriptor: u32,
    /// 0 for an io_uring.
    pub(in crate::os) inode: u64,
    /// When the process began, in nanoseconds since boot.
    pub(in crate::os) start: u64,
}

/// Reads a record that the program wrote.
pub(in crate::os) fn record(bytes: &[u8]) -> Option<Record> {
    let word = |at: usize| bytes.get(at..)?.first_chunk::<4>().map(|word| u32::from_ne_bytes(*word));
    let double = |at: usize| bytes.get(at..)?.first_chunk::<8>().map(|word| u64::from_ne_bytes(*word));
    Some(Record { start: double(0)?, pid: word(8)?, descriptor: word(12)?, inode: double(16)? })
}

// The stack offsets of the record's fields.
const RECORD_START: i16 = -24;
const RECORD_PID: i16 = -16;
const RECORD_DESCRIPTOR: i16 = -12;
const RECORD_INODE: i16 = -8;

/// The target of a jump, until the distance is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Socket,
    Record,
    End,
}

/// Returns the program for a kernel of this layout. `filter` is the descriptor of the map with the filter, of `bytes` bytes.
pub(in crate::os) fn assemble(layout: &Layout, filter: i32, bytes: usize) -> Option<Vec<Instruction>> {
    let [inode, mode, number, superblock, magic, path, dentry, name, text, leader, start, pid] =
        *layout.offsets.as_slice()
    else {
        return None;
    };
    let mut program = Assembly::new();
    begin(&mut program, Label::End, inode, mode);
    program.jump_if(Label::Socket, R2, S_IFSOCK);

    program.add(&[load(DW, R2, R1, superblock), load(DW, R2, R2, magic)]);
    end_unless_ring(&mut program, Label::End, path.checked_add(dentry)?, name.checked_add(text)?);
    program.add(&[set(R1, 0), store(DW, FRAME, RECORD_INODE, R1)]);
    program.jump(Label::Record, instruction(0x05, 0, 0, 0, 0));

    program.define(Label::Socket);
    let mask = i32::try_from(bytes.checked_sub(1)?).ok()?;
    // 2 says that it is the address of what is in a map, whose descriptor stands in the lower half.
    let [low, high] = wide(R3, 2, u64::from(filter.cast_unsigned()));
    program.add(&[load(DW, R2, R1, number), store(DW, FRAME, RECORD_INODE, R2), low, high]);
    // Byte `(number >> 3) & mask`, of which bit `number & 7`.
    program.add(&[copy(R4, R2), shift_right(R4, 3), and(R4, mask), instruction(0x0f, R3, R4, 0, 0)]);
    program.add(&[load(B, R3, R3, 0), and(R2, 7), instruction(0x7f, R3, R2, 0, 0), and(R3, 1)]);
    program.jump_if(Label::End, R3, 0);

    program.define(Label::Record);
    program.add(&[
        load(DW, R1, TASK, leader),
        load(DW, R2, R1, start),
        store(DW, FRAME, RECORD_START, R2),
        load(W, R2, TASK, pid),
        store(W, FRAME, RECORD_PID, R2),
        load(W, R2, CONTEXT, CONTEXT_DESCRIPTOR),
        store(W, FRAME, RECORD_DESCRIPTOR, R2),
    ]);
    write_and_end(&mut program, Label::End, RECORD_START, RECORD as i32);
    program.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_are_written() {
        let mut bytes = 7u64.to_ne_bytes().to_vec();
        bytes.extend(4121u32.to_ne_bytes());
        bytes.extend(19u32.to_ne_bytes());
        bytes.extend(200_491u64.to_ne_bytes());
        assert_eq!(bytes.len(), RECORD);
        assert_eq!(record(&bytes), Some(Record { pid: 4121, descriptor: 19, inode: 200_491, start: 7 }));
        assert_eq!(record(&bytes[..RECORD - 1]), None);
    }

    #[test]
    fn every_jump_leads_forward_and_stays_inside() {
        let layout = Layout { function: 1, offsets: (0..12).map(|at| at * 8).collect() };
        let program = assemble(&layout, 3, 64).unwrap();
        let jumps =
            program.iter().enumerate().filter(|(_, one)| matches!(one.code, 0x05 | 0x15 | 0x55 | 0x5d));
        let ends: Vec<usize> = jumps.map(|(at, one)| at + 1 + usize::try_from(one.offset).unwrap()).collect();
        assert_eq!(ends.len(), 9);
        assert!(ends.iter().all(|end| *end <= program.len() - 2), "{ends:?}");
        assert_eq!(assemble(&Layout { function: 1, offsets: vec![8] }, 3, 64), None);
        assert_eq!(assemble(&layout, 3, 0), None);
    }
}
