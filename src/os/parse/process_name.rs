//! The name of a process, from three names that a system reports: that of its first thread, its file's, and its first
//! argument. Pure.
//!
//! On Linux a process is listed by the name of its first thread, 15 bytes at most, which a program may set to anything:
//! a title (`nginx: worker`), a worker's name, or the name of a thread. Node 24 names its first thread `MainThread`, as
//! many programs do; the thread pools of Tokio and Java also set names.

use crate::model::{Process, Text};

/// The longest name of a thread in bytes on Linux (TASK_COMM_LEN without the NUL).
const LONGEST_COMM: usize = 15;
/// The longest title in bytes that is used as a name.
const LONGEST_TITLE: usize = 64;

/// Names that threads have in any program: without case and punctuation, cut as Linux cuts them.
const THREAD_NAMES: [&str; 20] = [
    "asyncstdrunti",
    "crbrowsermain",
    "crrenderermain",
    "crutilitymain",
    "gamethread",
    "gdbus",
    "geckomain",
    "gmain",
    "libuvworker",
    "main",
    "mainloop",
    "mainprocess",
    "renderthread",
    "tokiortworker",
    "tokioruntimew",
    "uithread",
    "unitymain",
    "v8defaultworke",
    "v8workerthread",
    "workerthread",
];

/// Returns whether this is the name of a thread, which does not identify the program: `MainThread`, `main`, `Thread-1`.
pub(crate) fn is_thread_name(name: &[u8]) -> bool {
    let plain: Vec<u8> =
        name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    let numbered = |start: &str| {
        plain.strip_prefix(start.as_bytes()).is_some_and(|rest| rest.iter().all(u8::is_ascii_digit))
    };
    // `pool-1-thread-1` of Java's executors.
    let pooled = plain.starts_with(b"pool") && contains(&plain, b"thread");
    // Only ASCII is compared: a name with other letters would be distorted.
    name.is_ascii()
        && (contains(&plain, b"mainthread")
            || numbered("thread")
            || pooled
            || THREAD_NAMES.iter().any(|known| known.as_bytes() == plain))
}

/// Completes the kernel's 15 bytes by the program's file, the first argument or a title that begins with them. The name
/// of a thread is replaced by the program's name.
pub(crate) fn full_name(comm: &[u8], executable: Option<&Text>, command: &[Text]) -> Text {
    if let Some(program) = windows_program(executable, command) {
        return program.into();
    }
    if is_thread_name(comm) {
        return program(executable, command).map_or_else(|| comm.into(), Text::from);
    }
    if comm.len() < LONGEST_COMM {
        return comm.into();
    }
    let file = executable.map(Text::file_name);
    let argument = command.first().map(Text::file_name);
    let begins = |name: &&[u8]| name.starts_with(comm);
    if let Some(whole) = [file, argument].into_iter().flatten().find(begins) {
        return whole.into();
    }
    // A title may contain slashes; the text after the last one is not a file's name.
    match command.first().map(Text::as_bytes).filter(begins) {
        Some(title) if title.len() <= LONGEST_TITLE => title.trim_ascii_end().into(),
        Some(_) => program(executable, command).unwrap_or(comm).into(),
        None => comm.into(),
    }
}

/// Returns the Windows program that wine runs: its loader gives the process that command line, and its own name or
/// none.
fn windows_program<'a>(executable: Option<&Text>, command: &'a [Text]) -> Option<&'a [u8]> {
    const LOADERS: [&[u8]; 4] = [b"wine", b"wine64", b"wine-preloader", b"wine64-preloader"];
    executable.filter(|file| LOADERS.contains(&file.file_name()))?;
    let name = command.first()?.as_bytes().rsplit(|byte| matches!(byte, b'/' | b'\\')).next()?;
    let ending = name.len().checked_sub(4).and_then(|at| name.get(at..));
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case(b".exe")).then_some(name)
}

