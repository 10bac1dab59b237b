//! Makes a [`Query`] from the filters of the list and of `watch`.

use super::arguments::{Filters, ReaderName, SearchName, Source};
use super::complain;
use super::exit::Exit;
use super::service_names;
use crate::model::Protocol;
use crate::model::UserName;
use crate::os::{HolderSearch, Reader};
use crate::scan::Query;

/// Returns the query of the arguments, for this machine or for a saved snapshot.
pub(super) fn query(filters: &Filters, source: &Source, saved: bool) -> Result<Query, Exit> {
    let wrong = |error: crate::model::TargetError| {
        complain(&error.to_string(), error.help());
        Exit::Usage
    };
    // A saved snapshot has the interfaces of its own machine.
    let here = |target| if saved { Ok(target) } else { super::scope::complete(target, None) };
    let mut query = Query::new();
    for text in &filters.targets {
        let targets = match saved {
            true => service_names::parse_list_of_snapshot(text),
            false => service_names::parse_list(text),
        };
        for target in targets.map_err(wrong)? {
            query = query.target(here(target).map_err(wrong)?);
        }
    }
    for text in &filters.internet {
        for target in service_names::parse_lsof(text).map_err(wrong)? {
            query = query.target(here(target).map_err(wrong)?);
        }
    }
    for (wanted, protocol) in
        [(filters.tcp, Protocol::Tcp), (filters.udp, Protocol::Udp), (filters.unix, Protocol::Unix)]
    {
        if wanted {
            query = query.protocol(protocol);
        }
    }
    query = query
        .ipv4(filters.ipv4)
        .ipv6(filters.ipv6)
        .all(filters.all)
        .exposed(filters.exposed)
        .all_namespaces(source.all_namespaces)
        .runtimes(super::runtimes::runtimes());
    query = filters.pid.iter().copied().fold(query, Query::pid);
    query = filters.process.iter().cloned().fold(query, Query::command);
    for text in &filters.user {
        let user = match (saved, text.parse()) {
            (_, Ok(uid)) => UserName::Uid(uid),
            (true, Err(_)) => UserName::Name(text.clone()),
            (false, Err(_)) => UserName::of_this_machine(text).map_err(|error| {
                complain(&error.to_string(), &error.help().map(ToString::to_string).unwrap_or_default());
                Exit::Usage
            })?,
        };
        query = query.user(user);
    }
    let query = query.holder_search(match source.holders {
        SearchName::Auto => HolderSearch::Auto,
        SearchName::Walk => HolderSearch::Walk,
        SearchName::Bpf => HolderSearch::Bpf,
    });
    Ok(query.reader(match source.reader {
        ReaderName::Auto => Reader::Auto,
        ReaderName::Native => Reader::Native,
        ReaderName::Netstat2 => Reader::Netstat2,
    }))
}
