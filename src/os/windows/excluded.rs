//! Windows' excluded port ranges, which Hyper-V, WinNAT and others take for themselves: a bind in one of them is
//! refused though nothing has the port. The list is printed in the user's language; only its numbers are read.

use std::ops::RangeInclusive;

/// The ranges in what `netsh interface ipv4 show excludedportrange` prints: lines that begin with two numbers, of which
/// the second may be followed by a star (an administered range).
pub(in crate::os) fn parse(text: &[u8]) -> Vec<RangeInclusive<u16>> {
    let line = |line: &[u8]| {
        let mut fields = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let (first, last) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let ends = fields.next().is_none_or(|mark| mark == "*");
        (ends && first <= last).then_some(first..=last)
    };
    text.split(|byte| *byte == b'\n').filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_in_any_language() {
        let english = b"\r\nProtocol tcp Port Exclusion Ranges\r\n\r\nStart Port    End Port\r\n----------    --------\r\n\
            \x20     5357        5357\r\n     49723       49822\r\n     50000       50059     *\r\n\r\n* - Administered port exclusions.\r\n";
        assert_eq!(parse(english), [5357..=5357, 49723..=49822, 50000..=50059]);
        let german =
            "Protokoll tcp-Portausschlussbereiche\n\nStartport Endport\n 80 79\n 1 2 3\n 70000 70001\n7 9\n";
        assert_eq!(parse(german.as_bytes()), [7..=9]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
