//! The rules of nftables: `expressions` parses the messages of NETLINK_NETFILTER (linux/netfilter/nf_tables.h), and
//! `evaluate` follows a connection through the rules. Pure.

pub(in crate::os) mod evaluate;
pub(in crate::os) mod expressions;

#[cfg(test)]
mod tests;
