//! Which inode numbers may be wanted: a bit for each remainder, which a program in the kernel reads without a call. What
//! passes is looked up again outside of the kernel.

/// Bits for each number that is wanted: so many others are held back for one that passes and is not wanted.
const SPARSE: usize = 64;
/// The fewest and the most bytes, powers of two.
const LEAST: usize = 64;
const MOST: usize = 1 << 20;

/// A set of remainders.
pub(in crate::os) struct Filter(Vec<u8>);

impl Filter {
    pub(in crate::os) fn of(numbers: &[u64]) -> Filter {
        let bytes = numbers.len().saturating_mul(SPARSE / 8).clamp(LEAST, MOST).next_power_of_two();
        let mut filter = Filter(vec![0; bytes]);
        for number in numbers {
            let (at, bit) = filter.place(*number);
            if let Some(byte) = filter.0.get_mut(at) {
                *byte |= bit;
            }
        }
        filter
    }

    /// Bit `number & 7` of byte `(number >> 3) & (bytes - 1)`, as the program has it.
    fn place(&self, number: u64) -> (usize, u8) {
        let mask = self.0.len() as u64 - 1;
        // Below the number of bytes.
        let at = usize::try_from((number >> 3) & mask).unwrap_or_default();
        (at, 1 << (number & 7))
    }

    /// A power of two of them.
    pub(in crate::os) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn passes(filter: &Filter, number: u64) -> bool {
        let (at, bit) = filter.place(number);
        filter.bytes()[at] & bit != 0
    }

    #[test]
    fn few_others_pass() {
        let wanted: Vec<u64> = (0..1000).map(|at| 4_000_000 + at * 76).collect();
        let filter = Filter::of(&wanted);
        assert_eq!(filter.bytes().len(), 8192);
        let passing = (4_000_000..4_200_000).filter(|number| passes(&filter, *number)).count();
        assert!(passing < 4000, "{passing}");
        assert!(!passes(&Filter::of(&[]), 7));
        assert_eq!(Filter::of(&vec![1; 2_000_000]).bytes().len(), MOST);
    }

    proptest! {
        #[test]
        fn what_is_wanted_passes(numbers in proptest::collection::vec(any::<u64>(), 0..300)) {
            let filter = Filter::of(&numbers);
            prop_assert!(filter.bytes().len().is_power_of_two());
            prop_assert!(numbers.iter().all(|number| passes(&filter, *number)));
        }
    }
}
