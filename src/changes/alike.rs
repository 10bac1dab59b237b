//! In what two listeners differ, as far as both sides could see.

use super::Difference;
use crate::{Container, Holder, Listener};

/// What the two sides have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    /// Inodes, pids and starts mean the same.
    pub(super) same_machine: bool,
    /// What is known of a process is known with the same rights.
    pub(super) same_rights: bool,
}

impl Sight {
    /// In what the two differ for sure.
    pub(super) fn differences(self, a: &Listener, b: &Listener) -> Vec<Difference> {
        let found = [
            (Difference::Socket, self.same_machine && differ(a.socket.inode, b.socket.inode)),
            (Difference::State, a.socket.state != b.socket.state),
            (Difference::User, self.users_differ(a, b)),
            (Difference::DualStack, differ(a.socket.dual_stack, b.socket.dual_stack)),
            (Difference::Holders, self.holders_differ(a, b)),
            (Difference::Service, differ(service(a), service(b))),
            (Difference::Container, self.containers_differ(a.container.as_ref(), b.container.as_ref())),
        ];
        found.into_iter().filter(|(_, differs)| *differs).map(|(difference, _)| difference).collect()
    }

    fn users_differ(self, a: &Listener, b: &Listener) -> bool {
        match (a.socket.uid, b.socket.uid) {
            (Some(a), Some(b)) if self.same_machine => a != b,
            _ => differ(a.socket.user.as_ref(), b.socket.user.as_ref()),
        }
    }

    /// A holder that one side lacks counts where that side could see all of them.
    fn holders_differ(self, a: &Listener, b: &Listener) -> bool {
        let lacks = |side: &Listener, other: &Listener| {
            side.unseen.is_none()
                && other.holders.iter().any(|one| !side.holders.iter().any(|known| self.is_same(one, known)))
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

    fn is_same(self, a: &Holder, b: &Holder) -> bool {
        let (a, b) = (&a.process, &b.process);
        match self.same_machine {
            // A name may be told in full to one and cut for another.
            true => {
                a.id.pid == b.id.pid
                    && !differ(a.id.start, b.id.start)
                    && (!self.same_rights || a.name == b.name)
            }
            false => a.name == b.name && !differ(a.user.as_ref(), b.user.as_ref()),
        }
    }

    /// Whether the same processes are seen to hold both.
    pub(super) fn are_held_alike(self, a: &Listener, b: &Listener) -> bool {
        let all = |a: &Listener, b: &Listener| {
            a.holders.iter().all(|one| b.holders.iter().any(|other| self.is_same(one, other)))
        };
        !a.holders.is_empty() && !b.holders.is_empty() && all(a, b) && all(b, a)
    }

    pub(super) fn share_a_holder(self, a: &Listener, b: &Listener) -> bool {
        a.holders.iter().any(|one| b.holders.iter().any(|other| self.is_same(one, other)))
    }
}

/// Whether both are told, and not the same.
fn differ<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

/// What makes a service the same; what a socket unit activates is told by systemd, which may not answer.
fn service(listener: &Listener) -> Option<(&[u8], &[u8], &[u8])> {
    listener
        .service
        .as_ref()
        .map(|service| (service.manager.as_bytes(), service.name.as_bytes(), service.scope.as_bytes()))
}
