//! Interpreters, and how each finds its script among its arguments: which options take a value, which take code.
//! From the manuals of node, deno, bun, python, ruby, php, perl, dotnet and the shells. A new one is one entry.

use super::launch::{Language, Start};
use super::{file_name, java, programs, short};

/// A program that runs scripts or modules.
#[derive(Debug)]
pub(super) struct Interpreter {
    pub(super) language: Language,
    /// Its names in lower case, without version and `.exe`.
    names: &'static [&'static str],
    /// Letters of options that take a value: the rest of the word, or the next one.
    letters: &'static str,
    /// Letters after which the rest of the word is a value, and the next word is not.
    attached: &'static str,
    /// Letters of options that take code, or that run nothing.
    code: &'static str,
    /// Long options that take the next word as their value.
    long: &'static [&'static str],
    /// Long options that take code, and words that run nothing.
    long_code: &'static [&'static str],
    /// Words before the script, which are commands of the interpreter.
    commands: &'static [Command],
}

/// A command of an interpreter: `deno run`.
#[derive(Debug, Clone, Copy)]
enum Command {
    /// Another word before the script.
    Before(&'static str),
    /// A command that is part of the label, with the next word: `deno task dev`.
    InLabel(&'static str),
}

/// An interpreter without options, as a base for the others.
const PLAIN: Interpreter = Interpreter {
    language: Language::Shell,
    names: &[],
    letters: "",
    attached: "",
    code: "",
    long: &[],
    long_code: &[],
    commands: &[],
};

const INTERPRETERS: [Interpreter; 12] = [
    Interpreter {
        language: Language::JavaScript,
        names: &["node", "nodejs"],
        letters: "rC",
        code: "epc",
        long: &[
            "--conditions",
            "--diagnostic-dir",
            "--disable-warning",
            "--dns-result-order",
            "--env-file",
            "--env-file-if-exists",
            "--experimental-loader",
            "--icu-data-dir",
            "--import",
            "--input-type",
            "--inspect-port",
            "--loader",
            "--localstorage-file",
            "--max-http-header-size",
            "--openssl-config",
            "--redirect-warnings",
            "--require",
            "--title",
            "--tls-cipher-list",
            "--trace-event-categories",
            "--unhandled-rejections",
            "--watch-path",
        ],
        long_code: &["--eval", "--print", "--check", "--run", "--test"],
        commands: &[Command::Before("inspect")],
        ..PLAIN
    },
    Interpreter {
        language: Language::JavaScript,
        names: &["bun", "bunx"],
        letters: "rcdl",
        code: "ep",
        long: &[
            "--conditions",
            "--config",
            "--cwd",
            "--define",
            "--env-file",
            "--import",
            "--loader",
            "--port",
            "--preload",
            "--require",
            "--tsconfig-override",
        ],
        long_code: &["--eval", "--print", "install", "add", "test", "repl"],
        commands: &[Command::InLabel("run"), Command::InLabel("x")],
        ..PLAIN
    },
    Interpreter {
        language: Language::JavaScript,
        names: &["deno"],
        letters: "cL",
        long: &[
            "--cert",
            "--config",
            "--ext",
            "--host",
            "--import-map",
            "--location",
            "--log-level",
            "--port",
            "--preload",
            "--seed",
        ],
        long_code: &["eval", "repl", "lsp", "test", "bench", "jupyter", "install", "compile"],
        commands: &[Command::Before("run"), Command::Before("serve"), Command::InLabel("task")],
        ..PLAIN
    },
    Interpreter {
        language: Language::Python,
        names: &["python", "pypy", "pythonw"],
        letters: "WX",
        code: "c",
        long: &["--check-hash-based-pycs"],
        ..PLAIN
    },
    Interpreter {
        language: Language::Ruby,
        names: &["ruby", "jruby", "truffleruby"],
        letters: "IrCE",
        attached: "W0FKTix",
        code: "e",
        long: &["--encoding", "--external-encoding", "--internal-encoding"],
        ..PLAIN
    },
    Interpreter {
        language: Language::Php,
        names: &["php", "php-cli", "php-cgi"],
        letters: "cdzt",
        code: "rBRFE",
        long: &["--php-ini", "--define", "--docroot", "--zend-extension"],
        long_code: &["--run", "--process-begin", "--process-code", "--process-file", "--process-end"],
        ..PLAIN
    },
    Interpreter {
        language: Language::Perl,
        names: &["perl"],
        letters: "I",
        attached: "MmiFx0lCDdV",
        code: "eE",
        ..PLAIN
    },
    Interpreter { language: Language::Java, names: &["java", "javaw"], ..PLAIN },
    Interpreter {
        language: Language::Dotnet,
        names: &["dotnet"],
        long: &["--additionalprobingpath", "--depsfile", "--runtimeconfig", "--fx-version", "--roll-forward"],
        commands: &[Command::Before("exec"), Command::InLabel("run"), Command::InLabel("watch")],
        ..PLAIN
    },
    Interpreter {
        language: Language::Dotnet,
        names: &["mono", "mono-sgen", "mono-boehm"],
        long: &["--config", "--assembly-loader", "--runtime", "--profile", "--response"],
        ..PLAIN
    },
    Interpreter { language: Language::Elixir, names: &["beam.smp", "beam", "erl"], ..PLAIN },
    Interpreter {
        language: Language::Shell,
        names: &["sh", "bash", "dash", "zsh", "ksh", "ash", "fish"],
        letters: "oO",
        code: "cs",
        long: &["--rcfile", "--init-file"],
        long_code: &["--command"],
        ..PLAIN
    },
];

/// Returns the interpreter of this name: `python3.11`, `node.exe`, `-bash`.
pub(super) fn find(name: &[u8]) -> Option<&'static Interpreter> {
    let lower = name.to_ascii_lowercase();
    let name = lower.strip_suffix(b".exe").unwrap_or(&lower);
    let name = name.strip_prefix(b"-").unwrap_or(name);
    let end = name.iter().rposition(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'-'))?;
    let name = name.get(..=end)?;
    INTERPRETERS.iter().find(|interpreter| interpreter.names.iter().any(|known| known.as_bytes() == name))
}

