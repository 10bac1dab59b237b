//! What somebody who controls a process can do to the answers, beside what the tests of names, projects, units,
//! containers and suggested commands show; and that the tests which docs/security.md names exist.

use crate::support::live_test;
#[cfg(unix)]
use crate::support::{
    Cmd, Fixture, Output, Steps, control_character, copy_of, fixture_program, folder, port, without_styles,
};
#[cfg(unix)]
use serde_json::json;

/// Returns the text between backquotes.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

#[live_test]
fn every_test_that_the_page_names_exists() {
    let page = std::fs::read_to_string("docs/security.md").expect("tests run in the folder of the package");
    let mut checked = 0;
    for name in quoted(&page) {
        let Some((place, test)) = name.split_once("::") else { continue };
        let file = match place.starts_with("src/") {
            true => place.to_owned(),
            false => format!("tests/live/{place}.rs"),
        };
        let source = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {file}: {error}"));
        assert!(source.contains(&format!("fn {test}(")), "{file} has no test {test}");
        checked += 1;
    }
    assert!(checked > 30, "only {checked} tests are named");
}

/// Text that a terminal would act on, or that looks like more rows, columns or words.
#[cfg(unix)]
const HOSTILE: [&[u8]; 5] = [
    b"\x1b[31mred\x1b[0m\x1b]0;title\x07",
    b"a\nb\r  22  tcp  *  sshd  1  root",
    "\u{202e}gnp.exe \u{2066}x\u{2069} \u{200b}".as_bytes(),
    b"\xff\xfe\x9b31m",
    b"'; touch /tmp/x; $(touch /tmp/x) `touch /tmp/x` \"",
];

/// Every output that is made for people.
#[cfg(unix)]
fn outputs(target: &str) -> Vec<Output> {
    let forms: [&[&str]; 9] = [
        &[],
        &["--wide"],
        &["--parents"],
        &["--csv"],
        &["--columns", "port,process,command,directory,what"],
        &["why"],
        &["free", "--dry-run"],
        &["--verbose"],
        &["--all"],
    ];
    let cmd = |form: &&[&str]| Cmd::new(form.iter().copied().chain([target]));
    let piped = forms.iter().map(|form| cmd(form).run().without_panic());
    let shown = forms.iter().map(|form| cmd(form).env("TERM", "xterm-256color").run_on_terminal(90));
    piped.chain(shown).collect()
}

/// Name, arguments and folder are hostile at the same time.
#[cfg(unix)]
#[live_test(Linux)]
fn hostile_text_reaches_no_terminal() {
    for (number, text) in HOSTILE.iter().enumerate() {
        let place = folder().join(format!("hostile-{number}"));
        let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(text);
        // A slash separates folders.
        let directory = place.join(name.to_string_lossy().replace('/', "_"));
        std::fs::create_dir_all(&directory).expect("make a folder");
        std::fs::write(directory.join("package.json"), "{}").expect("make a project");
        let steps = Steps::new(["tcp=127.0.0.1:0"]).bytes("name", text).bytes("command", text);
        let server = steps.directory(&directory).start();
        let target = server.port().to_string();
        for output in outputs(&target) {
            let text = without_styles(output.text());
            output.assert_eq(control_character(&text), None, "a character that a terminal would act upon");
            output.assert_eq(control_character(&without_styles(&output.errors())), None, "on standard error");
            output.assert(text.contains(&target), "the port is there");
        }
        let answer = Cmd::new([&target]).answer(0);
        answer.assert_eq(crate::support::pids(answer.only()), vec![server.pid()], "the holder");
        let rows = Cmd::new(["--csv", "--no-header", &target]).run().code(0);
        rows.assert_eq(rows.text().lines().count(), 1, "rows of CSV");
    }
}

