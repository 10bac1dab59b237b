//! The set of known network namespaces, which the program in the kernel reads: one bit for each number. A number that the
//! set has no bit for counts as unknown.

/// The number of the first bit: the kernel gives numbers from 0xf0000000 on (PROC_DYNAMIC_FIRST in its
/// fs/proc/generic.c), and those of the first namespaces are a little lower (linux/nsfs.h).
pub(super) const FIRST: u32 = 0xf000_0000 - 64;
/// The fewest and the most bytes.
const LEAST: usize = 64;
const MOST: usize = 64 << 10;

/// A set of numbers.
pub(in crate::os) struct KnownNamespaces(Vec<u8>);

impl KnownNamespaces {
    pub(in crate::os) fn new(numbers: impl Iterator<Item = u64>) -> KnownNamespaces {
        let mut bits = vec![0; LEAST];
        for number in numbers {
            let Some((at, bit)) = position(number).filter(|(at, _)| *at < MOST) else { continue };
            if at >= bits.len() {
                bits.resize((at + 1).next_power_of_two(), 0);
            }
            if let Some(byte) = bits.get_mut(at) {
                *byte |= bit;
            }
        }
        KnownNamespaces(bits)
    }

    /// Returns the bits.
    pub(in crate::os) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Returns the byte and the bit of a number, as the program computes them.
fn position(number: u64) -> Option<(usize, u8)> {
    let from_first = u32::try_from(number).ok()?.wrapping_sub(FIRST);
    Some((usize::try_from(from_first >> 3).ok()?, 1 << (from_first & 7)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn has(known: &KnownNamespaces, number: u64) -> bool {
        position(number).and_then(|(at, bit)| Some(known.bytes().get(at)? & bit != 0)).unwrap_or(false)
    }

    #[test]
    fn numbers_of_a_machine_are_in_the_set() {
        let numbers = [4_026_531_833, 4_026_531_840, 4_026_532_178, 4_026_900_000];
        let known = KnownNamespaces::new(numbers.into_iter());
        for number in numbers {
            assert!(has(&known, number), "{number}");
            assert!(!has(&known, number + 1), "{number}");
        }
        assert_eq!(known.bytes().len(), MOST);
        assert_eq!(KnownNamespaces::new([4_026_532_178].into_iter()).bytes().len(), LEAST);
    }

    proptest! {
        #[test]
        fn an_unknown_number_is_never_in_the_set(numbers: Vec<u64>, near in proptest::collection::vec(0_u64..600_000, 0..50), other: u64) {
            let numbers: Vec<u64> = numbers.into_iter().chain(near.into_iter().map(|at| at + u64::from(FIRST))).collect();
            let known = KnownNamespaces::new(numbers.iter().copied());
            prop_assert!(numbers.contains(&other) || !has(&known, other));
            let beside: Vec<u64> = numbers.iter().map(|number| number.wrapping_add(1)).collect();
            prop_assert!(beside.iter().all(|number| numbers.contains(number) || !has(&known, *number)));
            prop_assert!(known.bytes().len() <= MOST);
        }
    }
}
