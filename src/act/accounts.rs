//! The accounts that rootless container engines belong to.

use std::collections::BTreeMap;

use crate::management::Account;
use crate::model::{Container, Listener};
use crate::os;

/// Returns the accounts whose engines run these containers, by uid. Root's engines are the system's.
pub(super) fn accounts<'a>(containers: impl Iterator<Item = &'a Container>) -> BTreeMap<u32, Account> {
    let mut accounts = BTreeMap::new();
    for uid in containers.filter_map(|container| container.uid).filter(|uid| *uid != 0) {
        if accounts.contains_key(&uid) {
            continue;
        }
        if let Some(name) = os::user_name(uid) {
            accounts.insert(uid, Account { uid, name });
        }
    }
    accounts
}

/// Returns the containers that listeners and their holders belong to.
pub(super) fn containers(listeners: &[Listener]) -> impl Iterator<Item = &Container> {
    listeners.iter().flat_map(|listener| {
        let of_holders = listener.holders.iter().filter_map(|holder| holder.process.container.as_ref());
        listener.container.iter().chain(of_holders)
    })
}
