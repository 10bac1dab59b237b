//! The BPF program that runs for each descriptor of each process: it writes a record for a namespace of any kind, for a
//! socket in an unknown network namespace, for a Unix socket with unread messages, and for an io_uring, in which more
//! sockets may be. It only reads.

use super::known;
use crate::os::descriptors::task_files::program_parts::{
    CONTEXT, CONTEXT_DESCRIPTOR, FILE, S_IFSOCK, TASK, begin, end_unless_ring, write_and_end,
};
use crate::os::linux_api::bpf::assembly::{
    Assembly, B, DW, FRAME, H, Instruction, R0, R1, R2, R3, R4, R9, W, add, and, call, copy, instruction,
    load, set, shift_right, store, wide,
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
        ("socket", "sk"),
        ("sock", "__sk_common"),
        ("sock_common", "skc_net"),
        ("sock_common", "skc_family"),
        ("net", "ns"),
        ("ns_common", "inum"),
        ("sock", "sk_receive_queue"),
        ("sk_buff_head", "qlen"),
        ("task_struct", "tgid"),
        ("task_struct", "pid"),
    ],
};

/// The bytes of a record: the inode number, the pid, the thread, the descriptor, the kind.
pub(in crate::os) const RECORD: usize = 24;

// What a descriptor is. A socket may be two of these.
/// A socket whose namespace is not known.
pub(in crate::os) const OUTSIDE: u32 = 1;
/// A Unix socket with unread messages.
pub(in crate::os) const PENDING: u32 = 2;
/// An io_uring.
pub(in crate::os) const RING: u32 = 4;
/// A namespace of any kind.
pub(in crate::os) const NAMESPACE: u32 = 8;

/// A descriptor that the program reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) struct Record {
    pub(in crate::os) inode: u64,
    pub(in crate::os) pid: u32,
    pub(in crate::os) thread: u32,
    pub(in crate::os) descriptor: u32,
    /// [`OUTSIDE`] and the like.
    pub(in crate::os) kind: u32,
}

/// Reads a record that the program wrote.
pub(in crate::os) fn record(bytes: &[u8]) -> Option<Record> {
    let word = |at: usize| bytes.get(at..)?.first_chunk::<4>().map(|word| u32::from_ne_bytes(*word));
    let inode = u64::from_ne_bytes(*bytes.first_chunk::<8>()?);
    Some(Record { inode, pid: word(8)?, thread: word(12)?, descriptor: word(16)?, kind: word(20)? })
}

/// The kinds of a descriptor, in a register that survives calls.
const KIND: u8 = R9;

/// A helper of Linux 5.11 (linux/bpf.h).
const SOCK_FROM_FILE: i32 = 162;

/// The file system of namespaces (linux/magic.h).
const NSFS_MAGIC: i32 = 0x6e73_6673;

const AF_UNIX: i32 = 1;

// The stack offsets of the record's fields.
const RECORD_INODE: i16 = -24;
const RECORD_PID: i16 = -16;
const RECORD_THREAD: i16 = -12;
const RECORD_DESCRIPTOR: i16 = -8;
const RECORD_KIND: i16 = -4;

/// The target of a jump, until the distance is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Namespace,
    Socket,
    Queue,
    Classified,
    Record,
    End,
}