/// Returns the program's name by its file, or by the word it was started with if that is a shorter form of the same:
/// `python3` for `python3.11`.
fn program<'a>(executable: Option<&'a Text>, command: &'a [Text]) -> Option<&'a [u8]> {
    let word = command.first().and_then(|first| {
        // A title is one argument of several words, whose first may be a path.
        let end = match command.len() {
            1 => first.as_bytes().iter().position(|byte| *byte == b' '),
            _ => None,
        };
        let word = first.as_bytes().get(..end.unwrap_or(first.as_bytes().len()))?;
        let word = word.rsplit(|byte| matches!(byte, b'/' | b'\\')).next()?;
        let word = word.strip_suffix(b":").unwrap_or(word);
        Some(word.strip_prefix(b"-").unwrap_or(word)).filter(|word| !word.is_empty())
    });
    match (executable.map(Text::file_name).filter(|file| !file.is_empty()), word) {
        (Some(file), Some(word)) if file.starts_with(word) => Some(word),
        (Some(file), _) => Some(file),
        (None, word) => word,
    }
}

/// Returns the program that runs in a process, if the process's name does not show it: `python3.11` for a process with
/// the name `worker-7`.
pub(crate) fn hidden_program(process: &Process) -> Option<&[u8]> {
    let file = process.executable.as_ref().map(Text::file_name).filter(|file| !file.is_empty())?;
    let name = process.name.as_bytes();
    let own = without_version(file);
    let begins = |text: &[u8], start: &[u8]| {
        text.get(..start.len()).is_some_and(|part| part.eq_ignore_ascii_case(start))
    };
    // A process that runs a script may have the script's name, which is among the arguments.
    let is_argument = |argument: &Text| {
        let argument = argument.file_name();
        argument == name || (name.len() == LONGEST_COMM && argument.starts_with(name))
    };
    let names_it = begins(name, own)
        || (!name.is_empty() && begins(file, name))
        || process.command.iter().flatten().any(is_argument);
    (!names_it && !own.is_empty()).then_some(file)
}

