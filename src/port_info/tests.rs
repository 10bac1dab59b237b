//! Compares the built-in tables with the files that they are generated from, and tests single ports.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::*;

#[path = "../../build/tables.rs"]
mod files;

const REGISTRY: &str = include_str!("../../data/iana.tsv");
const COMMON_USES: &str = include_str!("../../data/common_uses.tsv");
const SOCKETS: &str = include_str!("../../data/sockets.tsv");

fn rows() -> Vec<files::Registered<'static>> {
    files::registry("data/iana.tsv", REGISTRY).unwrap()
}

/// Returns `nfs`, or `x11 (6000-6063)` if only a range has the name.
fn names(port: u16, protocol: Protocol) -> Vec<String> {
    match about(port).registration(protocol) {
        Registration::Assigned(services) => {
            let shown = |one: &Assignment| match &one.range {
                Some(range) => format!("{} ({}-{})", one.name, range.start(), range.end()),
                None => one.name.to_owned(),
            };
            services.iter().map(shown).collect()
        }
        other => vec![format!("<{}>", other.as_str())],
    }
}

#[test]
fn row_counts_match_data_readme() {
    let rows = rows();
    assert_eq!(rows.len(), 7_125);
    assert_eq!(rows.iter().filter(|row| row.first != row.last).count(), 11);
    let mut keys = BTreeMap::<(u16, u8), usize>::new();
    for row in rows.iter().filter(|row| !row.name.is_empty() && row.first == row.last) {
        for bit in (0..4).filter(|bit| row.protocols & 1 << bit != 0) {
            *keys.entry((row.first, bit)).or_default() += 1;
        }
    }
    assert_eq!(keys.values().filter(|names| **names > 1).count(), 44);
    assert_eq!(files::common_uses("data/common_uses.tsv", COMMON_USES).unwrap().len(), 241);
    assert_eq!(files::sockets("data/sockets.tsv", SOCKETS).unwrap().len(), 54);
}

#[test]
fn every_row_of_the_file_is_in_the_program_and_nothing_else() {
    let mut checked = BTreeSet::new();
    for row in rows() {
        let found = match about(row.first).registration(PROTOCOLS[row.protocols.trailing_zeros() as usize]) {
            Registration::Assigned(services) => services.clone(),
            Registration::Reserved(words) => {
                assert!(row.name.is_empty() || row.first != row.last, "{row:?}");
                assert!(!words.is_empty(), "{row:?}");
                continue;
            }
            other => panic!("{row:?} is {other:?}"),
        };
        let range = (row.first != row.last).then_some(row.first..=row.last);
        let same = |one: &&Assignment| {
            (one.name, one.description, &one.range) == (row.name, row.description, &range)
        };
        assert!(found.iter().any(|one| same(&one)), "{row:?}: {found:?}");
        checked.insert((row.name, row.first));
    }
    for (name, port) in registry::names() {
        assert!(checked.contains(&(name, port)), "{name} {port}");
    }
}

#[test]
fn every_port_has_exactly_one_of_four_answers_for_every_protocol() {
    let rows = rows();
    for port in 0..=u16::MAX {
        let about = about(port);
        assert_eq!(about.registry.iter().map(|(protocol, _)| *protocol).collect::<Vec<_>>(), PROTOCOLS);
        for (protocol, answer) in &about.registry {
            let bit = registry::bit(*protocol);
            let lists = |row: &&files::Registered<'_>| {
                row.protocols & bit != 0 && (row.first..=row.last).contains(&port)
            };
            // Slices of the file would be searched 260,000 times; what counts is whether there is any row.
            let listed = || rows.iter().find(lists).is_some();
            match answer {
                Registration::Dynamic => assert!(port >= 49152),
                Registration::Assigned(services) => assert!(port < 49152 && !services.is_empty()),
                Registration::Reserved(words) => assert!(port < 49152 && !words.is_empty()),
                Registration::Unassigned => {
                    assert!(port < 49152);
                    // Most ports: a sample is enough, the rows themselves are compared above.
                    assert!(port % 37 != 0 || !listed(), "{port}/{}", protocol.as_str());
                }
            }
        }
        assert!(about.range.ports().contains(&port));
        assert_eq!(
            about.range == PortRange::Dynamic,
            about.registration(Protocol::Tcp).as_str() == "dynamic"
        );
        assert!(about.uses.iter().all(|one| one.ports.contains(&port)));
    }
}

#[test]
fn port_10309_is_unassigned() {
    let about = about(10309);
    assert_eq!(about.range, PortRange::Registered);
    assert!(about.registry.iter().all(|(_, answer)| *answer == Registration::Unassigned));
    assert!(about.uses.is_empty());
    let neighbours = about.neighbours.unwrap();
    let (below, above) = (neighbours.below.unwrap(), neighbours.above.unwrap());
    assert_eq!((below.port, below.names.as_slice()), (10288, &["blocks"][..]));
    assert_eq!((above.port, above.names.as_slice()), (10439, &["bngsync"][..]));
    assert_eq!(above.protocols, [Protocol::Udp]);
}

#[test]
fn all_live_names_are_parsed() {
    assert_eq!(names(2049, Protocol::Tcp), ["shilp", "nfs"]);
    assert_eq!(names(80, Protocol::Tcp), ["http", "www", "www-http"]);
    assert_eq!(names(465, Protocol::Tcp).len(), 2);
    assert_eq!(names(5432, Protocol::Tcp), ["postgresql"]);
}

