//! The kernel's type information (BTF; Documentation/bpf/btf.rst in the kernel's sources): where a few fields are,
//! and the number of one function. Pure: bytes go in, and any bytes are survived.
//!
//! One pass over the types; names are compared where they stand, and where structures are is kept for those that stand
//! in others.

use std::fmt;
use std::io;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
/// Name, info, and size or type.
const TYPE: usize = 12;
const MEMBER: usize = 12;
/// Structures without a name in one another, deeper than any in the kernel.
const DEEPEST: usize = 4;

const STRUCT: u32 = 4;
const UNION: u32 = 5;
const FUNC: u32 = 12;

/// What is wanted of the type information.
#[derive(Debug, Clone, Copy)]
pub(in crate::os) struct Wanted<'a> {
    /// A function.
    pub(in crate::os) function: &'a str,
    /// Members of structures, by the names of both.
    pub(in crate::os) members: &'a [(&'a str, &'a str)],
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) struct Layout {
    /// The function's number.
    pub(in crate::os) function: u32,
    /// Where each member begins, in bytes, in the order of the question.
    pub(in crate::os) offsets: Vec<i16>,
}

/// Why it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) enum Fault {
    /// It is no type information of the version known here.
    Malformed(&'static str),
    /// It does not say what was asked.
    Absent,
    /// It knows two structures of one name, with the member at different places.
    Ambiguous,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Malformed(what) => write!(f, "the kernel's type information {what}"),
            Fault::Absent => f.write_str("the kernel's type information lacks what is needed"),
            Fault::Ambiguous => f.write_str("the kernel's type information is ambiguous"),
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, fault.to_string())
    }
}

/// Looks up what is wanted.
///
/// # Errors
/// Where the bytes are no type information, or do not have all of it.
pub(in crate::os) fn layout(bytes: &[u8], wanted: &Wanted<'_>) -> Result<Layout, Fault> {
    let file = File::of(bytes)?;
    let mut function = None;
    let mut places: Vec<Place<'_>> = Vec::new();
    for &(structure, name) in wanted.members {
        places.push(Place { structure, name, offset: None, inside: Vec::new() });
    }
    let mut ambiguous = false;
    let mut structures: Vec<(u32, u32)> = Vec::new();
    file.each(|at, one| match one.kind {
        FUNC if function.is_none() && is(file.text(one.name), wanted.function) => {
            function = Some(one.number);
        }
        STRUCT | UNION => {
            structures.push((one.number, at));
            let text = file.text(one.name);
            for place in &mut places {
                if one.kind == STRUCT && is(text, place.structure) {
                    ambiguous |= !place.search(&file, &one, 0);
                }
            }
        }
        _ => {}
    })?;
    // Members may stand in a structure or union without a name: those are types of their own, which may come before.
    for _ in 0..DEEPEST {
        for place in places.iter_mut().filter(|place| place.offset.is_none()) {
            let mut inside = std::mem::take(&mut place.inside);
            // Each type once: it may stand in one structure any number of times, and in itself.
            inside.sort_unstable();
            inside.dedup_by_key(|(number, _)| *number);
            for (number, base) in inside {
                let found = structures.binary_search_by_key(&number, |(number, _)| *number).ok();
                let found = found.and_then(|found| structures.get(found));
                if let Some(Ok((one, _))) = found.map(|(number, at)| file.one(*at, *number)) {
                    ambiguous |= !place.search(&file, &one, base);
                }
            }
        }
    }
    if ambiguous {
        return Err(Fault::Ambiguous);
    }
    let whole = |place: &Place<'_>| {
        let bits = place.offset?;
        (bits % 8 == 0).then_some(bits / 8).and_then(|bytes| i16::try_from(bytes).ok())
    };
    match (function, places.iter().map(whole).collect()) {
        (Some(function), Some(offsets)) => Ok(Layout { function, offsets }),
        _ => Err(Fault::Absent),
    }
}

