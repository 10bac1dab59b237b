//! Determines the program of a process: the script or module if an interpreter runs it, the applet of a multi-call binary,
//! otherwise the program's file. A title that the process sets does not decide on its own.

use super::Sources;
use crate::model::{Process, Text};
use crate::os::parse::program_link::deleted_path;
use crate::program_label;

/// The program a process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// The program's path, a script's path, or a module's name.
    pub(super) path: Text,
    /// Its arguments, without an interpreter's own options.
    pub(super) arguments: Vec<Text>,
    /// Whether an interpreter runs it.
    pub(super) interpreted: bool,
    /// The title with which the process replaced its command line: `gunicorn: master [shop]`.
    pub(super) title: Option<Text>,
}

/// Multi-call binaries: the first argument, or the name that they were started by, selects the applet.
const MULTICALL: [&[u8]; 3] = [b"busybox", b"toybox", b"coreutils"];

impl Program {
    /// Determines the program of a process.
    pub(super) fn from_process(process: &Process) -> Program {
        let command = process.command.as_deref().unwrap_or_default();
        let first = command.first().cloned().unwrap_or_default();
        let after = |at: usize| command.get(at..).unwrap_or_default().to_vec();
        let title = match command {
            [only] if !only.as_bytes().starts_with(b"/") && only.as_bytes().contains(&b' ') => {
                Some(only.clone())
            }
            _ => None,
        };
        if let Some((path, arguments)) = program_label::started(process) {
            return Program { path, arguments, interpreted: true, title };
        }
        let file = process
            .executable
            .as_ref()
            .map(|file| Text::from(deleted_path(file.as_bytes()).unwrap_or(file.as_bytes())));
        let by_first_word = file.as_ref().is_none_or(|file| MULTICALL.contains(&file.file_name()));
        let path = match file {
            Some(file) if !by_first_word => file,
            // `busybox runsv web` is the same as `runsv web`.
            Some(_) if MULTICALL.contains(&first.file_name()) => {
                let path = command.get(1).cloned().unwrap_or_default();
                return Program { path, arguments: after(2), interpreted: false, title };
            }
            _ if title.is_some() || first.is_empty() => process.name.clone(),
            _ => first,
        };
        Program { path, arguments: after(1), interpreted: program_label::is_interpreted(process), title }
    }

    /// Returns the word that starts another program of the same installation: its path if it is beside this program
    /// outside of the system's folders, as in a virtual environment, otherwise its name.
    pub(super) fn companion(&self, process: &Process, name: &str, sources: &mut dyn Sources) -> Text {
        const SYSTEM: [&[u8]; 6] =
            [b"/usr/bin", b"/usr/sbin", b"/bin", b"/sbin", b"/usr/local/bin", b"/usr/local/sbin"];
        let interpreter = process.command.iter().flatten().next().filter(|_| self.interpreted);
        let folder = [Some(&self.path), interpreter].into_iter().flatten().find_map(|path| {
            let path = match (path.as_bytes(), &process.directory) {
                (absolute @ [b'/', ..], _) => absolute.to_vec(),
                // The name of a module.
                _ if path == &self.path && !self.is_file(process) => return None,
                (relative, Some(folder)) if relative.contains(&b'/') => {
                    [folder.as_bytes(), b"/", relative].concat()
                }
                _ => return None,
            };
            let at = path.iter().rposition(|byte| *byte == b'/')?;
            path.get(..at).map(Text::from)
        });
        let beside = folder.filter(|folder| !SYSTEM.contains(&folder.as_bytes())).filter(|folder| {
            let names = sources.folder(process.id, folder).unwrap_or_default();
            names.iter().any(|file| file.as_bytes() == name.as_bytes())
        });
        beside
            .map_or_else(|| name.into(), |folder| [folder.as_bytes(), b"/", name.as_bytes()].concat().into())
    }

    /// Returns whether its path is a word of the command line, and not the name of a module.
    fn is_file(&self, process: &Process) -> bool {
        process.command.iter().flatten().any(|word| *word == self.path)
    }

    /// Returns its name: the last part of the path, without the extension of a JavaScript file or of a Windows program.
    pub(super) fn name(&self) -> &[u8] {
        let name = self.path.file_name();
        [&b".js"[..], b".mjs", b".cjs", b".exe"]
            .iter()
            .find_map(|ending| name.strip_suffix(*ending))
            .unwrap_or(name)
    }

    /// Returns whether it has this name, or is in the Node package of this name.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name() == name.as_bytes() || (self.interpreted && self.is_in_package(name))
    }

    /// Returns whether it is one of these programs.
    pub(super) fn is_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.is_named(name))
    }

    /// Returns whether it is a file of this package: `node_modules/NAME/...`.
    fn is_in_package(&self, name: &str) -> bool {
        let mut parts = self.path.as_bytes().split(|byte| matches!(byte, b'/' | b'\\'));
        let mut parts =
            std::iter::from_fn(|| parts.next()).skip_while(|part| *part != b"node_modules").skip(1);
        parts.next() == Some(name.as_bytes())
    }

    /// Returns whether the title begins with this text.
    pub(super) fn is_titled(&self, beginning: &str) -> bool {
        self.title.as_ref().is_some_and(|title| title.as_bytes().starts_with(beginning.as_bytes()))
    }

    /// Returns whether its arguments contain an option, alone or with `=` and a value.
    pub(super) fn has_option(&self, option: &str) -> bool {
        self.arguments.iter().any(|word| is_option(word.as_bytes(), option))
    }

    /// Returns the value of the first of these options in its arguments: the next word, the text after `=`, or for a
    /// single letter the rest of the word.
    pub(super) fn value(&self, options: &[&str]) -> Option<&[u8]> {
        let mut words = self.arguments.iter().map(Text::as_bytes);
        while let Some(word) = words.next() {
            for option in options {
                let Some(rest) = word.strip_prefix(option.as_bytes()) else { continue };
                let is_long = option.starts_with("--");
                match rest {
                    b"" => return words.next(),
                    [b'=', value @ ..] if is_long => return Some(value),
                    value if !is_long => return Some(value),
                    _ => {}
                }
            }
        }
        None
    }
}

fn is_option(word: &[u8], option: &str) -> bool {
    word.strip_prefix(option.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"="))
}