/// Returns the program for a kernel of this layout. `known` is the descriptor of the map with the known namespaces, of
/// `bytes` bytes.
pub(in crate::os) fn assemble(layout: &Layout, known: i32, bytes: usize) -> Option<Vec<Instruction>> {
    let [
        inode,
        mode,
        number,
        superblock,
        magic,
        path,
        dentry,
        name,
        text,
        sock,
        common,
        net,
        family,
        namespace,
        inum,
        queue,
        length,
        pid,
        thread,
    ] = *layout.offsets.as_slice()
    else {
        return None;
    };
    let mut program = Assembly::new();
    begin(&mut program, Label::End, inode, mode);
    program.jump_if(Label::Socket, R2, S_IFSOCK);
    program.add(&[load(DW, R2, R1, superblock), load(DW, R2, R2, magic)]);
    program.jump_if(Label::Namespace, R2, NSFS_MAGIC);

    end_unless_ring(&mut program, Label::End, path.checked_add(dentry)?, name.checked_add(text)?);
    program.add(&[set(KIND, RING as i32)]);
    program.jump(Label::Record, instruction(0x05, 0, 0, 0, 0));

    program.define(Label::Namespace);
    program.add(&[set(KIND, NAMESPACE as i32)]);
    program.jump(Label::Record, instruction(0x05, 0, 0, 0, 0));

    program.define(Label::Socket);
    program.add(&[copy(R1, FILE), call(SOCK_FROM_FILE)]);
    program.jump_if(Label::End, R0, 0);
    program.add(&[
        load(DW, R1, R0, sock),
        load(DW, R2, R1, common.checked_add(net)?),
        load(W, R2, R2, namespace.checked_add(inum)?),
    ]);
    // A pointer that leads nowhere reads as 0.
    program.jump_if(Label::End, R2, 0);
    // 2 says that it is the address of what is in a map, whose descriptor stands in the lower half.
    let [low, high] = wide(R3, 2, u64::from(known.cast_unsigned()));
    program.add(&[
        set(KIND, OUTSIDE as i32),
        low,
        high,
        // A sum of 32 bits, which wraps.
        instruction(0x04, R2, 0, 0, 0_u32.wrapping_sub(known::FIRST).cast_signed()),
        copy(R4, R2),
        shift_right(R4, 3),
    ]);
    let last = i32::try_from(bytes.checked_sub(1)?).ok()?;
    program.jump(Label::Queue, instruction(0x25, R4, 0, 0, last));
    program.add(&[
        instruction(0x0f, R3, R4, 0, 0),
        load(B, R3, R3, 0),
        and(R2, 7),
        instruction(0x7f, R3, R2, 0, 0),
        and(R3, 1),
    ]);
    program.jump_if(Label::Queue, R3, 0);
    program.add(&[set(KIND, 0)]);
    program.define(Label::Queue);
    program.add(&[load(H, R2, R1, common.checked_add(family)?)]);
    program.jump_unless(Label::Classified, R2, AF_UNIX);
    program.add(&[load(W, R2, R1, queue.checked_add(length)?)]);
    program.jump_if(Label::Classified, R2, 0);
    program.add(&[add(KIND, PENDING as i32)]);
    program.define(Label::Classified);
    program.jump_if(Label::End, KIND, 0);

    program.define(Label::Record);
    program.add(&[
        load(DW, R1, FILE, inode),
        load(DW, R2, R1, number),
        store(DW, FRAME, RECORD_INODE, R2),
        load(W, R2, TASK, pid),
        store(W, FRAME, RECORD_PID, R2),
        load(W, R2, TASK, thread),
        store(W, FRAME, RECORD_THREAD, R2),
        load(W, R2, CONTEXT, CONTEXT_DESCRIPTOR),
        store(W, FRAME, RECORD_DESCRIPTOR, R2),
        store(W, FRAME, RECORD_KIND, KIND),
    ]);
    write_and_end(&mut program, Label::End, RECORD_INODE, RECORD as i32);
    program.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_are_written() {
        let mut bytes = 200_491_u64.to_ne_bytes().to_vec();
        for word in [4121_u32, 4122, 19, OUTSIDE | PENDING] {
            bytes.extend(word.to_ne_bytes());
        }
        assert_eq!(bytes.len(), RECORD);
        let expected = Record { inode: 200_491, pid: 4121, thread: 4122, descriptor: 19, kind: 3 };
        assert_eq!(record(&bytes), Some(expected));
        assert_eq!(record(&bytes[..RECORD - 1]), None);
    }

    #[test]
    fn every_jump_leads_forward_and_stays_inside() {
        let layout = Layout { function: 1, offsets: (0..19).map(|at| at * 8).collect() };
        let program = assemble(&layout, 3, 64).unwrap();
        let jumps = program
            .iter()
            .enumerate()
            .filter(|(_, one)| matches!(one.code, 0x05 | 0x15 | 0x25 | 0x55 | 0x5d));
        let ends: Vec<usize> = jumps.map(|(at, one)| at + 1 + usize::try_from(one.offset).unwrap()).collect();
        assert_eq!(ends.len(), 17);
        assert!(ends.iter().all(|end| *end <= program.len() - 2), "{ends:?}");
        assert_eq!(assemble(&Layout { function: 1, offsets: vec![8] }, 3, 64), None);
        assert_eq!(assemble(&layout, 3, 0), None);
    }
}