/// A program may call itself `sshd`. Its file, its user and its unit are those of the kernel.
#[cfg(unix)]
#[live_test(Linux)]
fn a_borrowed_name_hides_no_program() {
    let program = copy_of(&fixture_program(), Some("sshd"));
    let server =
        Steps::new(["tcp=127.0.0.1:0".to_owned(), "command=sshd".into()]).program(program.clone()).start();
    let answer = Cmd::new([server.port().to_string()]).answer(0);
    let holder = answer.only_holder(answer.only());
    answer.assert_eq(&holder["name"], &json!("sshd"), "name");
    answer.assert_eq(&holder["executable"], &json!(program.display().to_string()), "executable");
    answer.assert_eq(&holder["pid"], &json!(server.pid()), "pid");
    let service = &answer.only()["service"]["name"];
    answer.assert(
        !["ssh.service", "sshd.service"].iter().any(|name| service == name),
        "no service of that name",
    );
}

/// An apostrophe keeps a spreadsheet from calculating it.
#[cfg(unix)]
#[live_test(Linux)]
fn a_formula_is_text_in_one_cell() {
    let text = b"=1+1,\"x\"";
    let server = Steps::new([format!("tcp=127.0.0.1:{}", port())]).bytes("name", text).start();
    let target = server.port().to_string();
    let table = Cmd::new(["--csv", "--no-header", "--columns", "port,process,pid", &target]).run().code(0);
    let wanted = format!("{target},\"'=1+1,\"\"x\"\"\",{}", server.pid());
    table.assert_eq(table.text().trim_end(), wanted.as_str(), "the row");
}

/// The lines of docs/security.md, with the real sudo.
#[cfg(unix)]
#[live_test(Linux, Root, Program("sudo"), Program("visudo"), Program("setpriv"), MOUNT_NAMESPACE)]
fn the_line_for_sudo_allows_the_list_and_nothing_else() {
    let page = std::fs::read_to_string("docs/security.md").expect("the page");
    let lines = page.split("```\nCmnd_Alias ").nth(1).and_then(|rest| rest.split("```").next());
    let lines = format!("Cmnd_Alias {}", lines.expect("the page has the lines"));
    let program = "/usr/local/sbin/allears";
    let rules = lines.replace("/usr/bin/allears", program).replace("%adm", "nobody");
    let file = folder().join("sudoers");
    std::fs::write(&file, format!("Defaults env_reset\n{rules}")).expect("write the rules");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o440))
        .expect("set the mode");
    let path = file.display().to_string();
    let checked =
        std::process::Command::new("visudo").args(["-c", "-f", &path]).output().expect("run visudo");
    assert!(checked.status.success(), "visudo: {}", String::from_utf8_lossy(&checked.stdout));
    let server = Fixture::start(["tcp=127.0.0.1:0"]);
    let target = server.port().to_string();
    // The program is at its path, and the rules are the machine's, in a mount namespace alone.
    let script = format!(
        "mount -t tmpfs none /usr/local/sbin && cp \"$1\" {program} && mount --bind {path} /etc/sudoers && shift && \
         exec setpriv --reuid=65534 --regid=65534 --clear-groups sudo -n {program} \"$@\""
    );
    let run = |words: &[&str]| {
        Cmd::new(words.iter().copied()).through(["unshare", "--mount", "sh", "-c", &script, "sh"]).run()
    };
    let answer = crate::support::JsonOutput::parse(run(&["--json", &target]).code(0));
    answer.assert_eq(crate::support::pids(answer.only()), vec![server.pid()], "the holder, as root sees it");
    answer.assert_eq(&answer.document["privileged"], &json!(true), "privileged");
    for allowed in [&[][..], &["--json"], &[&target]] {
        run(allowed).code(0);
    }
    let refused: [&[&str]; 9] = [
        &["--from", "/etc/shadow"],
        &["--json", "--from", "/etc/shadow"],
        &["diff", "/etc/shadow"],
        &["man", "/tmp"],
        &["watch", "--", "id"],
        &["free", "--yes", &target],
        &["--probe", &target],
        &["1\n--from", "/etc/shadow"],
        &["1 --from /etc/shadow"],
    ];
    for words in refused {
        let output = run(words);
        output.assert_eq(output.status.code(), Some(1), "sudo refuses");
        output.assert(output.errors().contains("sudo:"), "it is sudo that refuses");
        output.assert(output.text().is_empty(), "nothing is printed");
    }
}
