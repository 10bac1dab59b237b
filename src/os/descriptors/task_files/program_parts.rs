//! The parts that programs for the iterator have in common.

use crate::os::linux_api::bpf::assembly::{
    Assembly, DW, FRAME, H, R0, R1, R2, R3, R6, R7, R8, add, and, call, copy, instruction, load, set, wide,
};

// Registers that survive calls: the iterator's context, the file, the task.
pub(in crate::os) const CONTEXT: u8 = R6;
pub(in crate::os) const FILE: u8 = R7;
pub(in crate::os) const TASK: u8 = R8;

// The iterator's context (struct bpf_iter__task_file): pointers in slots of eight bytes.
const META: i16 = 0;
const META_SEQ: i16 = 0;
const CONTEXT_TASK: i16 = 8;
pub(in crate::os) const CONTEXT_DESCRIPTOR: i16 = 16;
const CONTEXT_FILE: i16 = 24;

// Helpers (linux/bpf.h).
const PROBE_READ_KERNEL: i32 = 113;
const SEQ_WRITE: i32 = 127;

// File types in a mode (inode(7)).
const S_IFMT: i32 = 0o170_000;
pub(in crate::os) const S_IFSOCK: i32 = 0o140_000;

/// The file system of anonymous inodes (linux/magic.h).
const ANON_INODE_FS_MAGIC: i32 = 0x0904_1934;
// "[io_uring]" as the two numbers for the comparison.
const RING_BEGINS: u64 = u64::from_ne_bytes(*b"[io_urin");
const RING_ENDS: i32 = u16::from_ne_bytes(*b"g]") as i32;
/// The stack offset of a file's name, which has 16 bytes. Records come behind it.
const NAME: i16 = -40;

/// Loads file and task, and ends if there is none. Then R1 is the inode and R2 the type of the file.
pub(in crate::os) fn begin<L: Copy + PartialEq>(program: &mut Assembly<L>, end: L, inode: i16, mode: i16) {
    // After the last descriptor the program runs once more, with nothing.
    program.add(&[copy(CONTEXT, R1), load(DW, FILE, CONTEXT, CONTEXT_FILE)]);
    program.jump_if(end, FILE, 0);
    program.add(&[load(DW, TASK, CONTEXT, CONTEXT_TASK)]);
    program.jump_if(end, TASK, 0);
    program.add(&[load(DW, R1, FILE, inode), load(H, R2, R1, mode), and(R2, S_IFMT)]);
}

/// Ends unless the file is an io_uring: an anonymous inode's file whose directory entry is called "[io_uring]". R2 is the
/// number of the file system. `entry` is the offset of the directory entry in a file, `name` that of the name in an entry.
pub(in crate::os) fn end_unless_ring<L: Copy + PartialEq>(
    program: &mut Assembly<L>,
    end: L,
    entry: i16,
    name: i16,
) {
    program.jump_unless(end, R2, ANON_INODE_FS_MAGIC);
    program.add(&[
        load(DW, R2, FILE, entry),
        load(DW, R3, R2, name),
        copy(R1, FRAME),
        add(R1, i32::from(NAME)),
        set(R2, 16),
        call(PROBE_READ_KERNEL),
    ]);
    program.jump_unless(end, R0, 0);
    let [low, high] = wide(R2, 0, RING_BEGINS);
    program.add(&[load(DW, R1, FRAME, NAME), low, high]);
    program.jump(end, instruction(0x5d, R1, R2, 0, 0));
    program.add(&[load(H, R1, FRAME, NAME + 8)]);
    program.jump_unless(end, R1, RING_ENDS);
}

/// Writes a record of this length at a stack offset, and ends.
pub(in crate::os) fn write_and_end<L: Copy + PartialEq>(
    program: &mut Assembly<L>,
    end: L,
    record: i16,
    length: i32,
) {
    program.add(&[
        // If there is no room for the record, the kernel calls again with the same descriptor.
        load(DW, R1, CONTEXT, META),
        load(DW, R1, R1, META_SEQ),
        copy(R2, FRAME),
        add(R2, i32::from(record)),
        set(R3, length),
        call(SEQ_WRITE),
    ]);
    program.define(end);
    program.add(&[set(R0, 0), instruction(0x95, 0, 0, 0, 0)]);
}
