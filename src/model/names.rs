//! Gives enums their names: `as_str`, `Display`, `FromStr` and, with the feature `serde`, the two traits of serde, all from
//! one list. The names are those of JSON, and a value without a name does not compile.
//!
//! A macro of this crate and not strum: strum cannot name [`Evidence::WaitsIn`](crate::Evidence), whose values have
//! names of their own, and its derive would be one more procedural macro to build for each user of the library.

use std::error::Error;
use std::fmt;

/// A name that no value of a type has.
///
/// ```
/// use allears::Protocol;
///
/// let error = "icmp".parse::<Protocol>().unwrap_err();
/// assert_eq!(error.to_string(), "'icmp' is not a protocol");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    what: &'static str,
    name: String,
}

impl UnknownName {
    pub(crate) fn new(what: &'static str, name: &str) -> UnknownName {
        UnknownName { what, name: name.to_owned() }
    }

    /// Returns the name that was parsed.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let article = if self.what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        write!(f, "'{}' is not {article} {}", crate::model::text::visible(&self.name), self.what)
    }
}

impl Error for UnknownName {}

macro_rules! names {
    ($type:ident, $what:literal: $($names:tt)+) => {
        names! { $type, $what, eq: $($names)+ }
    };
    // `$eq` compares a name with one that is parsed.
    ($type:ident, $what:literal, $eq:ident: $($names:tt)+) => {
        $crate::model::names::names_without_serde! { $type as $type, $what, $eq: $($names)+ }

        #[cfg(feature = "serde")]
        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<$type, D::Error> {
                let name = <::std::borrow::Cow<'de, str> as ::serde::Deserialize<'de>>::deserialize(deserializer)?;
                name.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}

/// Gives an enum its names without the traits of serde: for one that has none, or derives them. `$public` is its name in
/// the crate's root.
macro_rules! names_without_serde {
    ($type:ident, $what:literal: $($names:tt)+) => {
        names_without_serde! { $type as $type, $what, eq: $($names)+ }
    };
    ($type:ident as $public:ident, $what:literal: $($names:tt)+) => {
        names_without_serde! { $type as $public, $what, eq: $($names)+ }
    };
    (
        $type:ident as $public:ident, $what:literal, $eq:ident:
        $($variant:ident $(($inner:path))? => $name:literal),+ $(,)?
    ) => {
        impl $type {
            /// Every value with its name.
            #[cfg(test)]
            pub(crate) const NAMES: &'static [($type, &'static str)] =
                &[$(($type::$variant $(($inner))?, $name)),+];

            /// Returns the name in lower case with hyphens, as in JSON.
            ///
            /// ```
            #[doc = concat!("for name in [", $("\"", $name, "\", ",)+ "] {")]
            #[doc = concat!("    assert_eq!(name.parse::<allears::", stringify!($public), ">().unwrap().as_str(), name);")]
            /// }
            /// ```
            pub fn as_str(self) -> &'static str {
                match self {
                    $($type::$variant $(($inner))? => $name,)+
                }
            }

            pub(crate) fn parse(name: &str) -> Option<$type> {
                $(if <str>::$eq($name, name) {
                    return Some($type::$variant $(($inner))?);
                })+
                None
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $type {
            type Err = $crate::model::names::UnknownName;

            fn from_str(name: &str) -> ::std::result::Result<$type, Self::Err> {
                $type::parse(name).ok_or_else(|| $crate::model::names::UnknownName::new($what, name))
            }
        }
    };
}

/// Gives an enum whose variants have fields the method `as_str`, and tests the list of its names.
macro_rules! variant_names {
    ($type:ident: $($pattern:pat => $name:literal),+ $(,)?) => {
        impl $type {
            /// Every name.
            #[cfg(test)]
            pub(crate) const NAMES: &'static [&'static str] = &[$($name),+];

            /// Returns the name in lower case with hyphens, as in JSON.
            pub fn as_str(&self) -> &'static str {
                match self {
                    $($pattern => $name,)+
                }
            }
        }
    };
}

pub(crate) use {names, names_without_serde, variant_names};

#[cfg(test)]
mod tests {
    use crate::act::{FreeRefusalReason, FreeStepReason, SkipReason, StepAction, StepResult, WaitFor};
    use crate::bind_attempt::Overlap;
    use crate::compare::{ChangeKind, Difference};
    use crate::management::kernel_socket::CloseEffect;
    use crate::management::{RestarterKind, Via};
    use crate::model::{
        BpfStep, ErrorKind, Evidence, Exposure, Family, FileChange, FreezerScope, HolderSearch,
        KernelSocketKind, OpenService, PathContent, PathTarget, PrivilegePurpose, ProbeOutcome, Protocol,
        Reader, State, UnknownUser, UnseenReason, WaitingCall,
    };
    use crate::port_info::{PortRange, UseStatus};
    use crate::verdict::{
        BoundHistory, Preference, ProxyPurpose, ShareOption, SharedBy, SuspectedPolicy, VerdictKind,
    };

    macro_rules! each_name_is_parsed {
        ($($type:ident),+) => {
            $(for (value, name) in $type::NAMES {
                assert_eq!(value.to_string(), *name);
                assert_eq!(name.parse(), Ok(*value));
                let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(letter);
                assert!(name.chars().all(is_plain), "{name}");
                assert!("no such name".parse::<$type>().is_err());
            })+
        };
    }

    #[test]
    fn every_value_has_a_name_that_is_parsed_again() {
        each_name_is_parsed!(
            BoundHistory,
            BpfStep,
            WaitingCall,
            ChangeKind,
            Difference,
            ErrorKind,
            Evidence,
            Exposure,
            Family,
            FileChange,
            FreeStepReason,
            FreeRefusalReason,
            FreezerScope,
            HolderSearch,
            KernelSocketKind,
            OpenService,
            ProbeOutcome,
            Overlap,
            PathContent,
            PathTarget,
            PortRange,
            Preference,
            Protocol,
            PrivilegePurpose,
            Reader,
            UnseenReason,
            ProxyPurpose,
            CloseEffect,
            RestarterKind,
            ShareOption,
            SharedBy,
            SkipReason,
            State,
            StepAction,
            StepResult,
            SuspectedPolicy,
            UnknownUser,
            UseStatus,
            VerdictKind,
            Via,
            WaitFor
        );
    }

    #[test]
    fn an_unknown_name_is_quoted_and_escaped() {
        let error = "\u{1b}[2J".parse::<Exposure>().unwrap_err();
        assert_eq!(error.to_string(), "'\\u{1b}[2J' is not an exposure");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn facts_are_read_as_they_were_written() {
        let snapshot = crate::Query::new().all(true).connections(true).scan().unwrap();
        let written = serde_json::to_string(&snapshot).unwrap();
        assert_eq!(serde_json::from_str::<crate::Snapshot>(&written).unwrap(), snapshot);
        let text = crate::Text::from(&b"a\xff"[..]);
        assert_eq!(serde_json::to_string(&text).unwrap(), "[97,255]");
        assert_eq!(serde_json::from_str::<crate::Text>("[97,255]").unwrap(), text);
        assert_eq!(serde_json::to_string(&State::TimeWait).unwrap(), "\"time-wait\"");
        assert!(serde_json::from_str::<State>("\"no state\"").is_err());
    }
}
