//! Parses the excluded port ranges of Windows, which Hyper-V, WinNAT and others reserve (a bind in one of them is
//! refused although no process has the port), and the range from which outgoing connections get their ports. netsh
//! prints both in the user's language; only the numbers are read.

use std::ops::RangeInclusive;

use crate::model::Family;

/// A range of ports that Windows lets no process bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExcludedRange {
    pub(crate) ports: RangeInclusive<u16>,
    pub(crate) family: Family,
    /// Whether an administrator added it, so that it stays until one removes it. Services add the others when they
    /// start.
    pub(crate) administered: bool,
}

/// Returns the ranges in the output of `netsh interface ipv4 show excludedportrange`: lines that begin with two
/// numbers, the second of which may be followed by a star (an administered range).
pub(in crate::os) fn parse(text: &[u8], family: Family) -> Vec<ExcludedRange> {
    let line = |line: &[u8]| {
        let mut fields = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let (first, last) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let administered = match fields.next() {
            None => false,
            Some("*") => true,
            Some(_) => return None,
        };
        (first <= last).then_some(ExcludedRange { ports: first..=last, family, administered })
    };
    text.split(|byte| *byte == b'\n').filter_map(line).collect()
}

/// Returns the range in the output of `netsh interface ipv4 show dynamicport`: two lines that end in a colon and a
/// number, the first port and the number of ports.
pub(in crate::os) fn dynamic(text: &[u8]) -> Option<RangeInclusive<u16>> {
    let number = |line: &[u8]| {
        let colon = line.iter().rposition(|byte| *byte == b':')?;
        std::str::from_utf8(line.get(colon + 1..)?).ok()?.trim_ascii().parse::<u32>().ok()
    };
    let mut numbers = text.split(|byte| *byte == b'\n').filter_map(number);
    let (first, count) = (numbers.next()?, numbers.next()?);
    let last = first.checked_add(count)?.checked_sub(1)?;
    let (first, last) = (u16::try_from(first).ok()?, u16::try_from(last).ok()?);
    (numbers.next().is_none() && first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranges(text: &[u8]) -> Vec<(RangeInclusive<u16>, bool)> {
        let found = parse(text, Family::Ipv6);
        assert!(found.iter().all(|range| range.family == Family::Ipv6));
        found.into_iter().map(|range| (range.ports, range.administered)).collect()
    }

    #[test]
    fn numbers_are_read_in_any_language() {
        let english = b"\r\nProtocol tcp Port Exclusion Ranges\r\n\r\nStart Port    End Port\r\n----------    --------\r\n\
            \x20     5357        5357\r\n     49723       49822\r\n     50000       50059     *\r\n\r\n* - Administered port exclusions.\r\n";
        assert_eq!(ranges(english), [(5357..=5357, false), (49723..=49822, false), (50000..=50059, true)]);
        let german =
            "Protokoll tcp-Portausschlussbereiche\n\nStartport Endport\n 80 79\n 1 2 3\n 70000 70001\n7 9\n";
        assert_eq!(ranges(german.as_bytes()), [(7..=9, false)]);
    }

    #[test]
    fn the_dynamic_range_is_a_start_and_a_count() {
        let english = b"\r\nProtocol tcp Dynamic Port Range\r\n---------------------------------\r\n\
            Start Port      : 49152\r\nNumber of Ports : 16384\r\n\r\n";
        assert_eq!(dynamic(english), Some(49152..=65535));
        // A letter that is none in UTF-8, as a console of that language prints it.
        let french = b"Port de d\x82marrage : 1025\nNombre de ports : 64510\n";
        assert_eq!(dynamic(french), Some(1025..=65534));
        for wrong in [&b""[..], b"a: 1\n", b"a: 1\nb: 0\n", b"a: 65535\nb: 2\n", b"a: 1\nb: 2\nc: 3\n"] {
            assert_eq!(dynamic(wrong), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, Family::Ipv4);
            let _ = dynamic(&bytes);
        }
    }
}
