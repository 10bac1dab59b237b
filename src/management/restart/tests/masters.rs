//! Servers that replace their workers, and file watchers.

use super::*;

#[test]
fn servers_that_replace_their_workers() {
    for (file, command, worker, name) in [
        ("/usr/bin/python3", &["python3", "/usr/bin/gunicorn", "x:app"][..], &["python3"][..], "gunicorn"),
        ("/usr/bin/python3", &["python3", "-m", "gunicorn", "x:app"], &["python3"], "gunicorn"),
        ("/usr/bin/python3", &["gunicorn: master [shop]"], &["gunicorn: worker [shop]"], "gunicorn"),
        ("/usr/bin/python3", &["python3", "/v/bin/uvicorn", "x:app", "--workers=2"], &["python3"], "uvicorn"),
        (
            "/usr/bin/python3",
            &["python3", "/v/bin/granian", "--respawn-failed-workers", "x:app"],
            &["python3"],
            "granian",
        ),
        (
            "/usr/sbin/nginx",
            &["nginx: master process nginx -g daemon off;"],
            &["nginx: worker process"],
            "nginx",
        ),
        (
            "/usr/sbin/php-fpm8.2",
            &["php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"],
            &["php-fpm: pool www"],
            "php-fpm",
        ),
        (
            "/usr/bin/ruby3.1",
            &["puma 5.6.5 (tcp://0.0.0.0:3000) [shop]"],
            &["puma: cluster worker 0"],
            "puma",
        ),
    ] {
        let found = TestProcesses::default().runs(file, command).runs(file, worker).only();
        assert_eq!((found.kind, found.name.as_str().unwrap()), (RestarterKind::ServerMaster, name));
        assert_eq!((found.delay, found.stop), (Some(SECOND), Stop::EndRestarter), "{name}");
        // Another program that it runs.
        TestProcesses::default().runs(file, command).runs("/usr/lib/cgi-bin/x", &["x"]).none();
    }
    // An environment variable, which is not read, may replace the option.
    for command in [&["python3", "/v/bin/granian", "x:app"], &["python3", "/v/bin/uvicorn", "x:app"]] {
        let found =
            TestProcesses::default().runs("/usr/bin/python3", command).runs("/usr/bin/python3", command);
        assert_eq!(found.only().certainty, Certainty::Likely);
    }
    for command in [
        &["python3", "/v/bin/hypercorn", "x:app"][..],
        &["python3", "/v/bin/flask", "run", "--debug"],
        &["python3", "manage.py", "runserver"],
    ] {
        TestProcesses::default().runs("/usr/bin/python3", command).runs("/usr/bin/python3", command).none();
    }
}

#[test]
fn file_watchers_restart_on_changes() {
    for (file, command, name) in [
        ("/usr/bin/node", &["node", "/srv/node_modules/.bin/nodemon", "x.js"][..], "nodemon"),
        ("/usr/bin/node", &["node", "/usr/lib/node_modules/nodemon/bin/nodemon.js", "x.js"], "nodemon"),
        ("/usr/bin/node", &["node", "/srv/node_modules/tsx/dist/cli.mjs", "watch", "x.ts"], "cli"),
        ("/usr/bin/node", &["node", "--watch", "x.js"], "node"),
        ("/usr/bin/entr", &["entr", "-r", "node", "x.js"], "entr"),
        ("/home/dev/.cargo/bin/watchexec", &["watchexec", "-r", "node", "x.js"], "watchexec"),
        ("/usr/bin/python3", &["python3", "/v/bin/uvicorn", "--reload", "x:app"], "uvicorn"),
        ("/usr/bin/python3", &["python3", "/v/bin/watchfiles", "node x.js"], "watchfiles"),
    ] {
        let found =
            TestProcesses::default().runs(file, command).runs("/usr/bin/node", &["node", "x.js"]).only();
        assert_eq!((found.kind, found.trigger), (RestarterKind::FileWatcher, Trigger::FileChange));
        assert_eq!((found.name.as_str(), found.stop), (Some(name), Stop::EndRestarter));
    }
    // Options of the script, and another program with a similar name.
    for command in [&["node", "x.js", "--watch"][..], &["node", "/srv/nodemon.d/x.js"]] {
        TestProcesses::default().runs("/usr/bin/node", command).runs("/usr/bin/node", &["node"]).none();
    }
}
