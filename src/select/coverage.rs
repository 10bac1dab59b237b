//! Which part of a selection a snapshot does not cover. A missing row means something only within the snapshot's own
//! selection.

use std::net::IpAddr;

use super::directories;
use crate::model::Selection;
use crate::model::Target;
use crate::model::{Family, NotCovered, Protocol, Snapshot};

/// One target of a selection in one protocol.
struct Cell<'a> {
    protocol: Protocol,
    /// `None` for all of them.
    target: Option<&'a Target>,
}

impl Selection {
    /// Returns whether this is the default selection. Applied to a snapshot it selects everything.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Selection::default()
    }

    /// Returns the parts of this selection that a snapshot does not cover. Each of its several selections narrowed it.
    pub(crate) fn not_covered(&self, snapshot: &Snapshot) -> Vec<NotCovered> {
        if self.is_plain() {
            return Vec::new();
        }
        let default = vec![Selection::default()];
        let scope = snapshot.selections.as_ref().unwrap_or(&default);
        let mut missing = Vec::new();
        for one in scope.iter().flat_map(|scope| self.not_within(scope)) {
            if !missing.contains(&one) {
                missing.push(one);
            }
        }
        let tells_connections = snapshot.listeners.iter().any(|listener| listener.connections.is_some());
        missing.retain(|one| *one != NotCovered::Connections || !tells_connections);
        missing
    }

    fn not_within(&self, scope: &Selection) -> Vec<NotCovered> {
        let mut missing = Vec::new();
        let mut protocols = Vec::new();
        let mut targets = Vec::new();
        let mut others = false;
        let mut families = Vec::new();
        for cell in self.cells() {
            if !scope.wants(cell.protocol) {
                protocols.push(cell.protocol);
                continue;
            }
            match cell.target {
                None => others |= !scope.targets.is_empty(),
                Some(target) if scope.covers(cell.protocol, target) => {}
                Some(target) => targets.push(target.clone()),
            }
            if cell.protocol != Protocol::Unix {
                let [ipv4, ipv6] = self.families(cell.target);
                let [covers_ipv4, covers_ipv6] = scope.families(None);
                families.extend((ipv4 && !covers_ipv4).then_some(Family::Ipv4));
                families.extend((ipv6 && !covers_ipv6).then_some(Family::Ipv6));
            }
        }
        dedup(&mut protocols);
        dedup(&mut targets);
        dedup(&mut families);
        if !protocols.is_empty() {
            missing.push(NotCovered::Protocols(protocols));
        }
        if !targets.is_empty() {
            missing.push(NotCovered::Targets(targets));
        }
        missing.extend(others.then_some(NotCovered::OtherTargets));
        missing.extend(families.into_iter().map(NotCovered::Family));
        missing.extend((self.all && !scope.all).then_some(NotCovered::States));
        missing.extend((scope.exposed && !self.exposed).then_some(NotCovered::Unexposed));
        let holders = is_within(&self.pids, &scope.pids, |own, other| own == other)
            && is_within(&self.users, &scope.users, |own, other| own == other)
            && is_within(&self.commands, &scope.commands, |own, other| {
                own.to_ascii_lowercase().contains(&other.to_ascii_lowercase())
            })
            && is_within(&self.trees, &scope.trees, |own, other| own == other)
            && is_within(&self.directories, &scope.directories, directories::is_within)
            && (self.developer || !scope.developer);
        missing.extend((!holders).then_some(NotCovered::OtherHolders));
        missing.extend((self.namespaces && !scope.namespaces).then_some(NotCovered::Namespaces));
        missing.extend((self.connections && !scope.connections).then_some(NotCovered::Connections));
        missing
    }

    /// Returns whether two selections can match one socket, regardless of holders.
    pub(crate) fn overlaps(&self, other: &Selection) -> bool {
        let common = |own: &Cell<'_>, others: &Cell<'_>| {
            let ports = match (own.target, others.target) {
                (Some(one), Some(other)) => overlap(one, other),
                _ => true,
            };
            let [a, b] = [self.families(own.target), other.families(others.target)];
            // A dual-stack socket matches either family.
            own.protocol == others.protocol && ports && a.iter().zip(b).any(|(a, b)| *a && b)
        };
        let others = other.cells();
        self.cells().iter().any(|own| others.iter().any(|others| common(own, others)))
    }

    /// Returns whether two selections name different processes, users, commands or folders.
    pub(crate) fn selects_other_holders(&self, other: &Selection) -> bool {
        fn differ<T: PartialEq>(one: &[T], other: &[T]) -> bool {
            !one.is_empty() && !other.is_empty() && !one.iter().any(|one| other.contains(one))
        }
        differ(&self.pids, &other.pids)
            || differ(&self.users, &other.users)
            || differ(&self.commands, &other.commands)
            || differ(&self.trees, &other.trees)
            || differ(&self.directories, &other.directories)
    }

    /// Returns each target in each protocol that it is selected in. SCTP and DCCP count only if they are named.
    fn cells(&self) -> Vec<Cell<'_>> {
        let named = |protocol: Protocol| self.protocols.contains(&protocol);
        let mut protocols = vec![Protocol::Tcp, Protocol::Udp, Protocol::Unix];
        protocols.extend([Protocol::Sctp, Protocol::Dccp].into_iter().filter(|protocol| named(*protocol)));
        let mut cells = Vec::new();
        for protocol in protocols.into_iter().filter(|protocol| self.wants(*protocol)) {
            if self.targets.is_empty() {
                cells.push(Cell { protocol, target: None });
            }
            let concerned = self.targets.iter().filter(|target| concerns(target, protocol));
            cells.extend(concerned.map(|target| Cell { protocol, target: Some(target) }));
        }
        cells
    }

    /// Returns whether this selects everything that a target matches in a protocol.
    fn covers(&self, protocol: Protocol, target: &Target) -> bool {
        let own: Vec<&Target> = self.targets.iter().filter(|own| concerns(own, protocol)).collect();
        if self.targets.is_empty() || own.contains(&target) {
            return true;
        }
        let parts = target.parts();
        let wide = own.iter().filter(|own| {
            let own = own.parts();
            (own.address.is_none()
                || (own.address == parts.address
                    && (own.interface.is_none() || own.interface == parts.interface)))
                && (own.family.is_none() || own.family == parts.family)
                && (own.path.is_none() || own.path == parts.path)
        });
        if target.is_unix() {
            return wide.count() > 0;
        }
        // The ranges that remain after subtracting the ranges of this selection.
        let mut rest = vec![(*target.ports().start(), *target.ports().end())];
        for own in wide {
            let (first, last) = (*own.ports().start(), *own.ports().end());
            rest = rest
                .into_iter()
                .flat_map(|(from, to)| {
                    let below = (from < first).then(|| (from, to.min(first.saturating_sub(1))));
                    let above = (to > last).then(|| (from.max(last.saturating_add(1)), to));
                    [below, above]
                })
                .flatten()
                .collect();
        }
        rest.is_empty()
    }

    /// Returns whether IPv4 and whether IPv6 sockets are selected.
    fn families(&self, target: Option<&Target>) -> [bool; 2] {
        let parts = target.map(Target::parts);
        let address = parts.as_ref().and_then(|parts| parts.address);
        let family = parts.and_then(|parts| parts.family);
        let of_address = match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(_)) => [true, false],
            Some(IpAddr::V6(_)) => [false, true],
            None => [true, true],
        };
        let [ipv4, ipv6] = match family {
            Some(Family::Ipv4) => [true, false],
            Some(Family::Ipv6) => [false, true],
            _ => of_address,
        };
        [ipv4 && (self.ipv4 || !self.ipv6), ipv6 && (self.ipv6 || !self.ipv4)]
    }
}

