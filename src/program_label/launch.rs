//! The languages of interpreters, and what an interpreter runs.

/// The language of a table of tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    JavaScript,
    Python,
    Ruby,
    Php,
    Perl,
    Java,
    Dotnet,
    Elixir,
    Shell,
}

/// What an interpreter runs.
#[derive(Debug)]
pub(super) enum Start<'a> {
    Script {
        path: &'a [u8],
        arguments: &'a [&'a [u8]],
    },
    /// A module by its name: `python -m`.
    Module {
        name: &'a [u8],
        arguments: &'a [&'a [u8]],
    },
    Named(Vec<u8>),
    /// A file with any name.
    File(Vec<u8>),
}
