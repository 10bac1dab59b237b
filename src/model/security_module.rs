//! The security modules of Linux, and how one confines a process.

use std::convert::Infallible;
use std::str::FromStr;

use super::Text;

/// A security module of Linux.
///
/// ```
/// use allears::SecurityModule;
///
/// assert_eq!("landlock".parse(), Ok(SecurityModule::Landlock));
/// assert_eq!(SecurityModule::AppArmor.to_string(), "apparmor");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum SecurityModule {
    /// AppArmor.
    AppArmor,
    /// Programs of BPF.
    Bpf,
    /// The capabilities of every Linux.
    Capability,
    /// The Extended Verification Module.
    Evm,
    /// The Integrity Measurement Architecture.
    Ima,
    /// Integrity Policy Enforcement.
    Ipe,
    /// Landlock.
    Landlock,
    /// LoadPin.
    LoadPin,
    /// Lockdown.
    Lockdown,
    /// SafeSetID.
    SafeSetId,
    /// SELinux.
    SeLinux,
    /// Smack.
    Smack,
    /// TOMOYO.
    Tomoyo,
    /// Yama.
    Yama,
    /// A module that this version does not know, by its number in the kernel.
    Numbered(u64),
    /// A module that this version does not know, by its name in the kernel.
    Other(Text),
}

/// How a security module confines a process.
///
/// ```
/// use allears::Fact;
///
/// for fact in allears::why(&allears::Target::port(10309)?)?.facts {
///     if let Fact::Confinement(confinement) = fact {
///         println!("{}: {}", confinement.module, confinement.context.to_string_lossy());
///     }
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Confinement {
    /// The security module.
    pub module: SecurityModule,
    /// Its profile or context for the process: `docker-default (enforce)`.
    pub context: Text,
}

impl From<&str> for SecurityModule {
    fn from(name: &str) -> SecurityModule {
        match name {
            "apparmor" => SecurityModule::AppArmor,
            "bpf" => SecurityModule::Bpf,
            "capability" => SecurityModule::Capability,
            "evm" => SecurityModule::Evm,
            "ima" => SecurityModule::Ima,
            "ipe" => SecurityModule::Ipe,
            "landlock" => SecurityModule::Landlock,
            "loadpin" => SecurityModule::LoadPin,
            "lockdown" => SecurityModule::Lockdown,
            "safesetid" => SecurityModule::SafeSetId,
            "selinux" => SecurityModule::SeLinux,
            "smack" => SecurityModule::Smack,
            "tomoyo" => SecurityModule::Tomoyo,
            "yama" => SecurityModule::Yama,
            other => SecurityModule::Other(other.into()),
        }
    }
}

/// Parses the name that the kernel has for a module.
impl FromStr for SecurityModule {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<SecurityModule, Infallible> {
        Ok(name.into())
    }
}
