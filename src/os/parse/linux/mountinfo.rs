//! /proc/PID/mountinfo (proc_pid_mountinfo(5)). Pure.

use super::namespace_link;
use super::proc_fd::digits;

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::os) struct MountLine<'a> {
    root: &'a [u8],
    point: &'a [u8],
    /// The type of the file system.
    pub(in crate::os) kind: &'a [u8],
    /// The options of the file system, which are those of the superblock.
    pub(in crate::os) options: &'a [u8],
}

impl MountLine<'_> {
    /// Returns the part of the file system that is mounted: `/` for all of it.
    pub(in crate::os) fn root(&self) -> Vec<u8> {
        unescape(self.root)
    }

    pub(in crate::os) fn point(&self) -> Vec<u8> {
        unescape(self.point)
    }
}

/// Returns the mounts in a table, without lines that are torn.
pub(in crate::os) fn mount_lines(table: &[u8]) -> impl DoubleEndedIterator<Item = MountLine<'_>> {
    let line = |line| {
        let mut fields = <[u8]>::split(line, |byte| *byte == b' ');
        let (root, point) = (fields.nth(3)?, fields.next()?);
        // Mount options, then any number of optional fields, then a hyphen and the type.
        fields.find(|field| *field == b"-")?;
        let kind = fields.next()?;
        Some(MountLine { root, point, kind, options: fields.nth(1).unwrap_or_default() })
    };
    table.split(|byte| *byte == b'\n').filter_map(line)
}

/// Undoes the kernel's escapes: three octal digits for blanks, newlines and backslashes.
fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let (byte, left) = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', left @ ..] => {
                (((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), left)
            }
            _ => (*first, after),
        };
        text.push(byte);
        rest = left;
    }
    text
}

/// Returns the numbers of the mounts in a table: the first word of each line.
pub(in crate::os) fn mount_numbers(table: &[u8]) -> impl Iterator<Item = u64> {
    table.split(|byte| *byte == b'\n').filter_map(|line| digits(line.split(|byte| *byte == b' ').next()?))
}

/// Returns the device of the file system of a mount, which has this number.
pub(in crate::os) fn device_of_mount(table: &[u8], mount: u64) -> Option<(u32, u32)> {
    table.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        if digits(fields.next()?) != Some(mount) {
            return None;
        }
        let (major, minor) = std::str::from_utf8(fields.nth(1)?).ok()?.split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    })
}

/// Returns whether a file system of NFS 4.0 is mounted.
pub(in crate::os) fn has_nfs_4_0(table: &[u8]) -> bool {
    let contains = |line: &[u8], part: &[u8]| line.windows(part.len()).any(|window| window == part);
    let is_4_0 = |line: &[u8]| contains(line, b" - nfs4 ") && contains(line, b"vers=4.0,");
    table.split(|byte| *byte == b'\n').any(is_4_0)
}

/// A mount of a namespace, which keeps it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::os) struct NamespaceMount {
    pub(in crate::os) kind: NamespaceKind,
    pub(in crate::os) number: u64,
    pub(in crate::os) point: Vec<u8>,
}

/// The kinds of namespaces that are searched for among the mounts.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(in crate::os) enum NamespaceKind {
    Network,
    Mount,
}