impl Interpreter {
    /// Returns what it runs. `None` for code, for standard input, and if the arguments do not determine it.
    pub(super) fn start<'a>(&self, arguments: &'a [&'a [u8]]) -> Option<Start<'a>> {
        match self.language {
            Language::Java => java::start(arguments),
            // The arguments of the virtual machine end there.
            Language::Elixir => {
                let at = arguments.iter().position(|word| *word == b"-extra")?;
                let (path, arguments) = arguments.get(at + 1..)?.split_first()?;
                Some(Start::Script { path, arguments })
            }
            _ => self.scan(arguments),
        }
    }

    fn scan<'a>(&self, mut rest: &'a [&'a [u8]]) -> Option<Start<'a>> {
        let mut commands = self.commands;
        if self.language == Language::Ruby
            && let Some(named) = ruby_un(rest)
        {
            return Some(Start::Named(named));
        }
        while let Some((word, after)) = rest.split_first() {
            rest = after;
            let known = |list: &[&str]| list.iter().any(|known| known.as_bytes() == *word);
            if known(self.long_code) || *word == b"-" {
                return None;
            }
            if *word == b"--" {
                let (path, arguments) = rest.split_first()?;
                return Some(Start::Script { path, arguments });
            }
            if known(self.long) {
                rest = rest.get(1..)?;
            } else if word.starts_with(b"--") {
                let code =
                    |known: &&str| word.strip_prefix(known.as_bytes()).is_some_and(|v| v.starts_with(b"="));
                if self.long_code.iter().any(code) {
                    return None;
                }
            } else if self.is_option(word) {
                match self.letters_of(word, rest) {
                    Letters::Taken(more) => rest = rest.get(more..)?,
                    Letters::Start(start) => return start,
                }
            } else if let Some(command) = commands.iter().find(|command| command.word().as_bytes() == *word) {
                if let Command::InLabel(word) = command {
                    return self.command_label(word, rest);
                }
                commands = &[];
            } else {
                return Some(Start::Script { path: word, arguments: rest });
            }
        }
        None
    }

    fn is_option(&self, word: &[u8]) -> bool {
        word.starts_with(b"-") || (self.language == Language::Shell && word.starts_with(b"+"))
    }

    /// Returns the label of a command: `deno task dev`, `dotnet watch run`.
    fn command_label<'a>(&self, command: &str, rest: &'a [&'a [u8]]) -> Option<Start<'a>> {
        let next = rest.first().copied().and_then(short);
        // `bun run server.ts` is a file and no task.
        if let (Some(path), "run") = (next, command)
            && self.language == Language::JavaScript
            && path.contains(&b'.')
        {
            return Some(Start::Script { path, arguments: rest.get(1..).unwrap_or_default() });
        }
        let own = self.names.first().copied().unwrap_or_default();
        let next = match self.language {
            Language::Dotnet => next.filter(|word| *word == b"run"),
            _ => next.map(file_name),
        };
        let words = [Some(own.as_bytes()), Some(command.as_bytes()), next];
        Some(Start::Named(words.into_iter().flatten().collect::<Vec<_>>().join(&b' ')))
    }

    /// Parses a word of short options: how many further words belong to it, or what it runs.
    fn letters_of<'a>(&self, word: &'a [u8], rest: &'a [&'a [u8]]) -> Letters<'a> {
        // Its options are words after a single dash.
        if self.language == Language::Dotnet {
            return Letters::Taken(0);
        }
        for (at, letter) in word.iter().enumerate().skip(1) {
            let has = |letters: &str| letters.as_bytes().contains(letter);
            let value = word.get(at + 1..).filter(|value| !value.is_empty());
            let given = value.or_else(|| rest.first().copied());
            let after = if value.is_some() { rest } else { rest.get(1..).unwrap_or_default() };
            match (self.language, letter) {
                (Language::Python, b'm') => {
                    return Letters::Start(given.map(|name| Start::Module { name, arguments: after }));
                }
                (Language::Php, b'f') => {
                    return Letters::Start(given.map(|path| Start::Script { path, arguments: after }));
                }
                (Language::Php, b'S') => return Letters::Start(Some(Start::Named(b"php -S".to_vec()))),
                _ if has(self.code) => return Letters::Start(None),
                _ if has(self.letters) => return Letters::Taken(usize::from(value.is_none())),
                _ if has(self.attached) => return Letters::Taken(0),
                _ => {}
            }
        }
        Letters::Taken(0)
    }
}

/// Returns the label of `ruby -run -e httpd`, which loads the file `un` and runs one of its commands.
fn ruby_un(arguments: &[&[u8]]) -> Option<Vec<u8>> {
    let un = |at: usize| {
        let word = arguments.get(at)?;
        match *word {
            b"-run" => Some(at + 1),
            b"-r" if arguments.get(at + 1) == Some(&b"un".as_slice()) => Some(at + 2),
            _ => None,
        }
    };
    let at = (0..arguments.len()).find_map(un)?;
    let word = arguments.get(at)?;
    let code = match word.strip_prefix(b"-e")? {
        [] => arguments.get(at + 1)?,
        code => code,
    };
    programs::ruby_un(code)
}

enum Letters<'a> {
    Taken(usize),
    Start(Option<Start<'a>>),
}

impl Command {
    fn word(self) -> &'static str {
        let (Command::Before(word) | Command::InLabel(word)) = self;
        word
    }
}
