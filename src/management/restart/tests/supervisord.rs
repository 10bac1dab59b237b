//! supervisord, and the commands that stop its programs.

use super::*;

#[test]
fn programs_are_named_by_their_commands() {
    let config = format!(
        "{CONTROL}[program:web]\ncommand=node x.js ; the shop\n[program:worker]\n\
         command=node y.js --port 80%(process_num)02d --of %(numprocs)d --at %(program_name)s:%(group_name)s\n\
         numprocs=2\nnumprocs_start=1\nprocess_name=%(program_name)s_%(process_num)02d\nautorestart=true\n\
         [program:once]\ncommand=z\nautorestart=false\n\
         [program:alike]\ncommand=alike\nnumprocs=2\nprocess_name=%(process_num)d\nautorestart=true\n\
         [fcgi-program:php]\ncommand=p\nsocket=tcp://127.0.0.1:9000\nnumprocs=2\n\
         process_name=php_%(process_num)02d\n\
         [fcgi-program:one]\ncommand=q\nsocket=tcp://127.0.0.1:9001\nprocess_name=%(program_name)s_1\n\
         [fcgi-program:some]\ncommand=r\nsocket=tcp://127.0.0.1:9002\nnumprocs=2\nprocess_name=r%(process_num)s\n\
         [group:shop]\nprograms=some, web\n\
         [program:set]\ncommand=node %(ENV_SCRIPT)s --of set\n"
    );
    let run = |command: &[&str]| supervisord(&config).runs("/usr/bin/x", command);
    let web = run(&["node", "x.js"]).only();
    assert_eq!(words(&web.stop), "supervisorctl -c /srv/s.conf stop shop:web");
    assert_eq!((web.name, web.trigger), ("supervisord".into(), Trigger::Failure));
    assert_eq!((web.delay, web.certainty), (Some(2 * SECOND), Certainty::Certain));
    let worker = run(&["node", "y.js", "--port", "8002", "--of", "2", "--at", "worker:worker"]).only();
    assert_eq!(words(&worker.stop), "supervisorctl -c /srv/s.conf stop worker:worker_02");
    assert_eq!((worker.trigger, worker.certainty), (Trigger::End, Certainty::Certain));
    run(&["z"]).none();
    // The program is known, but not which of its processes this one is.
    let alike = run(&["alike"]).only();
    assert_eq!(words(&alike.stop), "find: supervisorctl -c /srv/s.conf status");
    assert_eq!((alike.trigger, alike.certainty), (Trigger::End, Certainty::Certain));
    // All processes of the program share one socket. Other programs of the group keep running.
    assert_eq!(words(&run(&["p"]).only().stop), "supervisorctl -c /srv/s.conf stop php:*");
    assert_eq!(words(&run(&["q"]).only().stop), "supervisorctl -c /srv/s.conf stop one:one_1");
    assert_eq!(words(&run(&["r"]).only().stop), "supervisorctl -c /srv/s.conf stop shop:r0 shop:r1");
    for command in [&["node", "any.js", "--of", "set"][..], &["node", "--inspect", "any.js", "--of", "set"]] {
        assert_eq!(program(&run(command).only()), Some("set"));
    }
    // No program matches.
    for command in [&["node", "y.js", "--port", "8003"][..], &["node", "any.js", "--of", "shop"], &["x"]] {
        let other = run(command).only();
        assert_eq!((program(&other), other.certainty), (None, Certainty::Likely), "{command:?}");
        assert_eq!(words(&other.stop), "find: supervisorctl -c /srv/s.conf status");
    }
}

