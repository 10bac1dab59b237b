//! A value that many owners share, such as a process that holds thousands of sockets.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A value that owners share until one of them changes it: that one then gets a copy of its own.
///
/// It is read and changed like the value itself. A process that holds a thousand sockets is in memory once.
///
/// ```
/// use allears::{Query, Shared};
///
/// let snapshot = Query::new().scan()?;
/// for holder in snapshot.listeners.iter().flat_map(|listener| &listener.holders) {
///     println!("{}", holder.process.name.to_string_lossy());
/// }
///
/// let one = Shared::from(80);
/// let mut other = one.clone();
/// *other += 1;
/// assert_eq!((*one, *other), (80, 81));
/// # Ok::<(), allears::Error>(())
/// ```
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// Returns whether both are the same value in memory.
    pub(crate) fn is_same(&self, other: &Shared<T>) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns a number that is equal for owners of the same value, as long as one of them keeps it.
    pub(crate) fn place(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Shared(Arc::new(value))
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.0 == other.0
    }
}

impl<T: Eq> Eq for Shared<T> {}

#[cfg(feature = "serde")]
impl<T: serde::Serialize> serde::Serialize for Shared<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for Shared<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Shared::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_concerns_one_owner_alone() {
        let one = Shared::from(vec![1]);
        let mut other = one.clone();
        assert!(one.is_same(&other) && one.place() == other.place());
        other.push(2);
        assert_eq!((&*one, &*other), (&vec![1], &vec![1, 2]));
        assert!(!one.is_same(&other));
    }
}
