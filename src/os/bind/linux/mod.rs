//! What Linux allows to bind: sysctls, addresses by rtnetlink, security policies.

pub(in crate::os) mod limits;
pub(in crate::os) mod local_addresses;
pub(in crate::os) mod policy;

pub(in crate::os) use limits::limits as ready_limits;
pub(in crate::os) use limits::{fin_timeout, limits, time_wait_left};
pub(in crate::os) use local_addresses::local_addresses;
pub(in crate::os) use policy::policies;

use crate::model::{Gap, Listener};
use crate::os::Served;

/// The kernel serves nothing for programs here.
pub(in crate::os) fn served(_listeners: &[Listener]) -> (Vec<Served>, Option<Gap>) {
    (Vec::new(), None)
}
