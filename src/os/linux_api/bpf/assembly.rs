//! Instructions of BPF and forward jumps, for the programs that this crate assembles: a compiler for BPF is no part of a
//! Rust toolchain.

/// One instruction (struct bpf_insn in linux/bpf.h).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) struct Instruction {
    pub(in crate::os) code: u8,
    registers: u8,
    pub(in crate::os) offset: i16,
    immediate: i32,
}

// Registers: the result, the arguments, four that survive calls, the frame.
pub(in crate::os) const R0: u8 = 0;
pub(in crate::os) const R1: u8 = 1;
pub(in crate::os) const R2: u8 = 2;
pub(in crate::os) const R3: u8 = 3;
pub(in crate::os) const R4: u8 = 4;
pub(in crate::os) const R6: u8 = 6;
pub(in crate::os) const R7: u8 = 7;
pub(in crate::os) const R8: u8 = 8;
pub(in crate::os) const R9: u8 = 9;
pub(in crate::os) const FRAME: u8 = 10;

// Widths of a load or a store.
pub(in crate::os) const W: u8 = 0x00;
pub(in crate::os) const H: u8 = 0x08;
pub(in crate::os) const B: u8 = 0x10;
pub(in crate::os) const DW: u8 = 0x18;

pub(in crate::os) const fn instruction(
    code: u8,
    to: u8,
    from: u8,
    offset: i16,
    immediate: i32,
) -> Instruction {
    let registers = if cfg!(target_endian = "big") { to << 4 | from } else { from << 4 | to };
    Instruction { code, registers, offset, immediate }
}

pub(in crate::os) const fn load(width: u8, to: u8, from: u8, offset: i16) -> Instruction {
    instruction(0x61 | width, to, from, offset, 0)
}

pub(in crate::os) const fn store(width: u8, to: u8, offset: i16, from: u8) -> Instruction {
    instruction(0x63 | width, to, from, offset, 0)
}

pub(in crate::os) const fn copy(to: u8, from: u8) -> Instruction {
    instruction(0xbf, to, from, 0, 0)
}

pub(in crate::os) const fn set(to: u8, value: i32) -> Instruction {
    instruction(0xb7, to, 0, 0, value)
}

pub(in crate::os) const fn add(to: u8, value: i32) -> Instruction {
    instruction(0x07, to, 0, 0, value)
}

pub(in crate::os) const fn and(to: u8, value: i32) -> Instruction {
    instruction(0x57, to, 0, 0, value)
}

pub(in crate::os) const fn shift_right(to: u8, bits: i32) -> Instruction {
    instruction(0x77, to, 0, 0, bits)
}

/// Returns the load of a 64-bit constant: two instructions.
pub(in crate::os) const fn wide(to: u8, kind: u8, value: u64) -> [Instruction; 2] {
    [
        instruction(0x18, to, kind, 0, value as u32 as i32),
        instruction(0, 0, 0, 0, (value >> 32) as u32 as i32),
    ]
}

pub(in crate::os) const fn call(helper: i32) -> Instruction {
    instruction(0x85, 0, 0, 0, helper)
}

/// A program with forward jumps to labels that come later.
pub(in crate::os) struct Assembly<L> {
    instructions: Vec<Instruction>,
    jumps: Vec<(usize, L)>,
    labels: Vec<(L, usize)>,
}

impl<L: Copy + PartialEq> Assembly<L> {
    pub(in crate::os) fn new() -> Assembly<L> {
        Assembly { instructions: Vec::new(), jumps: Vec::new(), labels: Vec::new() }
    }

    pub(in crate::os) fn add(&mut self, instructions: &[Instruction]) {
        self.instructions.extend_from_slice(instructions);
    }

    pub(in crate::os) fn jump(&mut self, to: L, instruction: Instruction) {
        self.jumps.push((self.instructions.len(), to));
        self.instructions.push(instruction);
    }

    pub(in crate::os) fn jump_if(&mut self, to: L, register: u8, value: i32) {
        self.jump(to, instruction(0x15, register, 0, 0, value));
    }

    pub(in crate::os) fn jump_unless(&mut self, to: L, register: u8, value: i32) {
        self.jump(to, instruction(0x55, register, 0, 0, value));
    }

    pub(in crate::os) fn define(&mut self, place: L) {
        self.labels.push((place, self.instructions.len()));
    }

    pub(in crate::os) fn finish(mut self) -> Option<Vec<Instruction>> {
        for (at, to) in self.jumps {
            let (_, end) = self.labels.iter().find(|(place, _)| *place == to)?;
            self.instructions.get_mut(at)?.offset = i16::try_from(end.checked_sub(at + 1)?).ok()?;
        }
        Some(self.instructions)
    }
}