/// Removes the version: `python3.11` becomes `python`.
fn without_version(file: &[u8]) -> &[u8] {
    let end = file.iter().rposition(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'-')).map_or(0, |at| at + 1);
    file.get(..end).unwrap_or(file)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::ProcessId;

    fn name_of(comm: &str, executable: &str, command: &[&str]) -> String {
        let executable = Some(Text::from(executable)).filter(|path| !path.is_empty());
        let command: Vec<Text> = command.iter().map(|word| Text::from(*word)).collect();
        full_name(comm.as_bytes(), executable.as_ref(), &command).to_string_lossy().into_owned()
    }

    #[test]
    fn a_thread_name_gives_way_to_the_program() {
        for name in
            ["MainThread", "main", "Main", "Main Thread", "main-thread", "Thread-1", "pool-1-thread-1"]
        {
            assert_eq!(name_of(name, "/usr/bin/node", &["node", "server.js"]), "node", "{name}");
            assert_eq!(
                name_of(name, "/usr/bin/python3.11", &["/usr/bin/python3", "-c", "x"]),
                "python3",
                "{name}"
            );
            assert_eq!(name_of(name, "", &["/usr/bin/node", "server.js"]), "node", "{name}");
            assert_eq!(name_of(name, "", &["node /srv/blog/server.js"]), "node", "{name}");
            assert_eq!(name_of(name, "/usr/bin/node", &["vite"]), "node", "{name}");
            assert_eq!(name_of(name, "", &[]), name, "nothing else is known");
        }
        assert_eq!(name_of("tokio-runtime-w", "/srv/shop", &["./shop"]), "shop");
        assert_eq!(name_of("main", "/home/dev/main", &["./main"]), "main", "a program of that name");
        for name in ["worker-7", "nginx: worker", "maintenance", "threadfin", "m\u{e4}inthread", "", "vite"] {
            assert_eq!(name_of(name, "/usr/bin/python3.11", &["python3"]), name);
        }
    }

    #[test]
    fn a_name_that_was_cut_is_whole() {
        assert_eq!(name_of("systemd-resolve", "/usr/lib/systemd/systemd-resolved", &[]), "systemd-resolved");
        assert_eq!(
            name_of("a-long-script-n", "/usr/bin/python3", &["/bin/a-long-script-name"]),
            "a-long-script-name"
        );
        assert_eq!(name_of("a-long-script-n", "/usr/bin/python3", &["x"]), "a-long-script-n");
    }

    #[test]
    fn titles_with_slashes_are_not_cut() {
        for title in [
            "node /srv/blog/server.js",
            "server 6.4.0 (tcp://127.0.0.1:3000) [shop]",
            "/opt/my app/bin/server --flag",
            "worker: /srv/a",
            "worker: /srv/a/long/path",
            "next-server (v14.2.3)",
        ] {
            let comm = title.get(..15).unwrap_or(title);
            assert_eq!(name_of(comm, "/usr/bin/python3.11", &[title]), title);
            assert_eq!(name_of(comm, "", &[title]), title);
        }
        let long = format!("puma 6.4.2 (tcp://{})", "x".repeat(100));
        assert_eq!(name_of("puma 6.4.2 (tcp", "/usr/bin/ruby3.1", &[&long]), "ruby3.1");
        assert_eq!(name_of("puma 6.4.2 (tcp", "", &[&long]), "puma");
    }

    fn hidden(name: &str, executable: &str, command: &[&str]) -> Option<String> {
        let mut process = Process::new(ProcessId { pid: 2, start: None }, name.into());
        process.executable = Some(executable.into());
        process.command = Some(command.iter().map(|word| Text::from(*word)).collect());
        hidden_program(&process).map(|name| String::from_utf8_lossy(name).into_owned())
    }

    #[test]
    fn a_program_that_its_name_does_not_tell() {
        assert_eq!(hidden("worker-7", "/usr/bin/python3.11", &["python3", "a.py"]).unwrap(), "python3.11");
        assert_eq!(
            hidden("node /srv/a.js", "/usr/bin/python3.11", &["node /srv/a.js"]).unwrap(),
            "python3.11"
        );
        assert_eq!(hidden("", "/usr/bin/node", &[]).unwrap(), "node");
        assert_eq!(hidden("pytho", "/usr/bin/perl", &["perl", "python"]).unwrap(), "perl", "not cut");
        assert_eq!(hidden("pytho-x", "/usr/bin/python3.11", &[]).unwrap(), "python3.11");
        for (name, executable, command) in [
            ("node", "/usr/bin/node", &["node"][..]),
            ("nginx: worker", "/usr/sbin/nginx", &[]),
            ("tmux: server", "/usr/bin/tmux", &["tmux"]),
            ("python3", "/usr/bin/python3.11", &[]),
            ("php-fpm: pool www", "/usr/sbin/php-fpm8.2", &["php-fpm: pool www"]),
            ("gunicorn", "/usr/bin/python3.11", &["/v/bin/python", "/v/bin/gunicorn", "a:b"]),
            ("a-long-script-n", "/usr/bin/python3.11", &["python3", "/bin/a-long-script-name"]),
            ("redis-server", "/usr/bin/redis-check-rdb", &["redis-server", "*:6379"]),
            ("s.exe", "/opt/wine/bin/wine64-preloader", &[r"C:\x\s.exe"]),
            ("i2pd-daemon", "/usr/bin/i2pd", &["i2pd"]),
            ("SSH.EXE", r"C:\Windows\ssh.exe", &[]),
        ] {
            assert_eq!(hidden(name, executable, command), None, "{name}");
        }
    }

    #[test]
    fn wine_runs_the_program_of_its_command_line() {
        let name = |executable: &str, command: &str| {
            full_name(b"wine64", Some(&executable.into()), &[command.into(), "--port=80".into()])
                .to_string_lossy()
                .into_owned()
        };
        assert_eq!(name("/usr/lib/wine/wine64", "/srv/shop/fixture.exe"), "fixture.exe");
        assert_eq!(name("/opt/wine/bin/wine64-preloader", r"C:\shop\Server.EXE"), "Server.EXE");
        assert_eq!(name("/usr/lib/wine/wine64", "wine64"), "wine64");
        assert_eq!(name("/srv/wine64.exe", "/srv/shop.exe"), "wine64");
    }

    proptest! {
        #[test]
        fn any_bytes(comm: Vec<u8>, executable: Option<Vec<u8>>, command: Vec<Vec<u8>>) {
            let executable = executable.map(Text::from);
            let command: Vec<Text> = command.into_iter().map(Text::from).collect();
            let name = full_name(&comm, executable.as_ref(), &command);
            let is_own = comm.len() < LONGEST_COMM && !is_thread_name(&comm);
            let of_wine = windows_program(executable.as_ref(), &command).is_some();
            prop_assert!(!is_own || of_wine || name.as_bytes() == comm);
            let mut process = Process::new(ProcessId { pid: 2, start: None }, name);
            process.executable = executable;
            process.command = Some(command);
            let _ = hidden_program(&process);
        }
    }
}
