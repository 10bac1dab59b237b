//! Trees from iterators, in little code.

use std::collections::{BTreeMap, BTreeSet};

/// Collects items into a tree by inserting one after the other.
///
/// The standard library's `collect` sorts them first, which is compiled for each pair of types: 5 kB of machine code
/// each, for trees that rarely have more than a few dozen entries.
pub(crate) trait CollectTree: Iterator + Sized {
    /// Collects into a set.
    fn collect_set(self) -> BTreeSet<Self::Item>
    where
        Self::Item: Ord,
    {
        let mut set = BTreeSet::new();
        self.for_each(|item| {
            set.insert(item);
        });
        set
    }

    /// Collects pairs into a map. A later value of a key replaces an earlier one.
    fn collect_map<K: Ord, V>(self) -> BTreeMap<K, V>
    where
        Self: Iterator<Item = (K, V)>,
    {
        let mut map = BTreeMap::new();
        self.for_each(|(key, value)| {
            map.insert(key, value);
        });
        map
    }
}

impl<I: Iterator> CollectTree for I {}
