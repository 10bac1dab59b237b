//! Launchers that restrict the program under test.

use super::fixture_program;

/// Returns a launcher for nobody with these capabilities, written as setpriv(1) expects them.
pub(crate) fn nobody_with(capabilities: &str) -> Vec<String> {
    let capabilities = [format!("--inh-caps={capabilities}"), format!("--ambient-caps={capabilities}")];
    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        .map(str::to_owned)
        .into_iter()
        .chain(capabilities)
        .collect()
}

/// Returns a launcher that makes netlink sockets fail with this error number.
pub(crate) fn without_netlink(error: i32) -> Vec<String> {
    let fixture = fixture_program();
    let fixture = fixture.to_str().expect("the path of the fixture is text").to_owned();
    vec![fixture, format!("refuse-netlink={error}"), "exec".to_owned()]
}
