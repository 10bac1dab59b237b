//! The kernel's type information (BTF; Documentation/bpf/btf.rst in the kernel's sources): the offsets of a few members,
//! and the number of one function. Pure.
//!
//! Custom code, because the crates that read BTF (aya-obj, btf-rs) decode every type into memory, and the search needs a
//! few members. This module makes one pass, compares names in place, and keeps only the positions of structures.

use std::fmt;
use std::io;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
/// Name, info, and size or type.
const TYPE: usize = 12;
const MEMBER: usize = 12;
/// The depth of nested structures without a name, more than the kernel has.
const DEEPEST: usize = 4;

const STRUCT: u32 = 4;
const UNION: u32 = 5;
const FUNC: u32 = 12;
#[cfg(feature = "cli")]
const FUNC_PROTO: u32 = 13;
#[cfg(feature = "cli")]
const TYPEDEF: u32 = 8;

/// The requested parts of the type information.
#[derive(Debug, Clone, Copy)]
pub(in crate::os) struct Wanted<'a> {
    /// A function.
    pub(in crate::os) function: &'a str,
    /// Members of structures, by the names of both.
    pub(in crate::os) members: &'a [(&'a str, &'a str)],
}

/// The numbers and offsets that a BPF program needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Layout {
    /// The function's number.
    pub(in crate::os) function: u32,
    /// The offset of each member in bytes, in the order of the request.
    pub(in crate::os) offsets: Vec<i16>,
}

/// Why the type information has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum BtfError {
    /// It is not BTF of a known version.
    Malformed(&'static str),
    /// It lacks the function or a member.
    Absent,
    /// It has two structures of one name, with the member at different offsets.
    Ambiguous,
}

impl fmt::Display for BtfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BtfError::Malformed(what) => write!(f, "the kernel's type information {what}"),
            BtfError::Absent => f.write_str("the kernel's type information lacks what is needed"),
            BtfError::Ambiguous => f.write_str("the kernel's type information is ambiguous"),
        }
    }
}

impl From<BtfError> for io::Error {
    fn from(fault: BtfError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, fault.to_string())
    }
}

/// Looks up a function and the offsets of members.
///
/// # Errors
/// If the bytes are not BTF of a known version, and if they lack a wanted part.
pub(in crate::os) fn layout(bytes: &[u8], wanted: &Wanted<'_>) -> Result<Layout, BtfError> {
    let file = File::parse(bytes)?;
    let mut function = None;
    let mut members: Vec<Member<'_>> = Vec::new();
    for &(structure, name) in wanted.members {
        members.push(Member { structure, name, offset: None, inside: Vec::new() });
    }
    let mut ambiguous = false;
    let mut structures: Vec<(u32, usize)> = Vec::new();
    // The first letters of the wanted structures.
    let mut letters = [false; 256];
    for letter in wanted.members.iter().filter_map(|(structure, _)| structure.as_bytes().first()) {
        letters.get_mut(usize::from(*letter)).into_iter().for_each(|letter| *letter = true);
    }
    let is_letter =
        |text: &[u8]| text.first().is_some_and(|first| letters.get(usize::from(*first)) == Some(&true));
    file.each(|at, one| match one.kind {
        FUNC if function.is_none() && is_name(file.text(one.name), wanted.function) => {
            function = Some(one.number);
        }
        STRUCT | UNION => {
            structures.push((one.number, at));
            let text = file.text(one.name);
            if one.kind == STRUCT && is_letter(text) {
                for member in members.iter_mut().filter(|member| is_name(text, member.structure)) {
                    ambiguous |= !member.search(&file, &one, 0);
                }
            }
        }
        _ => {}
    })?;
    // A member may be in a structure or union without a name, which is a type of its own and may come earlier.
    for _ in 0..DEEPEST {
        for member in members.iter_mut().filter(|member| member.offset.is_none()) {
            let mut inside = std::mem::take(&mut member.inside);
            // Each type once: a structure may contain it any number of times, and it may contain itself.
            inside.sort_unstable();
            inside.dedup_by_key(|(number, _)| *number);
            for (number, base) in inside {
                let found = structures.binary_search_by_key(&number, |(number, _)| *number).ok();
                let found = found.and_then(|found| structures.get(found));
                if let Some(Ok(one)) = found.map(|(number, at)| file.one(*at, *number)) {
                    ambiguous |= !member.search(&file, &one, base);
                }
            }
        }
    }
    if ambiguous {
        return Err(BtfError::Ambiguous);
    }
    let whole = |member: &Member<'_>| {
        let bits = member.offset?;
        (bits % 8 == 0).then_some(bits / 8).and_then(|bytes| i16::try_from(bytes).ok())
    };
    match (function, members.iter().map(whole).collect()) {
        (Some(function), Some(offsets)) => Ok(Layout { function, offsets }),
        _ => Err(BtfError::Absent),
    }
}

