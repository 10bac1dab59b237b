//! Pairs the listeners of one address in two snapshots. There may be tens of thousands (SO_REUSEPORT, unnamed Unix
//! sockets), so each step uses an index instead of comparing all pairs.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;

use super::context::{CompareContext, Identity, Key};
use crate::model::{Endpoint, Holder, Listener};

/// Returns pairs of indexes into `old` and `new`: listeners with the same socket, then with the same holders, then with
/// a holder in common, then the rest. In each step every listener of `new`, in order, gets the first one of `old` that
/// has no partner yet.
pub(super) fn pairs(old: &[&Listener], new: &[&Listener], context: CompareContext) -> Vec<(usize, usize)> {
    let mut pairing =
        Pairing { partners: vec![false; old.len()], left: (0..new.len()).collect(), pairs: Vec::new() };
    if context.same_machine {
        let mut by_inode: HashMap<u64, Candidates> = HashMap::new();
        for (at, before) in old.iter().enumerate() {
            if let Some(inode) = before.socket.inode {
                by_inode.entry(inode).or_default().0.push_back(at);
            }
        }
        pairing.step(|at, partners| by_inode.get_mut(&new.get(at)?.socket.inode?)?.first(partners));
    }
    let mut alike: Index<Vec<Key<'_>>, Vec<Identity<'_>>, &Listener> = Index::default();
    for (at, before) in old.iter().enumerate().filter(|(_, before)| !before.holders.is_empty()) {
        let (keys, identities) = (context.keys(&before.holders), context.identities(&before.holders));
        alike.insert(keys, identities, before, at);
    }
    pairing.step(|at, partners| {
        let after = new.get(at)?;
        alike.first(&context.keys(&after.holders), |before| context.are_held_alike(before, after), partners)
    });
    let mut holders: Index<Key<'_>, Identity<'_>, &Holder> = Index::default();
    for (at, before) in old.iter().enumerate() {
        for holder in &before.holders {
            holders.insert(context.key(holder), context.identity(holder), holder, at);
        }
    }
    pairing.step(|at, partners| {
        let of_each = new.get(at)?.holders.iter().filter_map(|holder| {
            holders.first(&context.key(holder), |before| context.is_same(before, holder), partners)
        });
        of_each.min()
    });
    let mut rest = Candidates(
        old.iter().enumerate().filter(|(_, before)| is_comparable(before)).map(|(at, _)| at).collect(),
    );
    pairing.step(|_, partners| rest.first(partners));
    pairing.pairs
}

/// Returns whether a listener may be paired without anything in common. Unnamed Unix sockets with inodes may not.
fn is_comparable(listener: &Listener) -> bool {
    listener.socket.inode.is_none() || !matches!(listener.socket.endpoint, Endpoint::Unix { path: None })
}

/// The pairs so far.
struct Pairing {
    /// Whether each of the old listeners has a partner.
    partners: Vec<bool>,
    /// The indexes of the new listeners without a partner.
    left: Vec<usize>,
    pairs: Vec<(usize, usize)>,
}

impl Pairing {
    /// Pairs each new listener without a partner with the old one that `find` returns.
    fn step(&mut self, mut find: impl FnMut(usize, &[bool]) -> Option<usize>) {
        let (partners, pairs) = (&mut self.partners, &mut self.pairs);
        self.left.retain(|new| {
            let Some(old) = find(*new, partners) else { return true };
            if let Some(partner) = partners.get_mut(old) {
                *partner = true;
            }
            pairs.push((old, *new));
            false
        });
    }
}

/// Indexes of old listeners that are equivalent in a step, in order.
#[derive(Default)]
struct Candidates(VecDeque<usize>);

impl Candidates {
    /// Returns the first one without a partner, and drops those before it.
    fn first(&mut self, partners: &[bool]) -> Option<usize> {
        while self.0.front().is_some_and(|at| partners.get(*at) == Some(&true)) {
            self.0.pop_front();
        }
        self.0.front().copied()
    }
}

/// Old listeners, indexed by a key that matching ones share. An unknown value matches every value, so the key alone
/// does not decide; but those with one identity match the same listeners.
struct Index<K, I, E> {
    groups: HashMap<K, BTreeMap<I, (E, Candidates)>>,
}

impl<K, I, E> Default for Index<K, I, E> {
    fn default() -> Self {
        Index { groups: HashMap::new() }
    }
}

impl<K: Eq + Hash, I: Ord, E> Index<K, I, E> {
    fn insert(&mut self, key: K, identity: I, example: E, at: usize) {
        let (_, candidates) = self
            .groups
            .entry(key)
            .or_default()
            .entry(identity)
            .or_insert_with(|| (example, Candidates::default()));
        candidates.0.push_back(at);
    }

