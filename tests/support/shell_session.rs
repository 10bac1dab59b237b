//! Interactive shells on a pseudo-terminal, with the completions of the program under test.

use super::{Cmd, PtySession, folder};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A shell with completions of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The shells with completions that the program answers.
pub(crate) const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

static SESSIONS: AtomicU32 = AtomicU32::new(0);

/// A running shell. A command line of `allears` is not run: its words are printed, each in brackets.
pub(crate) struct ShellSession {
    terminal: PtySession,
    /// A folder of its own, in which it runs.
    pub(crate) folder: PathBuf,
}

impl Shell {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    /// Starts it with the completions that the program prints, as this user if there is one.
    pub(crate) fn start(self, user: Option<u32>) -> ShellSession {
        let number = SESSIONS.fetch_add(1, Ordering::Relaxed);
        let folder = folder().join(format!("shell-{number}"));
        std::fs::create_dir_all(&folder).expect("make a folder for a shell");
        // The prompt is put together, so that it is not found in a line that is echoed.
        let (file, start, setup) = match self {
            Self::Bash => (
                "bashrc",
                "exec bash --noprofile --rcfile ./bashrc -i",
                "bind 'set bell-style none' 'set enable-bracketed-paste off'\n\
                 source <(command allears completions bash)\n\
                 allears() { printf '[%s]' \"$@\"; echo; }\n\
                 PS1='re''ady> '\n",
            ),
            // The script is found and loaded at the first Tab.
            Self::Zsh => (
                ".zshrc",
                "command allears completions zsh >./_allears; ZDOTDIR=. exec zsh -d -i",
                "unsetopt beep prompt_cr prompt_sp auto_remove_slash\n\
                 fpath=($PWD $fpath)\n\
                 autoload -Uz compinit; compinit -u -D\n\
                 allears() { printf '[%s]' \"$@\"; echo; }\n\
                 PS1='re''ady> '\n",
            ),
            Self::Fish => (
                "setup.fish",
                "exec fish --no-config --private --init-command 'source ./setup.fish'",
                "command allears completions fish | source\n\
                 function allears; printf '[%s]' $argv; echo; end\n\
                 function fish_prompt; echo 're''ady> '; end\n\
                 function fish_title; end\n",
            ),
        };
        std::fs::write(folder.join(file), setup).expect("write the setup of a shell");
        #[cfg(unix)]
        std::os::unix::fs::chown(&folder, user, user).expect("give the folder to its user");
        // The program is $0.
        let start = format!("cd {} && PATH=$(dirname \"$0\"):$PATH && {start}", folder.display());
        let shell = Cmd::new(Vec::<String>::new()).through(["setsid", "-c", "sh", "-c", start.as_str()]);
        let home = folder.display().to_string();
        let shell = shell.env("TERM", "xterm").env("LC_ALL", "C.UTF-8").env("HOME", &home).user(user);
        let mut terminal = shell.start_on_terminal();
        terminal.wait_for_text("ready>");
        ShellSession { terminal, folder }
    }
}

impl ShellSession {
    /// Types a line with a Tab at its end, runs it, and waits until its words are `words`.
    #[track_caller]
    pub(crate) fn expect_words(&mut self, line: &str, words: &[&str]) {
        self.terminal.press(&format!("{line}\t\r"));
        self.terminal.wait_for_text(&format!("[{}]", words.join("][")));
    }

    /// Types a line and two Tabs until this text is listed, and removes the line. A busy machine may find a holder too
    /// late for one answer.
    #[track_caller]
    pub(crate) fn expect_listed(&mut self, line: &str, text: &str) {
        let mut tries = 0;
        while !self.terminal.shows(text) {
            tries += 1;
            assert!(tries < 60, "{text} is never listed");
            // What Ctrl-U leaves is nothing, and the answer shows that the lists before it are complete.
            self.terminal.press(&format!("{line}\t\t\u{5}\u{15}echo do''ne-{tries}\r"));
            self.terminal.wait_for_text(&format!("done-{tries}"));
        }
    }

    /// Returns whether this text is or was on the screen.
    pub(crate) fn shows(&self, text: &str) -> bool {
        self.terminal.shows(text)
    }
}
