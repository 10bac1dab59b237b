//! Compares two listeners by what is known in both snapshots.

use std::collections::HashMap;

use super::Difference;
use crate::model::{Container, Holder, Listener, ProcessId, ServiceManager, ServiceScope, Text};

/// What two snapshots have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct CompareContext {
    /// Inodes, pids and start times identify the same things.
    pub(super) same_machine: bool,
    /// Uids and user names identify the same users.
    pub(super) same_users: bool,
    /// Both were taken with the same privileges.
    pub(super) same_rights: bool,
}

impl CompareContext {
    /// Returns what differs for certain.
    pub(super) fn differences(self, a: &Listener, b: &Listener) -> Vec<Difference> {
        let found = [
            (Difference::Socket, self.same_machine && differ(a.socket.inode, b.socket.inode)),
            (Difference::State, a.socket.state != b.socket.state),
            (Difference::User, self.users_differ(a, b)),
            (Difference::DualStack, differ(a.socket.dual_stack, b.socket.dual_stack)),
            (Difference::Holders, self.holders_differ(a, b)),
            (Difference::Service, differ(service(a), service(b))),
            (Difference::Container, self.containers_differ(a.container.as_deref(), b.container.as_deref())),
        ];
        found.into_iter().filter(|(_, differs)| *differs).map(|(difference, _)| difference).collect()
    }

    fn users_differ(self, a: &Listener, b: &Listener) -> bool {
        match (a.socket.uid, b.socket.uid) {
            _ if !self.same_users => false,
            (Some(a), Some(b)) if self.same_machine => a != b,
            _ => differ(a.socket.user.as_ref(), b.socket.user.as_ref()),
        }
    }

    /// Returns whether holders differ. One that a side lacks counts only if that side has no unseen holders.
    fn holders_differ(self, a: &Listener, b: &Listener) -> bool {
        let lacks = |side: &Listener, other: &Listener| {
            side.unseen.is_none() && !self.are_among(&other.holders, &side.holders)
        };
        lacks(a, b) || lacks(b, a)
    }

    fn containers_differ(self, a: Option<&Container>, b: Option<&Container>) -> bool {
        let (Some(a), Some(b)) = (a, b) else { return false };
        let named = |a: &Container, b: &Container| {
            differ(a.name.as_ref(), b.name.as_ref()) || differ(a.image.as_ref(), b.image.as_ref())
        };
        a.runtime != b.runtime
            || differ(a.port, b.port)
            || if self.same_machine { a.id != b.id || named(a, b) } else { named(a, b) }
    }

    /// Returns whether two holders are the same process, as far as both sides know.
    pub(super) fn is_same(self, a: &Holder, b: &Holder) -> bool {
        #[cfg(test)]
        COMPARED.set(COMPARED.get() + 1);
        let (a, b) = (&a.process, &b.process);
        match self.same_machine {
            // Without privilege a name may be truncated.
            true => {
                a.id.pid == b.id.pid
                    && !differ(a.id.start, b.id.start)
                    && (!self.same_rights || a.name == b.name)
            }
            false => a.name == b.name && !(self.same_users && differ(a.user.as_ref(), b.user.as_ref())),
        }
    }

    /// Returns a key that equal holders share.
    pub(super) fn key(self, holder: &Holder) -> Key<'_> {
        match self.same_machine {
            true => Key::Pid(
                holder.process.id.pid,
                if self.same_rights { holder.process.name.as_bytes() } else { b"" },
            ),
            false => Key::Name(holder.process.name.as_bytes()),
        }
    }

    /// Returns everything that [`Self::is_same`] compares: holders with one identity equal the same others.
    pub(super) fn identity(self, holder: &Holder) -> Identity<'_> {
        let process = &holder.process;
        (process.id, process.name.as_bytes(), process.user.as_ref().map(Text::as_bytes))
    }

    /// Returns the keys of all holders, sorted. Listeners with equal holders have equal keys.
    pub(super) fn keys(self, holders: &[Holder]) -> Vec<Key<'_>> {
        let mut keys: Vec<_> = holders.iter().map(|holder| self.key(holder)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Returns the identities of all holders, sorted.
    pub(super) fn identities(self, holders: &[Holder]) -> Vec<Identity<'_>> {
        let mut identities: Vec<_> = holders.iter().map(|holder| self.identity(holder)).collect();
        identities.sort_unstable();
        identities.dedup();
        identities
    }

    /// Returns whether each of `these` equals one of `those`.
    fn are_among(self, these: &[Holder], those: &[Holder]) -> bool {
        if these.len().min(those.len()) <= FEW {
            return these.iter().all(|one| those.iter().any(|other| self.is_same(one, other)));
        }
        let mut by_key: HashMap<Key<'_>, Vec<&Holder>> = HashMap::new();
        for holder in those {
            by_key.entry(self.key(holder)).or_default().push(holder);
        }
        these
            .iter()
            .all(|one| by_key.get(&self.key(one)).into_iter().flatten().any(|other| self.is_same(one, other)))
    }

    /// Returns whether both have holders, and the same ones.
    pub(super) fn are_held_alike(self, a: &Listener, b: &Listener) -> bool {
        !a.holders.is_empty()
            && !b.holders.is_empty()
            && self.are_among(&a.holders, &b.holders)
            && self.are_among(&b.holders, &a.holders)
    }
}

/// Up to this many holders are compared pair by pair; more are indexed.
const FEW: usize = 8;

/// A key that equal holders share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key<'a> {
    /// The pid, and the name if that must be equal too.
    Pid(u32, &'a [u8]),
    Name(&'a [u8]),
}

pub(super) type Identity<'a> = (ProcessId, &'a [u8], Option<&'a [u8]>);

#[cfg(test)]
thread_local! {
    /// The number of pairs of holders that were compared: a test counts work instead of timing it.
    pub(super) static COMPARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Returns whether both are known and not equal.
fn differ<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

/// Returns what identifies a service. What a socket unit activates is left out: systemd may not have answered.
fn service(listener: &Listener) -> Option<(&ServiceManager, &[u8], &ServiceScope)> {
    listener.service.as_deref().map(|service| (&service.manager, service.name.as_bytes(), &service.scope))
}