#[test]
fn programs_behind_shells_and_interpreters_are_named() {
    let config = format!(
        "{CONTROL}[program:script]\ncommand=/srv/run.py --port 1\n[program:path]\ncommand=serve --port 2\n\
         [program:shell]\ncommand=sh -c \"cd /srv && A=1 exec node x.js --port 3 > log\"\n\
         [program:bash]\ncommand=/bin/bash -lc 'node y.js \"a b\"'\n\
         [program:start]\ncommand=%(here)s/start.sh 8000\n[program:given]\ncommand=sh /srv/given\n\
         [program:env]\ncommand=env A=b nice -n 5 node z.js\n[program:nginx]\ncommand=nginx -g \"daemon off;\"\n\
         [program:gunicorn]\ncommand=/v/bin/gunicorn shop:app\n"
    );
    let run = |file: &str, command: &[&str]| {
        supervisord(&config)
            .file("/srv/start.sh", "#!/bin/sh -e\n. ./env\nexec \\\n  web --port \"$1\" <in 2>&1\n")
            .file("/srv/given", "#!/usr/bin/env bash\nif true; then exec given; fi\n")
            .runs(file, command)
            .only()
    };
    for (file, command, name) in [
        ("/usr/bin/python3", &["/usr/bin/python3", "-u", "/srv/run.py", "--port", "1"][..], Some("script")),
        // Another script with the same name.
        ("/usr/bin/python3", &["python3", "/home/run.py", "--port", "1"], None),
        ("/usr/bin/python3", &["python3", "/v/bin/serve", "--port", "2"], Some("path")),
        ("/usr/bin/node", &["node", "x.js", "--port", "3"], Some("shell")),
        ("/usr/bin/node", &["node", "y.js", "a b"], Some("bash")),
        ("/usr/bin/web", &["web", "--port", "8000"], Some("start")),
        ("/usr/bin/dash", &["/bin/sh", "-e", "/srv/start.sh", "8000"], Some("start")),
        ("/usr/bin/given", &["given"], Some("given")),
        ("/usr/bin/node", &["node", "z.js"], Some("env")),
        ("/usr/sbin/nginx", &["nginx: master process nginx -g daemon off;"], Some("nginx")),
        ("/usr/bin/python3.11", &["gunicorn: master [shop:app]"], Some("gunicorn")),
        ("/usr/bin/node", &["node", "log"], None),
    ] {
        assert_eq!(program(&run(file, command)), name, "{command:?}");
    }
}

#[test]
fn equal_commands_are_distinguished_by_their_folders() {
    let config = format!(
        "{CONTROL}[program:shop]\ncommand=node x.js\ndirectory=/srv/shop/\n[program:api]\ncommand=node x.js\n\
         directory=%(here)s/api\n[program:own]\ncommand=node x.js\n"
    );
    for (folder, name) in
        [("/srv/shop", Some("shop")), ("/srv/api", Some("api")), ("/srv", Some("own")), ("/", None)]
    {
        let found = supervisord(&config).runs("/usr/bin/node", &["node", "x.js"]).within(folder).only();
        assert_eq!(program(&found), name, "{folder}");
    }
}

#[test]
fn processes_are_matched_by_their_commands() {
    let config = format!(
        "{CONTROL}[program:web]\ncommand=/usr/bin/node \"x y.js\"\n[program:api]\ncommand=%(here)s/api --port 1\n\
         [group:shop]\nprograms=api, other\n[program:twin]\ncommand=twin\n[program:twin2]\ncommand=twin\n"
    );
    let run = |file: &str, command: &[&str]| supervisord(&config).runs(file, command).only();
    let web = run("/usr/bin/node", &["/usr/bin/node", "x y.js"]);
    assert_eq!(words(&web.stop), "supervisorctl -c /srv/s.conf stop web");
    let api = run("/usr/bin/python3", &["/usr/bin/python3", "/srv/api", "--port", "1"]);
    assert_eq!(program(&api), Some("shop:api"));
    for (file, command) in [("/usr/bin/twin", &["twin"][..]), ("/usr/bin/x", &["x"])] {
        let found = run(file, command);
        assert_eq!(words(&found.stop), "find: supervisorctl -c /srv/s.conf status", "{command:?}");
        assert_eq!((program(&found), found.certainty), (None, Certainty::Likely));
    }
}

#[test]
fn included_files_are_read() {
    let main = format!("{CONTROL}[include]\nfiles = conf.d/*.conf\n");
    let found = supervisord(&main)
        .file("/srv/conf.d/web.conf", "[program:web]\ncommand=web\nautorestart=true\n")
        .file("/srv/conf.d/.hidden.conf", "[program:hidden]\ncommand=web\n")
        .file("/srv/conf.d/web.conf.bak", "[program:backup]\ncommand=web\n")
        .runs("/usr/bin/web", &["web"])
        .only();
    assert_eq!((program(&found), found.trigger), (Some("web"), Trigger::End));
    // If an included file could not be read, an unknown program may match too.
    let main = format!("{CONTROL}[program:web]\ncommand=web\n[include]\nfiles = conf.d/*.conf\n");
    let found = supervisord(&main).runs("/usr/bin/web", &["web"]).only();
    assert_eq!(words(&found.stop), "find: supervisorctl -c /srv/s.conf status");
}

