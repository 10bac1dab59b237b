//! Enums whose variants have a word each in documents, and that keep the words of other versions.

/// Defines an enum with a word for each variant, `Display`, `FromStr` and `From<&str>`. A word that is none of them becomes
/// `Other`, so that a document of a later version is written again as it was read.
macro_rules! open_enum {
    (
        $(#[$about:meta])*
        $name:ident {
            $($(#[$doc:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// A word that this version does not know, from a document of another one.
            Other($crate::model::Text),
        }

        impl $name {
            /// Every word.
            #[cfg(test)]
            pub(crate) const NAMES: &'static [&'static str] = &[$($word),+];

            /// Returns the word for it, as documents have it.
            pub fn name(&self) -> std::borrow::Cow<'_, str> {
                match self {
                    $($name::$variant => std::borrow::Cow::Borrowed($word),)+
                    $name::Other(word) => word.to_string_lossy(),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.name())
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.name())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str> as serde::Deserialize<'de>>::deserialize(deserializer)?;
                Ok(word.as_ref().into())
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => $name::$variant,)+
                    other => $name::Other(other.into()),
                }
            }
        }

        impl From<&$name> for $crate::model::Text {
            fn from(name: &$name) -> Self {
                $crate::model::Text::from(name.name().as_ref())
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Ok(word.into())
            }
        }
    };
}

pub(in crate::model) use open_enum;
