//! The words for security modules, and for how one confines a process.

use std::fmt;

use crate::model::{Confinement, SecurityModule};

/// Writes the name that the kernel has for it: `apparmor`.
impl fmt::Display for SecurityModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            SecurityModule::AppArmor => "apparmor",
            SecurityModule::Bpf => "bpf",
            SecurityModule::Capability => "capability",
            SecurityModule::Evm => "evm",
            SecurityModule::Ima => "ima",
            SecurityModule::Ipe => "ipe",
            SecurityModule::Landlock => "landlock",
            SecurityModule::LoadPin => "loadpin",
            SecurityModule::Lockdown => "lockdown",
            SecurityModule::SafeSetId => "safesetid",
            SecurityModule::SeLinux => "selinux",
            SecurityModule::Smack => "smack",
            SecurityModule::Tomoyo => "tomoyo",
            SecurityModule::Yama => "yama",
            SecurityModule::Numbered(number) => return write!(f, "security module {number}"),
            SecurityModule::Other(name) => return f.pad(&name.to_string_lossy()),
        })
    }
}

/// Writes the module and the context: `apparmor docker-default (enforce)`.
impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.module, self.context.to_string_lossy())
    }
}