#[test]
fn supervisord_without_a_section_for_supervisorctl() {
    // Without a section for supervisorctl, the address comes from the server's section.
    for (server, url) in [
        ("[unix_http_server]\nfile=%(here)s/s.sock\n", Some("unix:///srv/s.sock")),
        ("[inet_http_server]\nport=*:9001\n", Some("http://127.0.0.1:9001")),
        ("[inet_http_server]\nport=9001\n", Some("http://127.0.0.1:9001")),
        ("[inet_http_server]\nport=10.0.0.1:9001\n", Some("http://10.0.0.1:9001")),
        ("[inet_http_server]\nport=x\n", None),
        ("[unix_http_server]\nfile=%(ENV_X)s\n", None),
        ("", None),
    ] {
        let run = |client: &str| {
            let config = format!("{client}{server}[program:web]\ncommand=web\n");
            supervisord(&config).runs("/usr/bin/web", &["web"]).only()
        };
        let found = run("");
        let stop = url.map_or("unknown".into(), |url| format!("supervisorctl -s {url} stop web"));
        assert_eq!((words(&found.stop), program(&found)), (stop, Some("web")));
        // Other settings of supervisorctl are in its own section.
        if let Some(url) = url {
            let stop = format!("supervisorctl -c /srv/s.conf -s {url} stop web");
            assert_eq!(words(&run("[supervisorctl]\nusername=x\n").stop), stop);
        }
    }
    // The default paths of the configuration.
    let found = TestProcesses::default()
        .runs("/usr/bin/python3", &["python3", "/usr/bin/supervisord", "-n"])
        .within("/")
        .file("/etc/supervisor/supervisord.conf", CONTROL)
        .runs("/usr/bin/web", &["web"])
        .only();
    assert_eq!(words(&found.stop), "find: supervisorctl -c /etc/supervisor/supervisord.conf status");
}

#[test]
fn commands_beside_their_daemons_have_a_path() {
    let run = |daemon: &[&str], config: &str, beside: &str| {
        let path = "/opt/python/s.conf";
        TestProcesses::default()
            .runs("/opt/python/bin/python3.11", &[daemon, &[path]].concat())
            .within("/opt")
            .file(path, config)
            .file(beside, "")
            .runs("/usr/bin/web", &["web"])
            .only()
    };
    let supervisor = format!("{CONTROL}[program:web]\ncommand=web\n");
    let circus = "[circus]\nendpoint=ipc:///run/c\n[watcher:web]\ncmd=web\n";
    for (beside, name) in
        [("/opt/python/bin/circusctl", "/opt/python/bin/circusctl"), ("/opt/circusctl", "circusctl")]
    {
        for daemon in [
            &["/opt/python/bin/python3", "/opt/python/bin/circusd"][..],
            &["python3", "python/bin/circusd"],
            &["/opt/python/bin/python3", "-m", "circus.circusd"],
        ] {
            let stop = format!("{name} --endpoint ipc:///run/c stop web");
            assert_eq!(words(&run(daemon, circus, beside).stop), stop, "{daemon:?}");
        }
    }
    let daemon = &["/opt/python/bin/python3", "/opt/python/bin/supervisord", "-c"];
    assert_eq!(
        words(&run(daemon, &supervisor, "/opt/python/bin/supervisorctl").stop),
        "/opt/python/bin/supervisorctl -c /opt/python/s.conf stop web"
    );
    // A command in the system's own folders has no path.
    let found = supervisord(&supervisor).file("/usr/bin/supervisorctl", "").runs("/usr/bin/web", &["web"]);
    assert_eq!(words(&found.only().stop), "supervisorctl -c /srv/s.conf stop web");
}

#[test]
fn a_program_name_is_never_an_option_of_supervisorctl() {
    let found =
        supervisord(&format!("{CONTROL}[program:-h]\ncommand=web\n")).runs("/usr/bin/web", &["web"]).only();
    assert_eq!(words(&found.stop), "find: supervisorctl -c /srv/s.conf status");
}
