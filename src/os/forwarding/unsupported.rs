//! Systems whose packet filter is not read.

use crate::model::{ForwardingRules, Protocol};

/// The rules of the packet filter, which are not read.
#[derive(Debug, Default)]
pub(in crate::os) struct KernelRules;

impl KernelRules {
    /// Returns nothing: the packet filter is not read.
    pub(in crate::os) fn forwarding(
        &self,
        _protocol: Protocol,
        _port: u16,
        _addresses: &[std::net::IpAddr],
    ) -> ForwardingRules {
        ForwardingRules::default()
    }
}