/// Returns whether a target can match sockets of a protocol.
fn concerns(target: &Target, protocol: Protocol) -> bool {
    match target.is_unix() {
        true => protocol == Protocol::Unix,
        false => protocol != Protocol::Unix && target.protocol().is_none_or(|named| named == protocol),
    }
}

/// Returns whether one socket can match both targets.
fn overlap(one: &Target, other: &Target) -> bool {
    match (one.is_unix(), other.is_unix()) {
        (true, true) => {
            let [one, other] = [one.parts().path, other.parts().path];
            one.is_none() || other.is_none() || one == other
        }
        (false, false) => {
            one.ports().start() <= other.ports().end() && other.ports().start() <= one.ports().end()
        }
        _ => false,
    }
}

/// Returns whether a filter passes only what another filter passes too. An empty filter passes everything.
fn is_within<T>(own: &[T], other: &[T], covers: impl Fn(&T, &T) -> bool) -> bool {
    other.is_empty()
        || (!own.is_empty() && own.iter().all(|own| other.iter().any(|other| covers(own, other))))
}

fn dedup<T: PartialEq>(list: &mut Vec<T>) {
    let mut kept: Vec<T> = Vec::with_capacity(list.len());
    for one in list.drain(..) {
        if !kept.contains(&one) {
            kept.push(one);
        }
    }
    *list = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Query;

    fn targets(text: &str) -> Query {
        Target::parse_list(text).unwrap().into_iter().fold(Query::new(), Query::target)
    }

    fn missing(scope: &Query, of: &Query) -> Vec<NotCovered> {
        of.selection().not_within(scope.selection())
    }

    #[test]
    fn ports_outside_of_the_question() {
        let scope = targets("1-10");
        for within in ["7", "1-10", "tcp/3", "127.0.0.1:9", "2,4-5"] {
            assert_eq!(missing(&scope, &targets(within)), [], "{within}");
        }
        for outside in ["11", "5-11", "udp/80", "[::1]:443"] {
            let target = Target::parse_list(outside).unwrap();
            assert_eq!(missing(&scope, &targets(outside)), [NotCovered::Targets(target)], "{outside}");
        }
        assert_eq!(missing(&targets("1-5,6-10"), &targets("3-8")), [], "two ranges side by side");
        assert_eq!(missing(&scope, &Query::new().protocol(Protocol::Tcp)), [NotCovered::OtherTargets]);
        assert_eq!(missing(&targets("127.0.0.1:80"), &targets("80")).len(), 1, "other addresses");
        assert_eq!(missing(&targets("unix"), &targets("/run/x")), []);
        assert_eq!(missing(&targets("/run/y"), &targets("/run/x")).len(), 1);
    }

    #[test]
    fn protocols_and_families() {
        let tcp = Query::new().protocol(Protocol::Tcp);
        assert_eq!(missing(&tcp, &targets("tcp/80")), []);
        for udp in ["80", "udp/80"] {
            assert_eq!(missing(&tcp, &targets(udp)), [NotCovered::Protocols(vec![Protocol::Udp])]);
        }
        let unix = [NotCovered::Protocols(vec![Protocol::Unix])];
        assert_eq!(missing(&Query::new(), &targets("unix")), unix);
        assert_eq!(missing(&Query::new(), &Query::new().protocol(Protocol::Unix)), unix);
        let ipv4 = Query::new().ipv4(true);
        assert_eq!(missing(&ipv4, &targets("127.0.0.1:80")), []);
        assert_eq!(missing(&ipv4, &Query::new().ipv4(true)), []);
        for ipv6 in [targets("[::1]:80"), targets("80"), Query::new().ipv6(true)] {
            assert_eq!(missing(&ipv4, &ipv6), [NotCovered::Family(Family::Ipv6)]);
        }
        assert_eq!(missing(&Query::new(), &ipv4), []);
    }

    #[test]
    fn states_reach_holders_and_places() {
        let port = || targets("80");
        assert_eq!(missing(&Query::new(), &port().all(true)), [NotCovered::States]);
        assert_eq!(missing(&Query::new().all(true), &port()), []);
        assert_eq!(missing(&Query::new().exposed(true), &port()), [NotCovered::Unexposed]);
        assert_eq!(missing(&Query::new(), &port().exposed(true)), []);
        assert_eq!(missing(&Query::new().pid(1), &port()), [NotCovered::OtherHolders]);
        assert_eq!(missing(&Query::new().pid(1).pid(2), &port().pid(2)), []);
        assert_eq!(missing(&Query::new().pid(1), &port().pid(2)), [NotCovered::OtherHolders]);
        assert_eq!(missing(&Query::new().command("vite"), &port().command("Vite dev")), []);
        assert_eq!(missing(&Query::new().command("vite"), &port().command("v")), [NotCovered::OtherHolders]);
        assert_eq!(missing(&Query::new(), &port().all_namespaces(true)), [NotCovered::Namespaces]);
        assert_eq!(missing(&Query::new().all_namespaces(true), &port()), []);
        assert_eq!(missing(&Query::new(), &port().connections(true)), [NotCovered::Connections]);
        assert_eq!(missing(&Query::new().connections(true), &port().connections(true)), []);
    }

    #[test]
    fn users_trees_folders_and_own_programs() {
        use crate::model::UserName;
        let missing = |scope: &Selection, of: &Selection| of.not_within(scope);
        let plain = Selection::default;
        let user = |uid| Selection { users: vec![UserName::Uid(uid)], ..plain() };
        let tree = |pid| Selection { trees: vec![pid], ..plain() };
        let folder = |path: &str| Selection { directories: vec![path.into()], ..plain() };
        let developer = Selection { developer: true, ..plain() };
        let others = [NotCovered::OtherHolders];
        for (scope, within, outside) in [
            (user(1), user(1), user(2)),
            (tree(1), tree(1), tree(2)),
            (folder("/srv"), folder("/srv/shop"), folder("/home")),
            (developer.clone(), developer, plain()),
        ] {
            assert_eq!(missing(&scope, &within), [], "{within:?}");
            assert_eq!(missing(&scope, &outside), others, "{outside:?}");
            assert_eq!(missing(&plain(), &scope), [], "{scope:?}");
        }
    }

    #[test]
    fn families_and_interfaces_of_targets() {
        // `lsof -i4` and `lsof -i6` ask for a family.
        let of_family = |family, text: &str| {
            let of = |target| Target { family: Some(family), ..target };
            Target::parse_list(text).unwrap().into_iter().map(of).fold(Query::new(), Query::target)
        };
        let ipv4 = |text: &str| of_family(Family::Ipv4, text);
        let ipv6 = |text: &str| of_family(Family::Ipv6, text);
        for (scope, of_ipv4, of_ipv6) in [
            (Query::new().ipv4(true), vec![], vec![NotCovered::Family(Family::Ipv6)]),
            (Query::new().ipv6(true), vec![NotCovered::Family(Family::Ipv4)], vec![]),
        ] {
            assert_eq!(missing(&scope, &ipv4("80")), of_ipv4, "{scope:?}");
            assert_eq!(missing(&scope, &ipv6("80")), of_ipv6, "{scope:?}");
        }
        assert_eq!(missing(&ipv4("80"), &ipv6("80")).len(), 1);
        assert_eq!(missing(&ipv4("1-90"), &targets("80")).len(), 1);
        assert_eq!(missing(&ipv4("1-90"), &ipv4("80")), []);
        assert_eq!(missing(&targets("1-90"), &ipv4("80")), []);
        for (scope, count) in [("127.0.0.1:80", 0), ("127.0.0.2:80", 1), ("127.0.0.1:81", 1)] {
            assert_eq!(missing(&targets(scope), &targets("tcp/127.0.0.1:80")).len(), count, "{scope}");
        }
        for (scope, target, count) in [
            ("[fe80::1%eth0]:80", "tcp/[fe80::1%eth0]:80", 0),
            ("[fe80::1%eth1]:80", "tcp/[fe80::1%eth0]:80", 1),
            ("[fe80::1]:80", "tcp/[fe80::1%eth0]:80", 0),
            ("[fe80::1%eth0]:80", "tcp/[fe80::1]:80", 1),
        ] {
            assert_eq!(missing(&targets(scope), &targets(target)).len(), count, "{scope} {target}");
        }
        assert_eq!(missing(&targets("1-65535"), &targets("65535")), [], "the last port");
    }

    #[test]
    fn a_snapshot_with_connections_covers_them() {
        let saved = std::fs::read("tests/replay/workstation.json").unwrap();
        let mut snapshot = crate::render::json::read(&saved).unwrap();
        snapshot.selections = None;
        let missing = |snapshot: &Snapshot, query: &Query| query.selection().not_covered(snapshot);
        let connections = Query::new().connections(true);
        snapshot.listeners.iter_mut().for_each(|listener| listener.connections = None);
        assert_eq!(missing(&snapshot, &Query::new()), []);
        assert_eq!(missing(&snapshot, &connections), [NotCovered::Connections]);
        snapshot.listeners[0].connections = Some(Vec::new());
        assert_eq!(missing(&snapshot, &connections), []);
        assert_eq!(missing(&snapshot, &connections.all(true)), [NotCovered::States]);
        // The default selection takes a saved one as it is.
        snapshot.selections = Some(vec![targets("80").selection().clone()]);
        assert_eq!(missing(&snapshot, &Query::new()), []);
    }

    #[test]
    fn questions_with_nothing_in_common() {
        let overlap = |one: &Query, other: &Query| one.selection().overlaps(other.selection());
        assert!(!overlap(&targets("1-10"), &targets("20-30")));
        assert!(overlap(&targets("1-10"), &targets("10-30")));
        assert!(!overlap(&targets("tcp/80"), &targets("udp/80")));
        assert!(!overlap(&Query::new().protocol(Protocol::Tcp), &targets("unix")));
        assert!(!overlap(&Query::new().ipv4(true), &Query::new().ipv6(true)));
        assert!(overlap(&Query::new(), &targets("80")));
        assert!(Query::new().pid(1).selection().selects_other_holders(Query::new().pid(2).selection()));
        assert!(!Query::new().pid(1).selection().selects_other_holders(Query::new().selection()));
        // Sockets with a path.
        assert!(!overlap(&targets("/run/x"), &targets("/run/y")));
        assert!(overlap(&targets("/run/x"), &targets("/run/x")));
        assert!(
            overlap(&targets("unix"), &targets("/run/x")) && overlap(&targets("/run/x"), &targets("unix"))
        );
    }

    #[test]
    fn one_filter_with_nothing_in_common_selects_other_holders() {
        use crate::model::UserName;
        let plain = Selection::default;
        let by = |one: usize, value: u32| {
            let mut selection = plain();
            match one {
                0 => selection.pids = vec![value],
                1 => selection.users = vec![UserName::Uid(value)],
                2 => selection.commands = vec![value.to_string().as_str().into()],
                3 => selection.trees = vec![value],
                _ => selection.directories = vec![format!("/{value}").as_str().into()],
            }
            selection
        };
        for filter in 0..5 {
            assert!(by(filter, 1).selects_other_holders(&by(filter, 2)), "{filter}");
            assert!(!by(filter, 1).selects_other_holders(&by(filter, 1)), "{filter}");
            assert!(!by(filter, 1).selects_other_holders(&by((filter + 1) % 5, 2)), "{filter}");
        }
    }
}
