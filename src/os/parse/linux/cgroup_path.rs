//! Finds the service and the container that a cgroup belongs to, by its path. Pure.
//!
//! A unit is read from a path exactly as systemd reads it (cg_path_get_unit() and cg_path_get_user_unit() in its
//! src/basic/cgroup-util.c, alike in 252 and 257): slices, then the unit; below `user@UID.service`, slices and a unit
//! of that user's manager. Cgroups below a unit belong to the user to whom it was delegated, who chooses their names
//! freely.

use crate::model::{Container, Service, ServiceManager, ServiceScope};
use crate::os::parse::linux::cgroup_boundary;
use crate::os::parse::linux::cgroup_boundary::Boundary;
use crate::os::parse::unit_name;
use crate::os::parse::unit_name::UnitKind;

/// The location of the cgroups of this machine's own service manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::os) enum Root {
    /// Below this path, which is empty for the root of the tree.
    At(Vec<u8>),
    /// Unknown: the root of the tree that this process sees is inside another tree.
    Unknown,
}

impl Root {
    /// Returns the root by the first process. As the first process, systemd is in `init.scope` of its own root, in
    /// every cgroup namespace and also inside a container. Without systemd the tree's root is the manager's if the
    /// whole tree is visible.
    pub(in crate::os) fn from(
        first_process: Option<&[u8]>,
        its_cgroup: Option<&[u8]>,
        whole_tree: bool,
    ) -> Root {
        match its_cgroup {
            Some(path) if first_process == Some(b"systemd\n") => {
                let root = path.strip_suffix(b"/init.scope").unwrap_or(path);
                Root::At(root.strip_suffix(b"/").unwrap_or(root).to_vec())
            }
            _ if whole_tree => Root::At(Vec::new()),
            _ => Root::Unknown,
        }
    }

    /// Returns the part of a path below the root.
    fn strip<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        let Root::At(root) = self else { return None };
        path.strip_prefix(root.as_slice()).filter(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }
}

/// Returns the service and the container that a cgroup belongs to: the service of this machine's own managers, and the
/// outermost container. `is_in_own_pid_namespace` is called if the path does not begin as systemd's do.
pub(in crate::os) fn belongs_to(
    root: &Root,
    path: &[u8],
    is_in_own_pid_namespace: &mut dyn FnMut() -> bool,
) -> (Option<Service>, Option<Container>) {
    let below = root.strip(path);
    let parts: Vec<&[u8]> =
        below.unwrap_or(path).split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    let mut boundary = cgroup_boundary::outermost(&parts);
    if let Some(boundary) = &mut boundary {
        boundary.container.uid = parts.get(..boundary.outside).and_then(manager_above);
    }
    // The cgroups above the cgroup namespace are unknown.
    let service = if below.is_none() || parts.contains(&&b".."[..]) {
        None
    } else {
        service(&parts, boundary.as_ref(), is_in_own_pid_namespace)
    };
    (service, boundary.map(|boundary| boundary.container))
}

/// Returns the service outside of a boundary.
fn service(
    parts: &[&[u8]],
    boundary: Option<&Boundary>,
    is_in_own_pid_namespace: &mut dyn FnMut() -> bool,
) -> Option<Service> {
    let outside = parts.get(..boundary.map_or(parts.len(), |boundary| boundary.outside))?;
    // Root may have created cgroups above the slices. Engines that are not known to this program do so too, and use a
    // pid namespace for what they run.
    let first = outside.iter().position(|part| kind(part).is_some())?;
    if first > 0 && !is_in_own_pid_namespace() {
        return None;
    }
    let UnitPath { mut unit, mut below, .. } = unit_below_slices(outside.get(first..)?)?;
    let uid = user_of_manager(unit);
    if uid.is_some() {
        let place = unit_below_slices(below)?;
        if is_desktop_unit(name(place.unit), place.slice) {
            return None;
        }
        (unit, below) = (place.unit, place.below);
    }
    let name = name(unit);
    if !matches!(kind(unit), Some(UnitKind::Service | UnitKind::Socket)) {
        return None;
    }
    let runs = |boundary: &Boundary| below.is_empty() && cgroup_boundary::runs_one(name, &boundary.container);
    if !boundary.is_none_or(runs) {
        return None;
    }
    Some(Service {
        manager: ServiceManager::Systemd,
        name: name.into(),
        scope: if uid.is_some() { ServiceScope::User } else { ServiceScope::System },
        uid,
        activates: None,
    })
}

/// Returns the user below whose manager the last of these cgroups is.
fn manager_above(outside: &[&[u8]]) -> Option<u32> {
    let first = outside.iter().position(|part| kind(part).is_some())?;
    user_of_manager(unit_below_slices(outside.get(first..)?)?.unit)
}

/// A unit and the cgroups around it.
struct UnitPath<'a> {
    /// The innermost slice, empty for the root.
    slice: &'a [u8],
    unit: &'a [u8],
    below: &'a [&'a [u8]],
}

fn unit_below_slices<'a>(parts: &'a [&'a [u8]]) -> Option<UnitPath<'a>> {
    let slices = parts.iter().take_while(|part| kind(part) == Some(UnitKind::Slice)).count();
    let slice = parts.get(..slices)?.last().copied().unwrap_or_default();
    let (unit, below) = parts.get(slices..)?.split_first()?;
    Some(UnitPath { slice, unit, below })
}

fn kind(part: &[u8]) -> Option<UnitKind> {
    unit_name::runnable(name(part))
}

/// Removes the `_` that systemd puts before names with a meaning to the kernel: `_memory.service` (cg_escape()).
fn name(part: &[u8]) -> &[u8] {
    part.strip_prefix(b"_").unwrap_or(part)
}

/// Returns the user in `user@1000.service`, below which that user's own units are.
fn user_of_manager(unit: &[u8]) -> Option<u32> {
    let uid = unit.strip_prefix(b"user@")?.strip_suffix(b".service")?;
    let is_number = uid == b"0" || (uid.iter().all(u8::is_ascii_digit) && !uid.starts_with(b"0"));
    std::str::from_utf8(uid).ok().filter(|_| is_number)?.parse().ok()
}

/// Returns whether a unit of a user's manager holds a desktop application or a part of the session, with all that is
/// started in it: a server in an editor's terminal is in the editor's unit, and stopping that closes the editor.
///
/// Applications are `app-NAME@RANDOM.service` or `app-ID.service` with a reverse domain name (systemd's
/// docs/DESKTOP_ENVIRONMENTS.md, "XDG standardization for applications"), and programs that the session's bus starts
/// `dbus-:1.2-ID@0.service` (dbus-broker). Sessions are in session.slice (same page), or named as by GNOME, KDE and
/// uwsm.
fn is_desktop_unit(name: &[u8], slice: &[u8]) -> bool {
    const PARTS_OF_SESSIONS: [&[u8]; 9] = [
        b"org.gnome.",
        b"org.kde.",
        b"gnome-session",
        b"gnome-shell",
        b"gnome-terminal",
        b"plasma-",
        b"wayland-wm@",
        b"wayland-session",
        b"dbus-:",
    ];
    let Some(stem) = name.strip_suffix(b".service") else { return false };
    let of_application =
        stem.strip_prefix(b"app-").is_some_and(|id| id.contains(&b'@') || id.contains(&b'.'));
    of_application
        || slice == b"session.slice"
        || PARTS_OF_SESSIONS.iter().any(|prefix| stem.starts_with(prefix))
}

#[cfg(test)]
mod tests;
