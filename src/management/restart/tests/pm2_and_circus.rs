//! circusd and the daemon of pm2.

use super::*;

#[test]
fn watchers_of_circus_are_matched_by_their_commands() {
    let run = |config: &str, command: &[&str]| {
        TestProcesses::default()
            .runs("/usr/bin/python3", &["/usr/bin/python3", "/usr/bin/circusd", "--daemon", "c.ini"])
            .within("/srv")
            .file("/srv/c.ini", config)
            .runs("/usr/bin/node", command)
    };
    let config = "[circus]\nendpoint = tcp://127.0.0.1:7000\ncheck_delay = 2.5\n[watcher:web]\n\
                  cmd = node x.js --fd\nargs = $(circus.sockets.web)\n[watcher:api]\ncmd=node y.js\nrespawn=False\n";
    let found = run(config, &["node", "x.js", "--fd", "7"]).only();
    assert_eq!(words(&found.stop), "circusctl --endpoint tcp://127.0.0.1:7000 stop web");
    assert_eq!((found.delay, found.certainty), (Some(Duration::from_millis(2500)), Certainty::Certain));
    run(config, &["node", "y.js"]).none();
    let found = run(config, &["node", "z.js"]).only();
    assert_eq!(words(&found.stop), "find: circusctl --endpoint tcp://127.0.0.1:7000 status");
    // circusd keeps its own sockets open when it stops a watcher.
    let shared = "[watcher:web]\ncmd = z\nuse_sockets = True\n[socket:web]\nport = 80\n";
    let found = run(shared, &["z"]).only();
    assert_eq!((program(&found), &found.stop), (Some("web"), &Stop::Unknown));
    let found = run("[watcher:web]\ncmd = z\n", &["node", "x.js"]).only();
    assert_eq!(words(&found.stop), "circusctl --endpoint tcp://127.0.0.1:5555 stop web");
    assert_eq!(found.delay, Some(5 * SECOND));
}

#[test]
fn pm2_commands_run_as_the_user_of_the_daemon() {
    let run = |uid: u32, own_uid: u32| {
        let mut processes = TestProcesses::default()
            .runs("/usr/bin/node", &["PM2 v5.3.0: God Daemon (/home/dev/.pm2)"])
            .runs("/usr/bin/node", &["node", "/srv/x.js"]);
        processes.processes[0].uid = Some(uid);
        processes.processes[0].user = Some("dev".into());
        processes.own_uid = own_uid;
        processes.only()
    };
    let found = run(1000, 1000);
    assert_eq!(words(&found.stop), "find: env PM2_HOME=/home/dev/.pm2 pm2 list");
    assert_eq!((found.kind, found.name, found.delay), (RestarterKind::Pm2, "pm2".into(), None));
    assert_eq!(words(&run(1000, 0).stop), "find: sudo -u dev env PM2_HOME=/home/dev/.pm2 pm2 list");
    let processes = TestProcesses::default()
        .runs("/usr/bin/node", &["node", "/usr/lib/node_modules/pm2/lib/Daemon.js"])
        .runs("/usr/bin/node", &["node", "/srv/x.js"]);
    assert_eq!(words(&processes.only().stop), "find: pm2 list");
}
