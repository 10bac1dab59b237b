//! The live tests of this binary. `#[live_test(NEEDS)]` before a function registers it.

use super::Need;
use super::needs::Missing;
use libtest_mimic::{Completion, Failed, Trial};
use std::process::Command;

/// A function that is a test, and what it needs of the machine.
pub(crate) struct Test {
    /// The path of the function, beginning with the name of this binary.
    pub(crate) path: &'static str,
    pub(crate) needs: &'static [Need],
    pub(crate) run: fn(),
}

inventory::collect!(Test);

/// Registers a function as a [`Test`]. `#[live_test]` expands to this.
macro_rules! register {
    ($name:ident []) => {
        inventory::submit! {
            crate::support::Test { path: concat!(module_path!(), "::", stringify!($name)), needs: &[], run: $name }
        }
    };
    ($name:ident [$($need:expr),+ $(,)?]) => {
        inventory::submit! {
            crate::support::Test {
                path: concat!(module_path!(), "::", stringify!($name)),
                needs: {
                    use crate::support::needs::*;
                    &[$($need),+]
                },
                run: $name,
            }
        }
    };
}
pub(crate) use register;

/// Returns all registered tests, sorted by name. Nothing is probed before a test runs.
///
/// A test whose need is missing is ignored, and the reason is printed. It fails if `may_skip` is false and the need can
/// be expected of every machine.
pub(crate) fn tests(may_skip: bool) -> Vec<Trial> {
    let mut tests: Vec<&Test> = inventory::iter::<Test>.into_iter().collect();
    tests.sort_by_key(|test| test.path);
    tests.into_iter().map(|test| trial(test, may_skip)).collect()
}

/// Set for a process that runs one test: the file to which it writes the documents that it recorded.
pub(crate) const ALONE: &str = "ALLEARS_LIVE_ALONE";

/// Runs a test in a process of its own.
fn alone(name: &str) -> Result<Completion, Failed> {
    let documents = super::folder().join(format!("alone-{}", name.replace("::", "-")));
    let mut own = Command::new(std::env::current_exe()?);
    let output = own.args(["--exact", name, "--test-threads=1"]).env(ALONE, &documents).output()?;
    if !output.status.success() {
        let (stdout, stderr) = (&output.stdout, &output.stderr);
        return Err(format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr)).into());
    }
    super::documents::load(&documents);
    Ok(Completion::Completed)
}

fn trial(test: &'static Test, may_skip: bool) -> Trial {
    let name = test.path.split_once("::").map_or(test.path, |(_binary, name)| name);
    Trial::ignorable_test(name, move || {
        let Some(Missing { why, is_expected }) = test.needs.iter().find_map(|need| need.missing()) else {
            if cfg!(unix) && test.needs.contains(&Need::OwnProcess) && std::env::var_os(ALONE).is_none() {
                return alone(name);
            }
            (test.run)();
            return Ok(Completion::Completed);
        };
        if is_expected && !may_skip {
            return Err(format!("{why}, and ALLEARS_NO_SKIP=1 does not allow to skip the test").into());
        }
        eprintln!("skipped: {name}: {why}");
        Ok(Completion::ignored_with(why))
    })
}
