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
    writer.add(&[look, FUNC << 24, 6]);
    writer.add(&[0, 13 << 24 | 2, 1, 0, 1, 0, 2]);
    let tracepoint = writer.name("btf_trace_look");
    writer.add(&[tracepoint, 8 << 24, 1]);
    if !second.is_empty() {
        writer.structure(STRUCT, "inode", second);
    }
    writer.finish()
}

#[test]
fn members_and_functions() {
    assert_eq!(layout(&kernel(&[]), &WANTED), Ok(Layout { function: 5, offsets: vec![24, 4] }));
    assert_eq!(layout(&kernel(&[("mode", 1, 32)]), &WANTED).map(|found| found.offsets), Ok(vec![24, 4]));
    assert_eq!(layout(&kernel(&[("mode", 1, 64)]), &WANTED), Err(BtfError::Ambiguous));
    let absent = Wanted { function: "gone", ..WANTED };
    assert_eq!(layout(&kernel(&[]), &absent), Err(BtfError::Absent));
    let absent = Wanted { members: &[("file", "gone")], ..WANTED };
    assert_eq!(layout(&kernel(&[]), &absent), Err(BtfError::Absent));
}

#[test]
fn other_structures_may_have_a_member_of_that_name() {
    let mut writer = Writer::new();
    writer.structure(STRUCT, "dir", &[("mode", 1, 640)]);
    writer.structure(STRUCT, "inode", &[("mtime", 1, 0), ("mode", 1, 32)]);
    for function in ["lock", "look_up", "look"] {
        let name = writer.name(function);
        writer.add(&[name, FUNC << 24, 6]);
    }
    let wanted = Wanted { members: &[("inode", "mode")], ..WANTED };
    assert_eq!(layout(&writer.finish(), &wanted), Ok(Layout { function: 5, offsets: vec![4] }));
    let mut union = Writer::new();
    union.structure(UNION, "inode", &[("mode", 1, 32)]);
    let look = union.name("look");
    union.add(&[look, FUNC << 24, 6]);
    assert_eq!(layout(&union.finish(), &wanted), Err(BtfError::Absent), "a union is no structure");
}

#[test]
fn the_width_of_a_bit_field_is_no_part_of_its_offset() {
    let mut writer = Writer::new();
    let (inode, mode, look) = (writer.name("inode"), writer.name("mode"), writer.name("look"));
    writer.add(&[inode, 1 << 31 | STRUCT << 24 | 1, 64, mode, 1, 16 << 24 | 32]);
    writer.add(&[look, FUNC << 24, 6]);
    let wanted = Wanted { members: &[("inode", "mode")], ..WANTED };
    assert_eq!(layout(&writer.finish(), &wanted), Ok(Layout { function: 2, offsets: vec![4] }));
}

/// The lengths are those of Documentation/bpf/btf.rst.
#[test]
fn every_kind_of_type_has_its_length() {
    let mut writer = Writer::new();
    for (kind, count, length) in [
        (1, 0, 1),
        (2, 0, 0),
        (3, 0, 3),
        (STRUCT, 2, 6),
        (UNION, 2, 6),
        (6, 2, 4),
        (7, 0, 0),
        (8, 0, 0),
        (9, 0, 0),
        (10, 0, 0),
        (11, 0, 0),
        (13, 2, 4),
        (14, 0, 1),
        (15, 2, 6),
        (16, 0, 0),
        (17, 0, 1),
        (18, 0, 0),
        (19, 2, 6),
    ] {
        writer.add(&[0, kind << 24 | count, 0]);
        writer.add(&vec![0; length]);
    }
    let look = writer.name("look");
    writer.add(&[look, FUNC << 24, 6]);
    let wanted = Wanted { members: &[], ..WANTED };
    assert_eq!(layout(&writer.finish(), &wanted), Ok(Layout { function: 19, offsets: vec![] }));
}

#[test]
fn errors_state_what_is_wrong() {
    let texts = [BtfError::Malformed("is cut short"), BtfError::Absent, BtfError::Ambiguous]
        .map(|error| io::Error::from(error).to_string());
    assert_eq!(
        texts,
        [
            "the kernel's type information is cut short",
            "the kernel's type information lacks what is needed",
            "the kernel's type information is ambiguous",
        ]
    );
}

#[cfg(feature = "cli")]
#[test]
fn functions_have_parameters() {
    let found = attach_points(&kernel(&[]), &["gone", "look", "btf_trace_look"]);
    let point = |number, parameters| Some(AttachPoint { number, parameters });
    assert_eq!(found, Ok(vec![None, point(5, 2), point(7, 0)]));
}

#[test]
fn incomplete_types_are_refused() {
    let whole = kernel(&[]);
    for end in 0..whole.len() {
        assert!(layout(&whole[..end], &WANTED).is_err(), "cut at {end}");
    }
    let mut unknown = Writer::new();
    unknown.add(&[0, 31 << 24, 0]);
    assert!(matches!(layout(&unknown.finish(), &WANTED), Err(BtfError::Malformed(_))));
}

#[test]
fn a_recursive_structure_ends() {
    let mut writer = Writer::new();
    writer.structure(STRUCT, "file", &[("", 1, 0); 60_000]);
    assert_eq!(layout(&writer.finish(), &WANTED), Err(BtfError::Absent));
    let mut writer = Writer::new();
    writer.structure(STRUCT, "file", &[("", 2, 0)]);
    writer.structure(STRUCT, "", &[("", 2, 0); 60_000]);
    assert_eq!(layout(&writer.finish(), &WANTED), Err(BtfError::Absent));
}

proptest! {
    #[test]
    fn any_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = layout(&bytes, &WANTED);
    }

    #[test]
    fn any_change_does_not_panic(at in 0usize..400, to in any::<u8>()) {
        let mut bytes = kernel(&[("mode", 1, 32)]);
        let length = bytes.len();
        bytes[at % length] = to;
        let _ = layout(&bytes, &WANTED);
    }
}
