//! A filter of wanted inode numbers: one bit for each remainder, which the program in the kernel reads without a call. A
//! number that passes is verified outside of the kernel.

/// Bits for each wanted number: one in this many unwanted numbers passes.
const SPARSE: usize = 64;
/// The fewest and the most bytes, powers of two.
const LEAST: usize = 64;
const MOST: usize = 1 << 20;

/// A set of remainders.
pub(in crate::os) struct Filter(Vec<u8>);

impl Filter {
    pub(in crate::os) fn new(numbers: &[u64]) -> Filter {
        let bytes = numbers.len().saturating_mul(SPARSE / 8).clamp(LEAST, MOST).next_power_of_two();
        let mut filter = Filter(vec![0; bytes]);
        for number in numbers {
            let (at, bit) = filter.position(*number);
            if let Some(byte) = filter.0.get_mut(at) {
                *byte |= bit;
            }
        }
        filter
    }

    /// Returns bit `number & 7` of byte `(number >> 3) & (bytes - 1)`, as the program computes it.
    fn position(&self, number: u64) -> (usize, u8) {
        let mask = self.0.len() as u64 - 1;
        // It is smaller than the number of bytes.
        let at = usize::try_from((number >> 3) & mask).unwrap_or_default();
        (at, 1 << (number & 7))
    }

    /// Returns the bits; the number of bytes is a power of two.
    pub(in crate::os) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn passes(filter: &Filter, number: u64) -> bool {
        let (at, bit) = filter.position(number);
        filter.bytes()[at] & bit != 0
    }

    #[test]
    fn few_others_pass() {
        let wanted: Vec<u64> = (0..1000).map(|at| 4_000_000 + at * 76).collect();
        let filter = Filter::new(&wanted);
        assert_eq!(filter.bytes().len(), 8192);
        let passing = (4_000_000..4_200_000).filter(|number| passes(&filter, *number)).count();
        assert!(passing < 4000, "{passing}");
        assert!(!passes(&Filter::new(&[]), 7));
        assert_eq!(Filter::new(&vec![1; 2_000_000]).bytes().len(), MOST);
    }

    proptest! {
        #[test]
        fn what_is_wanted_passes(numbers in proptest::collection::vec(any::<u64>(), 0..300)) {
            let filter = Filter::new(&numbers);
            prop_assert!(filter.bytes().len().is_power_of_two());
            prop_assert!(numbers.iter().all(|number| passes(&filter, *number)));
        }
    }
}