#[test]
fn ranges_are_weaker_than_ports_of_their_own() {
    assert_eq!(names(6005, Protocol::Tcp), ["x11 (6000-6063)"]);
    assert_eq!(names(4222, Protocol::Udp), ["vrml-multi-use (4200-4299)"]);
    assert_eq!(names(6667, Protocol::Tcp), ["ircu (6665-6669)"]);
    assert_eq!(names(6667, Protocol::Udp), ["<reserved>"]);
    assert_eq!(names(6064, Protocol::Tcp).len(), 1, "the port after a range");
}

#[test]
fn reserved_unassigned_and_dynamic() {
    assert_eq!(*about(0).registration(Protocol::Tcp), Registration::Reserved("Reserved"));
    assert_eq!(*about(26264).registration(Protocol::Udp), Registration::Reserved("De-registered"));
    assert_eq!(names(4, Protocol::Tcp), ["<unassigned>"]);
    assert_eq!(names(49152, Protocol::Tcp), ["<dynamic>"]);
    assert!(about(49152).neighbours.is_none());
    assert!(about(80).neighbours.is_none());
    assert!(about(10321).neighbours.is_none(), "reserved for both");
    assert_eq!(*about(80).registration(Protocol::Unix), Registration::Unassigned);
}

#[test]
fn status_iana_matches_the_registry() {
    for row in files::common_uses("data/common_uses.tsv", COMMON_USES).unwrap() {
        let protocol = PROTOCOLS[row.protocols.trailing_zeros() as usize];
        if row.status == "iana" {
            let known = names(row.first, protocol).join(",");
            assert!(row.iana.split(',').all(|name| known.contains(name)), "{row:?}: {known}");
        }
    }
}

#[test]
fn names_stand_for_all_their_ports() {
    let one = |protocol, ports: RangeInclusive<u16>| vec![ServicePorts { protocol, ports }];
    assert_eq!(named("postgresql", None), one(None, 5432..=5432));
    assert_eq!(named("PostgreSQL", Some(Protocol::Tcp)), one(Some(Protocol::Tcp), 5432..=5432));
    assert_eq!(named("www", None), one(None, 80..=80));
    assert_eq!(named("bngsync", None), one(Some(Protocol::Udp), 10439..=10439));
    assert_eq!(named("bngsync", Some(Protocol::Tcp)), []);
    assert_eq!(named("x11", None), one(None, 6000..=6063));
    let several = named("http-alt", None);
    assert_eq!(several.iter().map(|one| *one.ports.start()).collect::<Vec<_>>(), [591, 8008, 8080]);
    assert_eq!(named("nosuchservice", None), []);
    assert_eq!(named("", None), []);
    for (name, port) in registry::names() {
        assert!(is_name(name), "{name}");
        assert!(named(name, None).iter().any(|one| one.ports.contains(&port)), "{name} {port}");
        assert!(!named(&name.to_ascii_uppercase(), None).is_empty(), "{name}");
    }
}

#[test]
fn unknown_names_suggest_similar_ones() {
    for (wrong, meant) in [
        ("postgres", "postgresql"),
        ("htpp", "http"),
        ("domian", "domain"),
        ("mongo", "mongodb"),
        ("kafka", "tcp/9092"),
        ("VITE", "tcp/5173"),
    ] {
        let nearest = nearest(wrong);
        let is_meant = |one: &Similar| match one {
            Similar::Name(name) => *name == meant,
            Similar::Tool(one) => format!("{}/{}", one.protocol, one.ports.start()) == meant,
        };
        assert!(nearest.iter().any(is_meant), "{wrong}: {nearest:?}");
    }
    assert_eq!(nearest("qqqqqqqqqq"), []);
    assert_eq!(nearest(&"x".repeat(1_000_000)), []);
}

#[test]
fn complaints_about_tables_name_file_and_line() {
    let header = "port\tproto\tname\tdescription\n";
    for (rows, start) in [
        ("80\ttcp\thttp", "f:2: wants 4 columns"),
        ("80\ttcp\thttp\tWeb\n80x\ttcp\ta\tb", "f:3: the ports"),
        ("90-80\ttcp\ta\tb", "f:2: the ports"),
        ("80\ticmp\ta\tb", "f:2: a protocol"),
        ("80\ttcp\ta b\tc", "f:2: the name"),
        ("80\ttcp\t80\tc", "f:2: the name has no letter"),
        ("80\ttcp\t-\t", "f:2: neither"),
        ("80\ttcp\ta\t\u{1b}", "f:2: the description"),
        ("81\ttcp\ta\tb\n80\ttcp\ta\tb", "f:3: not in order"),
        ("80\ttcp\ta\tb\n80\ttcp,udp\ta\tc", "f:3: the same name"),
        ("50000\ttcp\ta\tb", "f:2: dynamic"),
    ] {
        let error = files::registry("f", &format!("{header}{rows}\n")).unwrap_err();
        assert!(error.starts_with(start), "{rows:?}: {error}");
    }
    assert!(files::registry("f", "port,proto\n").unwrap_err().starts_with("f:1: "));
    let header = "path\ttool\tprograms\tsource\n";
    for (rows, start) in [
        ("/run/x\tX\t", "f:2: wants 4 columns"),
        ("/run/x\tX\t\t", "f:2: the path, the tool or the source"),
        ("/var/run/x\tX\t\tx 1", "f:2: /var/run"),
        ("/run/x\tX\ta,\tx 1", "f:2: the programs"),
        ("/run/x\tX\ta**\tx 1", "f:2: the programs"),
        ("/run/b\tX\t\tx 1\n/run/a\tX\t\tx 1", "f:3: not in order"),
    ] {
        let error = files::sockets("f", &format!("{header}{rows}\n")).unwrap_err();
        assert!(error.starts_with(start), "{rows:?}: {error}");
    }
    assert!(files::common_uses("f", "port\n").unwrap_err().starts_with("f:1: "));
}