/// A function or a tracepoint of the kernel.
#[cfg(feature = "cli")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) struct AttachPoint {
    /// The number to attach to.
    pub(in crate::os) number: u32,
    /// The number of a function's parameters.
    pub(in crate::os) parameters: usize,
}

/// Looks up functions by their names, and tracepoints by the names of their types (`btf_trace_` and the name), in the
/// order of the request. What the kernel does not have is `None`.
///
/// # Errors
/// If the bytes are not BTF of a known version.
#[cfg(feature = "cli")]
pub(in crate::os) fn attach_points(
    bytes: &[u8],
    names: &[&str],
) -> Result<Vec<Option<AttachPoint>>, BtfError> {
    let file = File::parse(bytes)?;
    // The number of each function and that of its prototype, which may come earlier or later.
    let mut found: Vec<Option<(u32, u32)>> = vec![None; names.len()];
    let mut prototypes: Vec<(u32, usize)> = Vec::new();
    file.each(|_, one| match one.kind {
        FUNC | TYPEDEF => {
            let text = file.text(one.name);
            for (name, found) in names.iter().zip(&mut found) {
                if found.is_none() && is_name(text, name) {
                    *found = Some((one.number, one.size_or_type));
                }
            }
        }
        // Eight bytes for each parameter.
        FUNC_PROTO => prototypes.push((one.number, one.members.len() / 8)),
        _ => {}
    })?;
    let point = |(number, prototype)| {
        let at = prototypes.binary_search_by_key(&prototype, |(number, _)| *number).ok();
        let parameters = at.and_then(|at| prototypes.get(at)).map_or(0, |(_, count)| *count);
        AttachPoint { number, parameters }
    };
    Ok(found.into_iter().map(|found| found.map(point)).collect())
}

/// A wanted member.
struct Member<'a> {
    structure: &'a str,
    name: &'a str,
    /// In bits.
    offset: Option<u32>,
    /// The types without a name that it may be in, with their offsets in bits.
    inside: Vec<(u32, u32)>,
}

impl Member<'_> {
    /// Searches the members of a structure that begins at `base`. Returns false if the member was found at another offset
    /// before.
    fn search(&mut self, file: &File<'_>, one: &Type<'_>, base: u32) -> bool {
        for entry in one.members.chunks_exact(MEMBER) {
            let (Some(name), Some(kind), Some(offset)) = (word(entry, 0), word(entry, 4), word(entry, 8))
            else {
                continue;
            };
            // With the flag the upper byte is the width of a bit field.
            let offset = if one.has_widths { offset & 0x00ff_ffff } else { offset };
            let offset = base.saturating_add(offset);
            if name == 0 {
                self.inside.push((kind, offset));
            } else if is_name(file.text(name), self.name) {
                let known = self.offset.replace(offset);
                return known.is_none_or(|known| known == offset);
            }
        }
        true
    }
}

struct Type<'a> {
    /// Counted from one.
    number: u32,
    kind: u32,
    name: u32,
    /// The size of a structure, or the type that another type refers to.
    #[cfg(feature = "cli")]
    size_or_type: u32,
    has_widths: bool,
    /// The members, if it has any.
    members: &'a [u8],
}

struct File<'a> {
    types: &'a [u8],
    names: &'a [u8],
}

