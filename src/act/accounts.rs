//! The accounts that rootless container engines may belong to.

use std::collections::BTreeMap;

use crate::manager::Account;
use crate::{Process, os};

/// Returns the accounts of these processes, by the uid of a process. Root's engines are the system's.
pub(super) fn accounts<'a>(processes: impl Iterator<Item = &'a Process>) -> BTreeMap<u32, Account> {
    let mut accounts = BTreeMap::new();
    for uid in processes.filter_map(|process| process.uid).filter(|uid| *uid != 0) {
        if accounts.contains_key(&uid) {
            continue;
        }
        // A number of a rootless container belongs to the account that was given it.
        let account = os::account(uid);
        if let Some(name) = os::user_name(account) {
            accounts.insert(uid, Account { uid: account, name });
        }
    }
    accounts
}
