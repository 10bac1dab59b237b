//! Invalid arguments are usage errors that show the invalid part, before anything is read.

use crate::support::{Cmd, live_test};

#[live_test]
fn invalid_targets_are_usage_errors() {
    let wrong = [
        "0",
        "65536",
        "10-5",
        "1.2.3:80",
        "[::1]",
        "8080/xyz",
        "xyz/8080",
        ":",
        "80-",
        "-80-90",
        "1-65536",
        "tcp/",
        "127.0.0.1:0",
        "[::1:80",
        "8080.5",
        "0x50",
        "+80",
        "8 0",
        "99999999999999999999",
        "tcp/udp/80",
        "127.0.0.1:",
    ];
    for target in wrong {
        let output = Cmd::new(["--", target]).run().without_panic().code(2);
        output.assert(output.stdout.is_empty(), "standard output carries answers alone");
        let errors = output.errors();
        let mut quoted = errors.split(['\'', '"', '`']).skip(1).step_by(2);
        let shown = quoted.any(|part| !part.is_empty() && target.contains(part));
        output.assert(shown, &format!("standard error quotes the offending part of {target}"));
    }
    for name in ["no-such-service-name", "nosuchservice", "xyz"] {
        let output = Cmd::new(["--", name]).run().code(2);
        let quoted = output.errors().split(['\'', '"', '`']).any(|part| part == name);
        output.assert(quoted, "standard error quotes the whole name, hyphens included");
    }
    for list in ["", "80,", ",80", "80,,81", "80,65536", "80, x y"] {
        let output = Cmd::new(["--", list]).run().without_panic().code(2);
        output.assert(output.stdout.is_empty(), "standard output carries answers alone");
        output.assert(!output.errors().trim().is_empty(), "standard error explains it");
    }
}

#[live_test]
fn invalid_options_are_usage_errors() {
    let wrong: [&[&str]; 9] = [
        &["--no-such-option"],
        &["--pid", "x"],
        &["--pid", "-1"],
        &["--columns", "no-such-column"],
        &["--sort", "no-such-key"],
        &["--color", "sometimes"],
        &["--reader", "telepathy"],
        &["-i", "tcp@:x"],
        &["--json", "--csv"],
    ];
    for arguments in wrong {
        let output = Cmd::new(arguments.iter().copied()).run().without_panic().code(2);
        output.assert(output.stdout.is_empty(), "standard output carries answers alone");
        output.assert(!output.errors().trim().is_empty(), "standard error explains it");
    }
}

#[live_test]
fn help_and_version_are_answers() {
    for option in ["--help", "-h"] {
        let output = Cmd::new([option]).run().code(0);
        output.assert(output.text().contains("allears"), "help names the program");
    }
    let output = Cmd::new(["--version"]).run().code(0);
    output.assert_eq(output.text().trim(), concat!("allears ", env!("CARGO_PKG_VERSION")), "version");
}