    fn first(&mut self, key: &K, matches: impl Fn(&E) -> bool, partners: &[bool]) -> Option<usize> {
        let groups = self.groups.get_mut(key)?.values_mut();
        groups.filter_map(|(example, group)| matches(example).then(|| group.first(partners))?).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::listener;
    use super::*;
    use crate::compare::context::COMPARED;

    /// The reference: compares all pairs.
    fn all_pairs(old: &[&Listener], new: &[&Listener], context: CompareContext) -> Vec<(usize, usize)> {
        let same_inode = |a: &Listener, b: &Listener| {
            context.same_machine && a.socket.inode.is_some() && a.socket.inode == b.socket.inode
        };
        type Same<'a> = &'a dyn Fn(&Listener, &Listener) -> bool;
        let steps: [Same<'_>; 4] = [
            &same_inode,
            &|a, b| context.are_held_alike(a, b),
            &|a, b| a.holders.iter().any(|one| b.holders.iter().any(|other| context.is_same(one, other))),
            &|a, _| is_comparable(a),
        ];
        let (mut left, mut free, mut pairs) =
            ((0..new.len()).collect::<Vec<_>>(), vec![true; old.len()], Vec::new());
        for same in steps {
            left.retain(|after| {
                let found = (0..old.len()).find(|at| free[*at] && same(old[*at], new[*after]));
                if let Some(at) = found {
                    free[at] = false;
                    pairs.push((at, *after));
                }
                found.is_none()
            });
        }
        pairs
    }

    fn any_listener() -> impl Strategy<Value = Listener> {
        let holder = (1_u32..4, proptest::option::of(1_u64..3), 0_usize..2, proptest::option::of(0_usize..2));
        let holders = proptest::collection::vec(holder, 0..3);
        (proptest::option::of(0_u64..3), holders, any::<bool>()).prop_map(|(inode, holders, named)| {
            let pids: Vec<u32> = holders.iter().map(|(pid, ..)| *pid).collect();
            let mut listener = listener(80, 1, &pids);
            listener.socket.inode = inode;
            if !named {
                listener.socket.endpoint = Endpoint::Unix { path: None };
            }
            for (holder, (_, start, name, user)) in listener.holders.iter_mut().zip(holders) {
                holder.process.id.start = start;
                holder.process.name = ["a", "b"][name].into();
                holder.process.user = user.map(|at| ["u", "v"][at].into());
            }
            listener
        })
    }

    proptest! {
        #[test]
        fn pairs_are_those_of_the_reference(
            old in proptest::collection::vec(any_listener(), 0..7),
            new in proptest::collection::vec(any_listener(), 0..7),
            same_machine in any::<bool>(),
            same_rights in any::<bool>(),
            same_users in any::<bool>(),
        ) {
            let context = CompareContext { same_machine, same_rights, same_users };
            let (old, new): (Vec<_>, Vec<_>) = (old.iter().collect(), new.iter().collect());
            prop_assert_eq!(pairs(&old, &new, context), all_pairs(&old, &new, context));
        }
    }

    /// Returns how many pairs of processes are compared for this many listeners of one address.
    fn compared(count: u32, old: impl Fn(u32) -> Listener, new: impl Fn(u32) -> Listener) -> usize {
        let (old, new): (Vec<_>, Vec<_>) = ((0..count).map(old).collect(), (0..count).map(new).collect());
        let (old, new): (Vec<&Listener>, Vec<&Listener>) = (old.iter().collect(), new.iter().collect());
        COMPARED.set(0);
        for same_machine in [true, false] {
            let pairs =
                pairs(&old, &new, CompareContext { same_machine, same_rights: true, same_users: true });
            assert_eq!(pairs.len(), old.len());
        }
        COMPARED.get()
    }

    #[test]
    fn work_for_one_address_is_not_quadratic() {
        let inode = |count| u64::from(count) + 1;
        let named = |name: &str, mut listener: Listener| {
            listener.holders.iter_mut().for_each(|holder| holder.process.name = name.into());
            listener
        };
        type Make = fn(u32, u64) -> Listener;
        let makes: [Make; 4] = [
            // Other processes, one each.
            |at, inode| listener(80, inode, &[at + 1, 1_000_000 + u32::try_from(inode).unwrap()]),
            |at, inode| listener(80, inode, &[u32::try_from(inode).unwrap() + at]),
            // One process that reopened all of them.
            |_, inode| listener(80, inode, &[7]),
            // Every socket is also held by the process that started the others.
            |at, inode| listener(80, inode, &[1, at + 2]),
        ];
        for (case, make) in makes.into_iter().enumerate() {
            let run = |count: u32| {
                compared(
                    count,
                    |at| named(&format!("n{at}"), make(at, inode(at))),
                    |at| named(&format!("n{}", count - at), make(count - at, 500_000 + inode(at))),
                )
            };
            let (some, many) = (run(200), run(2000));
            assert!(many <= some.max(200) * 12, "case {case}: {some} for 200, {many} for 2000");
        }
    }
}