/// A member that is looked for.
struct Place<'a> {
    structure: &'a str,
    name: &'a str,
    /// In bits.
    offset: Option<u32>,
    /// Types without a name that it may be in, with where they begin in bits.
    inside: Vec<(u32, u32)>,
}

impl Place<'_> {
    /// Looks through the members of a structure that begins at `base`. False where the member was found elsewhere
    /// before.
    fn search(&mut self, file: &File<'_>, one: &Type<'_>, base: u32) -> bool {
        for member in one.members.chunks_exact(MEMBER) {
            let (Some(name), Some(kind), Some(offset)) = (word(member, 0), word(member, 4), word(member, 8))
            else {
                continue;
            };
            // With the flag the upper byte is the width of a bit field.
            let offset = if one.has_widths { offset & 0x00ff_ffff } else { offset };
            let offset = base.saturating_add(offset);
            if name == 0 {
                self.inside.push((kind, offset));
            } else if is(file.text(name), self.name) {
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
    has_widths: bool,
    /// What follows: members, where it has any.
    members: &'a [u8],
}

struct File<'a> {
    types: &'a [u8],
    names: &'a [u8],
}

impl<'a> File<'a> {
    fn of(bytes: &'a [u8]) -> Result<File<'a>, Fault> {
        let short = Fault::Malformed("is cut short");
        let magic = bytes.first_chunk::<2>().ok_or(short)?;
        if u16::from_ne_bytes(*magic) != MAGIC {
            return Err(Fault::Malformed("is in another format"));
        }
        if bytes.get(2) != Some(&VERSION) {
            return Err(Fault::Malformed("is of another version"));
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

    /// All types, each with the place where it begins.
    fn each(&self, mut what: impl FnMut(u32, Type<'a>)) -> Result<(), Fault> {
        let (mut at, mut number) = (0, 0u32);
        while usize::try_from(at).is_ok_and(|at| at < self.types.len()) {
            number += 1;
            let (one, next) = self.one(at, number)?;
            what(at, one);
            at = next;
        }
        Ok(())
    }

    /// The type that begins at this place, and where the next one does.
    fn one(&self, at: u32, number: u32) -> Result<(Type<'a>, u32), Fault> {
        let short = Fault::Malformed("is cut short");
        let rest = usize::try_from(at).ok().and_then(|at| self.types.get(at..)).ok_or(short)?;
        let (Some(name), Some(info)) = (word(rest, 0), word(rest, 4)) else {
            return Err(short);
        };
        let kind = info >> 24 & 0x1f;
        let count = (info & 0xffff) as usize;
        let size = match kind {
            // Pointers, forward declarations, typedefs, qualifiers, functions, floats, type tags.
            2 | 7..=12 | 16 | 18 => 0,
            // Integers, variables, declaration tags.
            1 | 14 | 17 => 4,
            // Enumerations, parameters.
            6 | 13 => count * 8,
            // Arrays.
            3 => 12,
            // Structures, unions, sections, enumerations of 64 bits.
            STRUCT | UNION | 15 | 19 => count * MEMBER,
            // Its length is not known, and so is not where the next one begins.
            _ => return Err(Fault::Malformed("has kinds of types that are not known here")),
        };
        let members = rest.get(TYPE..TYPE + size).ok_or(short)?;
        let next = u32::try_from(TYPE + size).ok().and_then(|length| at.checked_add(length)).ok_or(short)?;
        Ok((Type { number, kind, name, has_widths: info >> 31 == 1, members }, next))
    }

    /// The names from this one on.
    fn text(&self, at: u32) -> &'a [u8] {
        usize::try_from(at).ok().and_then(|at| self.names.get(at..)).unwrap_or_default()
    }
}

/// Whether names begin with this one. The first letter tells nearly all of them apart, and costs no call.
fn is(text: &[u8], name: &str) -> bool {
    text.first() == name.as_bytes().first()
        && text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|word| u32::from_ne_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Writes type information as the format's description says.
    struct Writer {
        types: Vec<u8>,
        names: Vec<u8>,
    }

    impl Writer {
        fn new() -> Writer {
            Writer { types: Vec::new(), names: vec![0] }
        }

        fn name(&mut self, name: &str) -> u32 {
            if name.is_empty() {
                return 0;
            }
            let at = self.names.len() as u32;
            self.names.extend(name.as_bytes());
            self.names.push(0);
            at
        }

        fn add(&mut self, words: &[u32]) {
            self.types.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        }

        fn structure(&mut self, kind: u32, name: &str, members: &[(&str, u32, u32)]) {
            let name = self.name(name);
            self.add(&[name, kind << 24 | members.len() as u32, 64]);
            for (member, kind, offset) in members {
                let member = self.name(member);
                self.add(&[member, *kind, *offset]);
            }
        }

        fn finish(self) -> Vec<u8> {
            let mut bytes = MAGIC.to_ne_bytes().to_vec();
            bytes.extend([VERSION, 0]);
            let types = self.types.len() as u32;
            let words = [24, 0, types, types, self.names.len() as u32];
            bytes.extend(words.iter().flat_map(|length: &u32| length.to_ne_bytes()));
            bytes.extend(self.types);
            bytes.extend(self.names);
            bytes
        }
    }

    const WANTED: Wanted<'_> = Wanted { function: "look", members: &[("file", "inode"), ("inode", "mode")] };

    fn kernel(second: &[(&str, u32, u32)]) -> Vec<u8> {
        let mut writer = Writer::new();
        let integer = writer.name("int");
        writer.add(&[integer, 1 << 24, 4, 32]);
        writer.structure(STRUCT, "inode", &[("flags", 1, 0), ("mode", 1, 32)]);
        writer.structure(UNION, "", &[("inode", 1, 64), ("other", 1, 0)]);
        writer.structure(STRUCT, "file", &[("count", 1, 0), ("", 3, 128)]);
        let look = writer.name("look");
        writer.add(&[look, FUNC << 24, 0]);
        if !second.is_empty() {
            writer.structure(STRUCT, "inode", second);
        }
        writer.finish()
    }

    #[test]
    fn members_and_functions() {
        assert_eq!(layout(&kernel(&[]), &WANTED), Ok(Layout { function: 5, offsets: vec![24, 4] }));
        assert_eq!(layout(&kernel(&[("mode", 1, 32)]), &WANTED).map(|found| found.offsets), Ok(vec![24, 4]));
        assert_eq!(layout(&kernel(&[("mode", 1, 64)]), &WANTED), Err(Fault::Ambiguous));
        let absent = Wanted { function: "gone", ..WANTED };
        assert_eq!(layout(&kernel(&[]), &absent), Err(Fault::Absent));
        let absent = Wanted { members: &[("file", "gone")], ..WANTED };
        assert_eq!(layout(&kernel(&[]), &absent), Err(Fault::Absent));
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let whole = kernel(&[]);
        for end in 0..whole.len() {
            assert!(layout(&whole[..end], &WANTED).is_err(), "cut at {end}");
        }
        let mut unknown = Writer::new();
        unknown.add(&[0, 31 << 24, 0]);
        assert!(matches!(layout(&unknown.finish(), &WANTED), Err(Fault::Malformed(_))));
    }

    #[test]
    fn a_structure_that_is_full_of_itself_is_no_trap() {
        let mut writer = Writer::new();
        writer.structure(STRUCT, "file", &[("", 1, 0); 60_000]);
        assert_eq!(layout(&writer.finish(), &WANTED), Err(Fault::Absent));
        let mut writer = Writer::new();
        writer.structure(STRUCT, "file", &[("", 2, 0)]);
        writer.structure(STRUCT, "", &[("", 2, 0); 60_000]);
        assert_eq!(layout(&writer.finish(), &WANTED), Err(Fault::Absent));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = layout(&bytes, &WANTED);
        }

        #[test]
        fn any_change_is_survived(at in 0usize..400, to in any::<u8>()) {
            let mut bytes = kernel(&[("mode", 1, 32)]);
            let length = bytes.len();
            bytes[at % length] = to;
            let _ = layout(&bytes, &WANTED);
        }
    }
}
