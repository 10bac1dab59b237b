//! The users of rootless container engines.

use std::collections::BTreeMap;

use crate::management::EngineUser;
use crate::model::{Container, Listener};
use crate::os;

/// Returns the users whose engines run these containers, by uid. Root's engines are the system's.
pub(super) fn engine_users<'a>(containers: impl Iterator<Item = &'a Container>) -> BTreeMap<u32, EngineUser> {
    let mut engine_users = BTreeMap::new();
    for uid in containers.filter_map(|container| container.uid).filter(|uid| *uid != 0) {
        if engine_users.contains_key(&uid) {
            continue;
        }
        if let Some(name) = os::user_name(uid) {
            engine_users.insert(uid, EngineUser { uid, name });
        }
    }
    engine_users
}

/// Returns the containers that listeners and their holders belong to.
pub(super) fn containers(listeners: &[Listener]) -> impl Iterator<Item = &Container> {
    listeners.iter().flat_map(|listener| {
        let of_holders = listener.holders.iter().filter_map(|holder| holder.process.container.as_ref());
        listener.container.as_deref().into_iter().chain(of_holders)
    })
}
