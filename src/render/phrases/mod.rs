//! The one way to name a process, a user, an address, a container, a duration or what the kernel holds, in every sentence
//! of the program. Names from outside are escaped. A phrase has no full stop and fits into a sentence.

mod address;
mod command;
#[cfg(feature = "cli")]
mod connection;
mod container;
mod coverage;
mod free;
mod gap;
mod git_head;
mod help;
mod holders;
mod kernel;
#[cfg(feature = "cli")]
mod listener;
#[cfg(feature = "cli")]
mod managing_program;
#[cfg(feature = "cli")]
mod namespace;
mod note;
#[cfg(feature = "cli")]
mod other_address;
#[cfg(feature = "cli")]
mod probe;
mod process;
mod registration;
mod security_module;
mod sources;
mod suspension;
#[cfg(feature = "cli")]
mod system;
mod target;
mod time;
mod unseen;

// The answers of single commands. Their functions are named with the module.
#[cfg(feature = "cli")]
pub(crate) mod comparison;
#[cfg(feature = "cli")]
pub(crate) mod completion;
#[cfg(feature = "cli")]
pub(crate) mod next;
#[cfg(feature = "cli")]
pub(crate) mod no_match;
#[cfg(feature = "cli")]
pub(crate) mod pids;
#[cfg(feature = "cli")]
pub(crate) mod release;
#[cfg(feature = "cli")]
pub(crate) mod summary;
#[cfg(feature = "cli")]
pub(crate) mod watch;
#[cfg(feature = "cli")]
pub(crate) mod watch_command;

use std::fmt;

use crate::model::text::enumerate;

pub(crate) use address::{endpoint, endpoint_and_interface};
pub(crate) use command::{allears_with_sudo, commands_in_order};
pub(crate) use container::container_or_pod;
pub(crate) use help::help;
pub(crate) use holders::holders;
pub(crate) use kernel::{close_command, kernel_sockets};
pub(crate) use note::note;
pub(crate) use process::{candidate, name_and_pid, name_pid_and, opener, process};
pub(crate) use suspension::{condition, effect_of_signals, remedy};
pub(crate) use target::target;
pub(crate) use time::whole_seconds;
pub(crate) use unseen::{unseen_ends, unseen_evidence};

// Only the command's formats need these.
#[cfg(feature = "cli")]
pub(crate) use {
    address::{NO_FILE, address, address_phrase, is_exposed, path_content, reach},
    connection::{clients, connection},
    container::{container, name_or_pod, pod},
    gap::gap,
    kernel::close_commands,
    listener::{
        checked_out, condition_of_all, conditions, description, description_and_condition, program_change,
        project,
    },
    managing_program::{managing_program, restarter_kind},
    namespace::{listens_in_other_namespaces, outside_own_network},
    other_address::held_at_another_address,
    probe::{probe, probe_meaning},
    process::{Naming, holder_user, process_as, process_name, socket_user, uncertain, user},
    registration::assigned_names,
    sources::sources,
    system::system,
    target::{bind_target, ignored_interface, resolved_by_file},
    time::{ago, duration},
    unseen::{evidence, is_evidence_equal, unseen_holder},
};

/// Returns at most `most` of the names, and how many more there are: `a, b, 3 more`.
pub(crate) fn list<T>(items: &[T], most: usize, name: impl Fn(&T) -> String) -> String {
    shown(items, most, name).join(", ")
}

/// Returns what [`list`] returns, with "and" before the last: `a, b and 3 more`.
pub(crate) fn list_with_and<T>(items: &[T], most: usize, name: impl Fn(&T) -> String) -> String {
    list_and(shown(items, most, name))
}

/// Returns all items: `a, b and c`.
pub(crate) fn list_and(items: impl IntoIterator<Item = impl fmt::Display>) -> String {
    enumerate(items, "and")
}

/// Returns all items: `a, b or c`.
pub(crate) fn list_or(items: impl IntoIterator<Item = impl fmt::Display>) -> String {
    enumerate(items, "or")
}

fn shown<T>(items: &[T], most: usize, name: impl Fn(&T) -> String) -> Vec<String> {
    let mut shown: Vec<String> = items.iter().take(most).map(name).collect();
    if items.len() > most {
        shown.push(format!("{} more", items.len() - most));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_and_say_how_much_is_missing() {
        let name = |number: &u8| number.to_string();
        assert_eq!(list(&[1, 2, 3, 4, 5], 3, name), "1, 2, 3, 2 more");
        assert_eq!(list_with_and(&[1, 2, 3, 4, 5], 3, name), "1, 2, 3 and 2 more");
        assert_eq!(list_with_and(&[1, 2], 3, name), "1 and 2");
        assert_eq!(list_with_and(&[1], 3, name), "1");
        assert_eq!(list::<u8>(&[], 3, name), "");
    }
}
