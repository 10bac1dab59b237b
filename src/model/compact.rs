//! Sorting and collecting in little machine code, for the many lists that have few entries, and converting long lists in
//! little memory.
//!
//! The standard library compiles its stable sort for each pair of an element and a closure, and for each type of tree
//! that is collected: 5 kB each, and half a megabyte in this program. Where thousands of entries are sorted, the standard
//! library's functions are used, which are faster.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Sorts a slice through a list of places, which has one type for all slices.
pub(crate) trait CompactSort {
    /// The type of an element.
    type Element;

    /// Sorts by an order. Equal elements keep their order.
    fn compact_sort_by(&mut self, order: impl Fn(&Self::Element, &Self::Element) -> Ordering);

    /// Sorts by a key, which is computed at each comparison. Elements with the same key keep their order.
    fn compact_sort_by_key<K: Ord>(&mut self, key: impl Fn(&Self::Element) -> K) {
        self.compact_sort_by(|one, other| key(one).cmp(&key(other)));
    }
}

impl<T> CompactSort for [T] {
    type Element = T;

    fn compact_sort_by(&mut self, order: impl Fn(&T, &T) -> Ordering) {
        if self.len() < 2 {
            return;
        }
        let mut places: Vec<usize> = (0..self.len()).collect();
        sort_places(&mut places, &|one, other| match (self.get(one), self.get(other)) {
            (Some(one), Some(other)) => order(one, other),
            _ => Ordering::Equal,
        });
        for at in 0..places.len() {
            // An element that was at a place before `at` has been swapped to where that place's element came from.
            let mut from = at;
            loop {
                from = places.get(from).copied().unwrap_or(at);
                if from >= at {
                    break;
                }
            }
            if let Some(place) = places.get_mut(at) {
                *place = from;
            }
            self.swap(at, from);
        }
    }
}

/// The only sort that is compiled for all of these slices.
fn sort_places(places: &mut [usize], order: &dyn Fn(usize, usize) -> Ordering) {
    places.sort_by(|one, other| order(*one, *other));
}

/// Collects items into a tree by inserting one after the other, where `collect` would sort them first.
pub(crate) trait CompactCollect: Iterator + Sized {
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

impl<I: Iterator> CompactCollect for I {}

/// The elements after which memory is returned.
const RETURNED: usize = 4096;

/// Converts a long list, and returns the memory of what is converted while that of the result grows.
pub(crate) fn convert<A, B>(from: Vec<A>, mut convert: impl FnMut(A) -> B) -> Vec<B> {
    let mut from = from;
    let mut to = Vec::with_capacity(from.len());
    // A vector gives back its end, so the last one comes first.
    while let Some(one) = from.pop() {
        if from.len().is_multiple_of(RETURNED) {
            from.shrink_to_fit();
        }
        to.push(convert(one));
    }
    to.reverse();
    to
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_sorts_as_the_standard_library_does(entries: Vec<(u8, u16)>) {
            let (mut compact, mut standard) = (entries.clone(), entries);
            compact.compact_sort_by_key(|entry| entry.0);
            standard.sort_by_key(|entry| entry.0);
            prop_assert_eq!(compact, standard);
        }

        #[test]
        fn a_list_is_converted_in_order(list: Vec<u16>) {
            prop_assert_eq!(convert(list.clone(), u32::from), list.into_iter().map(u32::from).collect::<Vec<_>>());
        }

        #[test]
        fn it_collects_as_the_standard_library_does(entries: Vec<(u8, u16)>) {
            prop_assert_eq!(entries.iter().copied().collect_set(), entries.iter().copied().collect::<BTreeSet<_>>());
            prop_assert_eq!(entries.iter().copied().collect_map(), entries.into_iter().collect::<BTreeMap<_, _>>());
        }
    }
}
