//! Makes a [`Query`] from the filters of the list and of `watch`.

use std::io::ErrorKind;
use std::path::Path;

use super::arguments::{Filters, ReaderName, SearchName, Source};
use super::complain;
use super::exit::Exit;
use super::service_names;
use crate::model::{Protocol, Text, UserName};
use crate::os::{self, HolderSearch, Reader};
use crate::render::escape::escape;
use crate::scan::Query;

/// Returns the query of the arguments, for this machine or for a saved snapshot.
pub(super) fn query(filters: &Filters, source: &Source, saved: bool) -> Result<Query, Exit> {
    let wrong = |error: crate::model::TargetError| {
        complain(&error.to_string(), error.help());
        Exit::Usage
    };
    // A saved snapshot has the interfaces of its own machine.
    let here = |target| if saved { Ok(target) } else { super::scope::add_interface(target, None) };
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
    // A bare -i stands for all internet sockets, which is the default.
    for text in filters.internet.iter().filter(|text| !text.is_empty()) {
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
            (false, Err(_)) => UserName::resolve(text).map_err(|error| {
                complain(&error.to_string(), &error.help().map(ToString::to_string).unwrap_or_default());
                Exit::Usage
            })?,
        };
        query = query.user(user);
    }
    query = filters.tree.iter().copied().fold(query, Query::tree).developer(filters.dev);
    for folder in &filters.inside {
        query = query.inside_exactly(named_folder(folder, saved)?);
    }
    if filters.here {
        query = query.inside_exactly(current_project()?);
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

/// Returns the folder of `--in`. A path from the root in a saved snapshot is one of its machine, which need not exist here.
fn named_folder(path: &Path, saved: bool) -> Result<Text, Exit> {
    if saved && path.has_root() {
        return Ok(path.into());
    }
    os::folder(path).map_err(|error| {
        let reason = match error.kind() {
            ErrorKind::NotFound => "there is no such folder".to_owned(),
            ErrorKind::NotADirectory => "it is not a folder".to_owned(),
            _ => error.to_string(),
        };
        let shown = escape(&path.into());
        complain(
            &format!("--in {shown}: {reason}"),
            "--in takes the folder of a project; --here is the current one",
        );
        Exit::Usage
    })
}

/// Returns the folder of the project that the current directory belongs to, or the current directory if there is none.
fn current_project() -> Result<Text, Exit> {
    let current = os::folder(Path::new(".")).map_err(|error| {
        complain(
            &format!("--here: cannot read the current directory: {error}"),
            "change to a folder that exists",
        );
        Exit::Unknown
    })?;
    Ok(os::project_folder(&current).unwrap_or(current))
}
