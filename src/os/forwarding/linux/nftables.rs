//! The rules of nftables that pass on connections to a port, read over NETLINK_NETFILTER (linux/netfilter/nf_tables.h).
//! iptables-nft writes its rules there, too. `parse::linux::nftables` parses the rules and follows a connection through
//! them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use rustix::net::netlink;

use crate::model::compact::CompactSort as _;
use crate::model::{ForwardingRules, Protocol, Text, UnreadRules};
use crate::os::linux_api::netlink::{NetlinkError, dump};
use crate::os::parse::linux::kernel_lists;
use crate::os::parse::linux::netlink::text_attribute;
use crate::os::parse::linux::nftables::evaluate::{Chains, Connection, evaluate};
use crate::os::parse::linux::nftables::expressions::{self, BaseChain, Element, Rule, base_chain, rule};

/// The most rules that are read.
const MOST_RULES: usize = 200_000;

const SUBSYSTEM: u16 = 10 << 8;
const NEW_CHAIN: u16 = SUBSYSTEM | 3;
const GET_CHAIN: u16 = SUBSYSTEM | 4;
const NEW_RULE: u16 = SUBSYSTEM | 6;
const GET_RULE: u16 = SUBSYSTEM | 7;
const NEW_ELEMENT: u16 = SUBSYSTEM | 12;
const GET_ELEMENT: u16 = SUBSYSTEM | 13;

/// Returns the rules that pass connections to a port of these addresses of this machine on. `chains` is what [`read`]
/// returned.
pub(in crate::os) fn forwarding(
    chains: &Result<Option<Chains>, NetlinkError>,
    protocol: Protocol,
    port: u16,
    addresses: &[IpAddr],
) -> ForwardingRules {
    let mut found = ForwardingRules::default();
    match chains {
        Ok(None) => {}
        Ok(Some(chains)) => {
            let connection = Connection { protocol, port, addresses };
            evaluate(chains, connection, &elements, &mut found);
        }
        // This kernel has no nftables.
        Err(NetlinkError::System(errno) | NetlinkError::Refused(errno)) if is_missing(*errno) => {}
        // A sandbox may refuse netlink entirely.
        Err(NetlinkError::System(errno) | NetlinkError::Refused(errno))
            if io::Error::from(*errno).kind() == io::ErrorKind::PermissionDenied =>
        {
            found.unread.push(UnreadRules::Permission);
        }
        Err(fault) => {
            found.unread.push(UnreadRules::Error(Text::from_display(format_args!("nftables: {fault}"))))
        }
    }
    found
}

fn is_missing(errno: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    [Errno::PROTONOSUPPORT, Errno::AFNOSUPPORT, Errno::OPNOTSUPP, Errno::INVAL, Errno::NOENT].contains(&errno)
}

/// Returns whether nf_tables is in the kernel. A request to a kernel whose module is not loaded would load it.
fn is_loaded() -> bool {
    let Ok(modules) = std::fs::read("/proc/modules") else {
        // A kernel without modules has everything built in.
        return true;
    };
    kernel_lists::is_loaded(&modules, b"nf_tables")
        || std::fs::exists("/sys/module/nf_tables").unwrap_or(false)
        || is_built_in()
}

fn is_built_in() -> bool {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let built_in = std::fs::read(format!("/lib/modules/{release}/modules.builtin"));
    built_in.is_ok_and(|list| kernel_lists::is_built_in(&list, b"nf_tables.ko"))
}

/// Reads the chains of all tables in which a rule could pass connections on. `None` if there is no such table.
///
/// # Errors
/// If netlink is unavailable or refuses.
pub(in crate::os) fn read() -> Result<Option<Chains>, NetlinkError> {
    if !is_loaded() {
        return Ok(None);
    }
    let bases: RefCell<Vec<BaseChain>> = RefCell::default();
    ask(GET_CHAIN, NEW_CHAIN, &[0; 4], &|message| bases.borrow_mut().extend(base_chain(message)), &|| {
        bases.borrow_mut().clear();
    })?;
    let bases = bases.into_inner();
    if bases.is_empty() {
        return Ok(None);
    }
    let mut tables: Vec<(u8, Vec<u8>)> = bases.iter().map(|base| (base.family, base.table.clone())).collect();
    tables.compact_sort_by(Ord::cmp);
    tables.dedup();
    let mut chains = Chains { bases, rules: BTreeMap::new(), is_cut: false };
    for (family, table) in tables {
        const NFTA_RULE_TABLE: u16 = 1;
        let mut request = vec![family, 0, 0, 0];
        text_attribute(&mut request, NFTA_RULE_TABLE, &table);
        let rules: RefCell<Vec<Rule>> = RefCell::default();
        ask(
            GET_RULE,
            NEW_RULE,
            &request,
            &|message| {
                let mut rules = rules.borrow_mut();
                if rules.len() < MOST_RULES {
                    rules.extend(rule(message));
                }
            },
            &|| rules.borrow_mut().clear(),
        )?;
        let rules = rules.into_inner();
        chains.is_cut |= rules.len() >= MOST_RULES;
        for rule in rules.into_iter().filter(|rule| rule.family == family && rule.table == table) {
            chains.rules.entry((family, table.clone(), rule.chain.clone())).or_default().push(rule);
        }
    }
    Ok(Some(chains))
}

/// Reads the elements of a set or map. `None` if one of them is not understood.
fn elements(family: u8, table: &[u8], set: &[u8]) -> Option<Vec<Element>> {
    const NFTA_SET_ELEM_LIST_TABLE: u16 = 1;
    const NFTA_SET_ELEM_LIST_SET: u16 = 2;
    let mut request = vec![family, 0, 0, 0];
    text_attribute(&mut request, NFTA_SET_ELEM_LIST_TABLE, table);
    text_attribute(&mut request, NFTA_SET_ELEM_LIST_SET, set);
    let found: RefCell<Option<Vec<Element>>> = RefCell::new(Some(Vec::new()));
    let each = |message: &[u8]| {
        expressions::elements(message, |element| {
            let mut found = found.borrow_mut();
            match (element, found.as_mut()) {
                (Some(element), Some(all)) if all.len() < MOST_RULES => all.push(element),
                _ => *found = None,
            }
        });
    };
    let restart = || *found.borrow_mut() = Some(Vec::new());
    ask(GET_ELEMENT, NEW_ELEMENT, &request, &each, &restart).ok()?;
    found.into_inner()
}

fn ask(
    kind: u16,
    answer: u16,
    request: &[u8],
    each: &dyn Fn(&[u8]),
    restart: &dyn Fn(),
) -> Result<(), NetlinkError> {
    dump(Some(netlink::NETFILTER), kind, request, answer, &mut |message| each(message), &mut || restart())
}
