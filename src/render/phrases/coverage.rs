//! Phrases for what a snapshot covers, and for what it does not.

use std::fmt;

use super::{list_and, list_or};
use crate::model::{Family, NotCovered, Protocol, Selection, Text, UserName};

/// Returns why a snapshot cannot answer:
/// "the snapshot was not asked about it (port 80); it covers tcp and udp listeners on ports 1-10". `asked` are the
/// snapshot's selections; none stands for all listeners.
pub(crate) fn not_covered(missing: &[NotCovered], asked: &[Selection]) -> String {
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    format!("the snapshot was not asked about it ({}); it covers {}", missing.join(", "), covered(asked))
}

/// Returns what selections cover, each of which narrows the one before: "tcp and udp listeners on ports 1-10".
pub(crate) fn covered(asked: &[Selection]) -> String {
    let questions: Vec<String> = match asked {
        [] => vec![query_phrase(&Selection::default())],
        // One that narrows nothing says nothing.
        several => {
            let stated = several.iter().enumerate().filter(|(at, one)| *at == 0 || !one.is_plain());
            stated.map(|(_, one)| query_phrase(one)).collect()
        }
    };
    questions.join("; of these, ")
}

/// The missing data in a phrase.
impl fmt::Display for NotCovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotCovered::Targets(targets) => f.write_str(&list_and(targets)),
            NotCovered::OtherTargets => f.write_str("other ports"),
            NotCovered::Protocols(protocols) => {
                f.write_str(&list_and(protocols.iter().map(|one| protocol(*one))))
            }
            NotCovered::Family(family) => f.write_str(over(*family)),
            NotCovered::States => f.write_str("sockets that do not listen"),
            NotCovered::Unexposed => f.write_str("what only its own machine can reach"),
            NotCovered::OtherHolders => f.write_str("other holders"),
            NotCovered::Namespaces => f.write_str("other network namespaces"),
            NotCovered::Connections => f.write_str("connections"),
        }
    }
}

/// The number or the name. A name may contain control characters.
impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserName::Uid(uid) => write!(f, "{uid}"),
            UserName::Name(name) => f.write_str(name),
        }
    }
}

fn query_phrase(asked: &Selection) -> String {
    let named = |protocol: &Protocol| asked.protocols.contains(protocol);
    let mut protocols: Vec<Protocol> =
        [Protocol::Tcp, Protocol::Udp].into_iter().filter(|protocol| asked.wants(*protocol)).collect();
    protocols.extend([Protocol::Sctp, Protocol::Dccp].into_iter().filter(named));
    protocols.extend(Some(Protocol::Unix).filter(|unix| asked.wants(*unix)));
    // Targets that name no others narrow the protocols.
    if !asked.targets.is_empty() {
        protocols.retain(|protocol| {
            asked.targets.iter().any(|target| match target.is_unix() {
                true => *protocol == Protocol::Unix,
                false => *protocol != Protocol::Unix && target.protocol().is_none_or(|one| one == *protocol),
            })
        });
    }
    let mut text = list_and(protocols.into_iter().map(protocol));
    text.push_str(if asked.all { " sockets in every state" } else { " listeners" });
    match (asked.ipv4, asked.ipv6) {
        (true, false) => text.push_str(" over IPv4"),
        (false, true) => text.push_str(" over IPv6"),
        _ => {}
    }
    if !asked.targets.is_empty() {
        text.push_str(" on ");
        text.push_str(&list_and(&asked.targets));
    }
    if asked.exposed {
        text.push_str(" that other machines can reach");
    }
    if !asked.pids.is_empty() {
        text.push_str(" held by pid ");
        text.push_str(&list_or(&asked.pids));
    }
    if !asked.users.is_empty() {
        text.push_str(" of user ");
        text.push_str(&list_or(&asked.users));
    }
    if !asked.trees.is_empty() {
        text.push_str(" held by the tree of pid ");
        text.push_str(&list_or(&asked.trees));
    }
    if !asked.directories.is_empty() {
        text.push_str(" that run in ");
        text.push_str(&list_or(asked.directories.iter().map(Text::to_string_lossy)));
    }
    text.push_str(if asked.developer { " of people's own programs" } else { "" });
    if !asked.commands.is_empty() {
        text.push_str(" held by a command with '");
        text.push_str(&list_or(&asked.commands));
        text.push('\'');
    }
    text.push_str(if asked.namespaces { " in all network namespaces" } else { "" });
    text
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Unix => "Unix",
        other => other.as_str(),
    }
}

fn over(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
        Family::Unix => "Unix",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Target;
    use crate::scan::Query;

    #[test]
    fn questions_in_words() {
        let words = |query: Query| covered(&[query.selection().clone()]);
        let range = || Target::parse_list("1-10").unwrap().remove(0);
        assert_eq!(covered(&[]), "tcp and udp listeners");
        assert_eq!(words(Query::new().target(range())), "tcp and udp listeners on ports 1-10");
        let udp = Target::parse_list("udp/53").unwrap().remove(0);
        assert_eq!(words(Query::new().target(udp).ipv4(true)), "udp listeners over IPv4 on udp port 53");
        let sockets = Query::new().protocol(Protocol::Unix).all(true).pid(5).pid(6).exposed(true);
        assert_eq!(
            words(sockets),
            "Unix sockets in every state that other machines can reach held by pid 5 or 6"
        );
        let narrowed = [Query::new(), Query::new(), Query::new().target(range())];
        assert_eq!(
            covered(&narrowed.map(|query| query.selection().clone())),
            "tcp and udp listeners; of these, tcp and udp listeners on ports 1-10"
        );
        let missing = [NotCovered::OtherTargets, NotCovered::Protocols(vec![Protocol::Udp])];
        assert_eq!(
            not_covered(&missing, &[]),
            "the snapshot was not asked about it (other ports, udp); it covers tcp and udp listeners"
        );
    }
}