/// Returns the mounted namespaces: mounts of type `nsfs` whose root is `net:[NUMBER]`.
pub(in crate::os) fn namespace_mounts(table: &[u8]) -> Vec<NamespaceMount> {
    let mount = |line: MountLine<'_>| {
        let (kind, number) = match namespace_link::number(line.root, b"net:[") {
            Some(number) => (NamespaceKind::Network, number),
            None => (NamespaceKind::Mount, namespace_link::number(line.root, b"mnt:[")?),
        };
        (line.kind == b"nsfs").then(|| NamespaceMount { kind, number, point: line.point() })
    };
    mount_lines(table).filter_map(mount).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines() {
        let table = b"22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n\
            32 31 0:30 /a\\134b /c\\040d rw shared:3 master:1 - tmpfs tmpfs rw\n\
            torn line\n40 1 0:38 / /x rw\n40 1 0:38 / /x rw -\n40 1 0:38 / /y rw - proc\n";
        let lines: Vec<_> =
            mount_lines(table).map(|line| (line.root(), line.point(), line.kind, line.options)).collect();
        let line = |root: &[u8], point: &[u8], kind, options| (root.to_vec(), point.to_vec(), kind, options);
        assert_eq!(
            lines,
            [
                line(b"/", b"/", &b"ext4"[..], &b"rw,discard"[..]),
                line(b"/a\\b", b"/c d", b"tmpfs", b"rw"),
                line(b"/", b"/y", b"proc", b""),
            ]
        );
    }

    #[test]
    fn mounts_have_numbers() {
        let table = b"22 1 0:20 / / rw - ext4 /dev/x rw\n23 22 0:21 / /proc rw - proc proc rw\n\nx y";
        assert_eq!(mount_numbers(table).collect::<Vec<_>>(), [22, 23]);
    }

    #[test]
    fn a_mount_has_the_device_of_its_file_system() {
        let table =
            b"22 1 0:25 / / rw,relatime shared:1 - btrfs /dev/vda rw\n30 22 254:3 / /x rw - ext4 y rw\n";
        assert_eq!(device_of_mount(table, 30), Some((254, 3)));
        assert_eq!(device_of_mount(table, 22), Some((0, 25)));
        assert_eq!(device_of_mount(table, 2), None);
        assert_eq!(device_of_mount(b"22 1 x / /\ntorn", 22), None);
    }

    #[test]
    fn mounts_of_nfs() {
        let mount = |kind: &str, version: &str| {
            format!("30 22 0:40 / /srv rw - {kind} server:/ rw,vers={version},proto=tcp\n")
        };
        assert!(has_nfs_4_0(mount("nfs4", "4.0").as_bytes()));
        assert!(!has_nfs_4_0(mount("nfs4", "4.2").as_bytes()));
        assert!(!has_nfs_4_0(mount("nfs", "3").as_bytes()));
    }

    const TABLE: &[u8] = b"22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
        30 22 0:4 net:[4026532000] /run/a\\040b rw shared:3 master:1 - nsfs nsfs rw\n\
        31 22 0:4 mnt:[4026532001] /run/snapd/ns/x.mnt rw - nsfs nsfs rw\n\
        32 22 0:4 uts:[4026532002] /run/uts rw - nsfs nsfs rw\n\
        33 22 0:30 net:[4026532003] /srv rw - tmpfs tmpfs rw\n\
        34 22 0:4 net:[x] /run/x rw - nsfs nsfs rw\n\
        torn line\n";

    #[test]
    fn mounts_of_namespaces() {
        let mount = |kind, number, point: &str| NamespaceMount { kind, number, point: point.into() };
        let expected = [
            mount(NamespaceKind::Network, 4_026_532_000, "/run/a b"),
            mount(NamespaceKind::Mount, 4_026_532_001, "/run/snapd/ns/x.mnt"),
        ];
        assert_eq!(namespace_mounts(TABLE), expected);
    }

    proptest! {
        #[test]
        fn any_table(bytes: Vec<u8>) {
            let lines = mount_lines(&bytes).map(|line| (line.root(), line.point()));
            prop_assert!(lines.count() <= bytes.split(|byte| *byte == b'\n').count());
            let _ = (namespace_mounts(&bytes), device_of_mount(&bytes, 1), has_nfs_4_0(&bytes));
            prop_assert!(unescape(&bytes).len() <= bytes.len());
        }

        #[test]
        fn escaped_as_the_kernel_does(bytes: Vec<u8>) {
            let escape = |byte: &u8| match byte {
                b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
                _ => vec![*byte],
            };
            let escaped: Vec<u8> = bytes.iter().flat_map(escape).collect();
            prop_assert_eq!(unescape(&escaped), bytes);
        }
    }
}