/// A kind whose length is unknown, and so is the position of the next type.
const UNKNOWN: (u8, u8) = (u8::MAX, u8::MAX);
/// The bytes after the first three words of a type, by its kind: a number, and another one for each member. Kinds without
/// a number here are pointers, forward declarations, typedefs, qualifiers, functions, floats and type tags.
const LENGTHS: [(u8, u8); 20] = [
    UNKNOWN,
    (4, 0), // integer
    (0, 0),
    (12, 0), // array
    (0, 12), // structure
    (0, 12), // union
    (0, 8),  // enumeration
    (0, 0),
    (0, 0),
    (0, 0),
    (0, 0),
    (0, 0),
    (0, 0),
    (0, 8),  // parameters
    (4, 0),  // variable
    (0, 12), // section
    (0, 0),
    (4, 0), // declaration tag
    (0, 0),
    (0, 12), // enumeration of 64 bits
];

impl<'a> Type<'a> {
    /// Returns the first of these types, and the bytes of those that follow it. The kernel has more than a hundred thousand
    /// types, so this must take few instructions.
    #[inline(always)]
    fn first(types: &'a [u8], number: u32) -> Result<(Type<'a>, &'a [u8]), BtfError> {
        const SHORT: BtfError = BtfError::Malformed("is cut short");
        let Some((&[n0, n1, n2, n3, i0, i1, i2, i3, _s0, _s1, _s2, _s3], rest)) =
            types.split_first_chunk::<TYPE>()
        else {
            return Err(SHORT);
        };
        let info = u32::from_ne_bytes([i0, i1, i2, i3]);
        let kind = info >> 24 & 0x1f;
        let (fixed, each) = LENGTHS.get(kind as usize).copied().unwrap_or(UNKNOWN);
        if (fixed, each) == UNKNOWN {
            return Err(BtfError::Malformed("has unknown kinds of types"));
        }
        let Some((members, rest)) =
            rest.split_at_checked(usize::from(fixed) + usize::from(each) * (info & 0xffff) as usize)
        else {
            return Err(SHORT);
        };
        let one = Type {
            number,
            kind,
            name: u32::from_ne_bytes([n0, n1, n2, n3]),
            #[cfg(feature = "cli")]
            size_or_type: u32::from_ne_bytes([_s0, _s1, _s2, _s3]),
            has_widths: info >> 31 == 1,
            members,
        };
        Ok((one, rest))
    }
}

impl<'a> File<'a> {
    fn parse(bytes: &'a [u8]) -> Result<File<'a>, BtfError> {
        let short = BtfError::Malformed("is cut short");
        let magic = bytes.first_chunk::<2>().ok_or(short)?;
        if u16::from_ne_bytes(*magic) != MAGIC {
            return Err(BtfError::Malformed("is in another format"));
        }
        if bytes.get(2) != Some(&VERSION) {
            return Err(BtfError::Malformed("is of another version"));
        }
        let number = |at| word(bytes, at).and_then(|number| usize::try_from(number).ok()).ok_or(short);
        let header = number(4)?;
        let section = |begin: usize, length: usize| {
            let begin = header.checked_add(begin)?;
            bytes.get(begin..begin.checked_add(length)?)
        };
        let types = section(number(8)?, number(12)?).ok_or(short)?;
        let names = section(number(16)?, number(20)?).ok_or(short)?;
        Ok(File { types, names })
    }

    /// Calls `what` for each type, with its position.
    fn each(&self, mut what: impl FnMut(usize, Type<'a>)) -> Result<(), BtfError> {
        let (mut rest, mut number) = (self.types, 0u32);
        while !rest.is_empty() {
            number += 1;
            let (one, next) = Type::first(rest, number)?;
            what(self.types.len() - rest.len(), one);
            rest = next;
        }
        Ok(())
    }

    /// Returns the type at this position.
    fn one(&self, at: usize, number: u32) -> Result<Type<'a>, BtfError> {
        Type::first(self.types.get(at..).unwrap_or_default(), number).map(|(one, _)| one)
    }

    /// Returns the names from this one on.
    fn text(&self, at: u32) -> &'a [u8] {
        usize::try_from(at).ok().and_then(|at| self.names.get(at..)).unwrap_or_default()
    }
}

/// Returns whether the text begins with this name. The first letter rules out nearly all names, and costs no call.
#[inline(always)]
fn is_name(text: &[u8], name: &str) -> bool {
    text.first() == name.as_bytes().first()
        && text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|word| u32::from_ne_bytes(*word))
}

#[cfg(test)]
mod tests;
