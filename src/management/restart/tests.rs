use std::time::Duration;

use proptest::collection;
use proptest::prelude::*;

use super::held::HolderKind;
use super::*;
use crate::model::Process;
use crate::model::process_table::ProcessEntry;

/// A machine of a few processes, each the child of the one before it.
#[derive(Default)]
struct Machine {
    processes: Vec<Process>,
    files: BTreeMap<String, String>,
    elsewhere: Vec<u32>,
    own_uid: u32,
}

impl Machine {
    /// One more process, below the last one. The first word is the program's file where it is a path.
    fn runs(mut self, file: &str, command: &[&str]) -> Machine {
        let pid = u32::try_from(self.processes.len()).unwrap() + 10;
        let name = file.rsplit('/').next().unwrap();
        let short = &name[..name.len().min(15)];
        let mut process = Process::new(ProcessId { pid, start: Some(u64::from(pid)) }, short.into());
        process.executable = Some(file.into());
        process.command = Some(command.iter().map(|word| Text::from(*word)).collect());
        process.uid = Some(0);
        self.processes.push(process);
        self
    }

    /// Where the last process is.
    fn within(mut self, folder: &str) -> Machine {
        self.processes.last_mut().unwrap().directory = Some(folder.into());
        self
    }

    fn file(mut self, path: &str, content: &str) -> Machine {
        self.files.insert(path.into(), content.into());
        self
    }

    fn table(&self) -> ProcessTable {
        let entry = |process: &Process| ProcessEntry {
            id: process.id,
            parent: process.id.pid - 1,
            name: process.name.clone(),
            group: None,
            session: None,
            condition: None,
            zombie: false,
        };
        self.processes.iter().map(entry).collect()
    }

    /// What restarts the last process.
    fn restarters(mut self) -> Vec<Restarter> {
        let table = self.table();
        let last = self.processes.last().unwrap().clone();
        restarters(&last, &table, &mut self)
    }

    fn only(self) -> Restarter {
        let mut found = self.restarters();
        assert_eq!(found.len(), 1, "{found:?}");
        found.pop().unwrap()
    }

    fn none(self) {
        assert_eq!(self.restarters(), []);
    }
}

impl Sources for Machine {
    fn describe(&mut self, ids: &[ProcessId]) -> BTreeMap<u32, Process> {
        let known = self.processes.iter().filter(|process| ids.contains(&process.id));
        known.map(|process| (process.id.pid, process.clone())).collect()
    }

    fn file(&mut self, _viewer: ProcessId, path: &Text) -> Option<Vec<u8>> {
        self.files.get(path.as_str()?).map(|content| content.as_bytes().to_vec())
    }

    fn folder(&mut self, _viewer: ProcessId, path: &Text) -> Option<Vec<Text>> {
        let folder = format!("{}/", path.as_str()?);
        let names: Vec<Text> =
            self.files.keys().filter_map(|file| file.strip_prefix(&folder)).map(Text::from).collect();
        (!names.is_empty()).then_some(names)
    }

    fn is_elsewhere(&mut self, id: ProcessId) -> bool {
        self.elsewhere.contains(&id.pid)
    }

    fn own_uid(&mut self) -> Option<u32> {
        Some(self.own_uid)
    }
}

fn words(stop: &Stop) -> String {
    match stop {
        Stop::Command(words) => {
            words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        }
        Stop::FindName(words) => {
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            format!("find: {}", words.join(" "))
        }
        Stop::EndRestarter => "end".into(),
        Stop::Unknown => "unknown".into(),
    }
}

fn program(restarter: &Restarter) -> Option<&str> {
    restarter.program.as_ref().and_then(Text::as_str)
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn supervisors_of_service_folders() {
    for (file, command, kind, stop) in [
        ("/usr/bin/runsv", &["runsv", "web"][..], RestarterKind::Runit, "sv down /etc/sv/web"),
        // BusyBox is many programs in one file.
        ("/bin/busybox", &["runsv", "web"], RestarterKind::Runit, "sv down /etc/sv/web"),
        ("/bin/busybox", &["busybox", "runsv", "web"], RestarterKind::Runit, "sv down /etc/sv/web"),
        ("/usr/bin/s6-supervise", &["s6-supervise", "web"], RestarterKind::S6, "s6-svc -d /etc/sv/web"),
        ("/usr/bin/supervise", &["supervise", "web"], RestarterKind::Daemontools, "svc -d /etc/sv/web"),
    ] {
        let found = Machine::default()
            .runs(file, command)
            .within("/etc/sv/web")
            .runs("/usr/bin/node", &["node", "x.js"])
            .only();
        assert_eq!((found.kind, words(&found.stop).as_str()), (kind, stop));
        assert_eq!((found.delay, found.certainty), (Some(SECOND), Certainty::Certain));
        assert_eq!(program(&found), Some("/etc/sv/web"));
    }
    // Its folder may not be seen: what it was given decides, if that is a whole path.
    let hidden = |given| Machine::default().runs("/usr/bin/runsv", &["runsv", given]).runs("/bin/x", &["x"]);
    assert_eq!(words(&hidden("/etc/sv/web").only().stop), "sv down /etc/sv/web");
    assert_eq!(hidden("web").only().stop, Stop::Unknown);
}

#[test]
fn finish_scripts_take_their_time() {
    let s6 = |file: &str, content: &str| {
        Machine::default()
            .runs("/usr/bin/s6-supervise", &["s6-supervise", "web"])
            .within("/run/service/web")
            .file("/run/service/web/finish", "#!/bin/sh")
            .file(file, content)
            .runs("/bin/x", &["x"])
            .only()
            .delay
    };
    assert_eq!(s6("/x", ""), Some(6 * SECOND));
    assert_eq!(s6("/run/service/web/timeout-finish", "20000\n"), Some(21 * SECOND));
    assert_eq!(s6("/run/service/web/timeout-finish", "0\n"), None);
    let runit = Machine::default()
        .runs("/usr/bin/runsv", &["runsv", "web"])
        .within("/etc/sv/web")
        .file("/etc/sv/web/finish", "#!/bin/sh")
        .runs("/bin/x", &["x"]);
    assert_eq!(runit.only().delay, None);
}

#[test]
fn a_service_that_is_to_run_once_stays_down() {
    let runit = |stat: &str| {
        Machine::default()
            .runs("/usr/bin/runsv", &["runsv", "web"])
            .within("/etc/sv/web")
            .file("/etc/sv/web/supervise/stat", stat)
            .runs("/bin/x", &["x"])
    };
    runit("run, want down\n").none();
    assert_eq!(runit("run\n").only().kind, RestarterKind::Runit);
    let daemontools = |want: &str| {
        Machine::default()
            .runs("/usr/bin/supervise", &["supervise", "web"])
            .within("/etc/service/web")
            .file("/etc/service/web/supervise/status", &format!("0123456789ABpid1\0{want}"))
            .runs("/bin/x", &["x"])
    };
    daemontools("d").none();
    daemontools("\0").none();
    assert_eq!(daemontools("u").only().kind, RestarterKind::Daemontools);
}

#[test]
fn openrc_names_its_service_and_its_delay() {
    let start = &["--start", "/usr/bin/web", "--", "-D", "9"];
    let of = |options: &[&str]| {
        let command = [&["/sbin/supervise-daemon", "web"], options, start].concat();
        Machine::default().runs("/sbin/supervise-daemon", &command).runs("/usr/bin/web", &["web"]).only()
    };
    let found = of(&[]);
    assert_eq!((words(&found.stop).as_str(), found.delay), ("rc-service web stop", Some(Duration::ZERO)));
    for options in [&["--respawn-delay", "3"][..], &["--respawn-delay=3"], &["-D", "3"], &["-D3"]] {
        assert_eq!(of(options).delay, Some(3 * SECOND), "{options:?}");
    }
    assert_eq!(of(&["-D", "x"]).delay, None);
}

fn supervisord(config: &str) -> Machine {
    Machine::default()
        .runs("/usr/bin/python3.11", &["/usr/bin/python3", "/usr/bin/supervisord", "-c", "s.conf"])
        .within("/srv")
        .file("/srv/s.conf", config)
}

const CONTROL: &str = "[supervisorctl]\nserverurl=unix:///run/s.sock\n";

#[test]
fn supervisord_names_its_programs_by_their_commands() {
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
    let of = |command: &[&str]| supervisord(&config).runs("/usr/bin/x", command);
    let web = of(&["node", "x.js"]).only();
    assert_eq!(words(&web.stop), "supervisorctl -c /srv/s.conf stop shop:web");
    assert_eq!((web.name, web.trigger), ("supervisord".into(), Trigger::Failure));
    assert_eq!((web.delay, web.certainty), (Some(2 * SECOND), Certainty::Certain));
    let worker = of(&["node", "y.js", "--port", "8002", "--of", "2", "--at", "worker:worker"]).only();
    assert_eq!(words(&worker.stop), "supervisorctl -c /srv/s.conf stop worker:worker_02");
    assert_eq!((worker.trigger, worker.certainty), (Trigger::End, Certainty::Certain));
    of(&["z"]).none();
    // Its program is known, and which of its processes it is is unknown.
    let alike = of(&["alike"]).only();
    assert_eq!(words(&alike.stop), "find: supervisorctl -c /srv/s.conf status");
    assert_eq!((alike.trigger, alike.certainty), (Trigger::End, Certainty::Certain));
    // All of its processes have the one socket. Others of its group keep running.
    assert_eq!(words(&of(&["p"]).only().stop), "supervisorctl -c /srv/s.conf stop php:*");
    assert_eq!(words(&of(&["q"]).only().stop), "supervisorctl -c /srv/s.conf stop one:one_1");
    assert_eq!(words(&of(&["r"]).only().stop), "supervisorctl -c /srv/s.conf stop shop:r0 shop:r1");
    for command in [&["node", "any.js", "--of", "set"][..], &["node", "--inspect", "any.js", "--of", "set"]] {
        assert_eq!(program(&of(command).only()), Some("set"));
    }
    // None of these.
    for command in [&["node", "y.js", "--port", "8003"][..], &["node", "any.js", "--of", "shop"], &["x"]] {
        let other = of(command).only();
        assert_eq!((program(&other), other.certainty), (None, Certainty::Likely), "{command:?}");
        assert_eq!(words(&other.stop), "find: supervisorctl -c /srv/s.conf status");
    }
}

#[test]
fn supervisord_names_programs_that_other_programs_start() {
    let config = format!(
        "{CONTROL}[program:script]\ncommand=/srv/run.py --port 1\n[program:path]\ncommand=serve --port 2\n\
         [program:shell]\ncommand=sh -c \"cd /srv && A=1 exec node x.js --port 3 > log\"\n\
         [program:bash]\ncommand=/bin/bash -lc 'node y.js \"a b\"'\n\
         [program:start]\ncommand=%(here)s/start.sh 8000\n[program:given]\ncommand=sh /srv/given\n\
         [program:env]\ncommand=env A=b nice -n 5 node z.js\n[program:nginx]\ncommand=nginx -g \"daemon off;\"\n\
         [program:gunicorn]\ncommand=/v/bin/gunicorn shop:app\n"
    );
    let of = |file: &str, command: &[&str]| {
        supervisord(&config)
            .file("/srv/start.sh", "#!/bin/sh -e\n. ./env\nexec \\\n  web --port \"$1\" <in 2>&1\n")
            .file("/srv/given", "#!/usr/bin/env bash\nif true; then exec given; fi\n")
            .runs(file, command)
            .only()
    };
    for (file, command, name) in [
        ("/usr/bin/python3", &["/usr/bin/python3", "-u", "/srv/run.py", "--port", "1"][..], Some("script")),
        // Another script of that name.
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
        assert_eq!(program(&of(file, command)), name, "{command:?}");
    }
}

#[test]
fn supervisord_tells_equal_commands_apart_by_their_folders() {
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
fn supervisord_is_recognised_by_its_configuration() {
    let config = format!(
        "{CONTROL}[program:web]\ncommand=/usr/bin/node \"x y.js\"\n[program:api]\ncommand=%(here)s/api --port 1\n\
         [group:shop]\nprograms=api, other\n[program:twin]\ncommand=twin\n[program:twin2]\ncommand=twin\n"
    );
    let of = |file: &str, command: &[&str]| supervisord(&config).runs(file, command).only();
    let web = of("/usr/bin/node", &["/usr/bin/node", "x y.js"]);
    assert_eq!(words(&web.stop), "supervisorctl -c /srv/s.conf stop web");
    let api = of("/usr/bin/python3", &["/usr/bin/python3", "/srv/api", "--port", "1"]);
    assert_eq!(program(&api), Some("shop:api"));
    for (file, command) in [("/usr/bin/twin", &["twin"][..]), ("/usr/bin/x", &["x"])] {
        let found = of(file, command);
        assert_eq!(words(&found.stop), "find: supervisorctl -c /srv/s.conf status", "{command:?}");
        assert_eq!((program(&found), found.certainty), (None, Certainty::Likely));
    }
}

#[test]
fn supervisord_includes_files() {
    let main = format!("{CONTROL}[include]\nfiles = conf.d/*.conf\n");
    let found = supervisord(&main)
        .file("/srv/conf.d/web.conf", "[program:web]\ncommand=web\nautorestart=true\n")
        .file("/srv/conf.d/.hidden.conf", "[program:hidden]\ncommand=web\n")
        .file("/srv/conf.d/web.conf.bak", "[program:backup]\ncommand=web\n")
        .runs("/usr/bin/web", &["web"])
        .only();
    assert_eq!((program(&found), found.trigger), (Some("web"), Trigger::End));
    // Where something could not be read, what is known may not be all that fits.
    let main = format!("{CONTROL}[program:web]\ncommand=web\n[include]\nfiles = conf.d/*.conf\n");
    let found = supervisord(&main).runs("/usr/bin/web", &["web"]).only();
    assert_eq!(words(&found.stop), "find: supervisorctl -c /srv/s.conf status");
}

#[test]
fn supervisord_without_a_configuration_that_serves() {
    // No section for supervisorctl: the address that supervisord serves.
    for (server, url) in [
        ("[unix_http_server]\nfile=%(here)s/s.sock\n", Some("unix:///srv/s.sock")),
        ("[inet_http_server]\nport=*:9001\n", Some("http://127.0.0.1:9001")),
        ("[inet_http_server]\nport=9001\n", Some("http://127.0.0.1:9001")),
        ("[inet_http_server]\nport=10.0.0.1:9001\n", Some("http://10.0.0.1:9001")),
        ("[inet_http_server]\nport=x\n", None),
        ("[unix_http_server]\nfile=%(ENV_X)s\n", None),
        ("", None),
    ] {
        let of = |client: &str| {
            let config = format!("{client}{server}[program:web]\ncommand=web\n");
            supervisord(&config).runs("/usr/bin/web", &["web"]).only()
        };
        let found = of("");
        let stop = url.map_or("unknown".into(), |url| format!("supervisorctl -s {url} stop web"));
        assert_eq!((words(&found.stop), program(&found)), (stop, Some("web")));
        // What else supervisorctl needs is in its section.
        if let Some(url) = url {
            let stop = format!("supervisorctl -c /srv/s.conf -s {url} stop web");
            assert_eq!(words(&of("[supervisorctl]\nusername=x\n").stop), stop);
        }
    }
    // The files it looks for itself.
    let found = Machine::default()
        .runs("/usr/bin/python3", &["python3", "/usr/bin/supervisord", "-n"])
        .within("/")
        .file("/etc/supervisor/supervisord.conf", CONTROL)
        .runs("/usr/bin/web", &["web"])
        .only();
    assert_eq!(words(&found.stop), "find: supervisorctl -c /etc/supervisor/supervisord.conf status");
}

#[test]
fn commands_that_lie_beside_their_daemons() {
    let of = |daemon: &[&str], config: &str, beside: &str| {
        let path = "/opt/python/s.conf";
        Machine::default()
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
            assert_eq!(words(&of(daemon, circus, beside).stop), stop, "{daemon:?}");
        }
    }
    let daemon = &["/opt/python/bin/python3", "/opt/python/bin/supervisord", "-c"];
    assert_eq!(
        words(&of(daemon, &supervisor, "/opt/python/bin/supervisorctl").stop),
        "/opt/python/bin/supervisorctl -c /opt/python/s.conf stop web"
    );
    // The system's own folders.
    let found = supervisord(&supervisor).file("/usr/bin/supervisorctl", "").runs("/usr/bin/web", &["web"]);
    assert_eq!(words(&found.only().stop), "supervisorctl -c /srv/s.conf stop web");
}

#[test]
fn what_is_a_name_for_supervisorctl_is_no_option() {
    let found =
        supervisord(&format!("{CONTROL}[program:-h]\ncommand=web\n")).runs("/usr/bin/web", &["web"]).only();
    assert_eq!(words(&found.stop), "find: supervisorctl -c /srv/s.conf status");
}

#[test]
fn circus_is_recognised_by_its_configuration() {
    let of = |config: &str, command: &[&str]| {
        Machine::default()
            .runs("/usr/bin/python3", &["/usr/bin/python3", "/usr/bin/circusd", "--daemon", "c.ini"])
            .within("/srv")
            .file("/srv/c.ini", config)
            .runs("/usr/bin/node", command)
    };
    let config = "[circus]\nendpoint = tcp://127.0.0.1:7000\ncheck_delay = 2.5\n[watcher:web]\n\
                  cmd = node x.js --fd\nargs = $(circus.sockets.web)\n[watcher:api]\ncmd=node y.js\nrespawn=False\n";
    let found = of(config, &["node", "x.js", "--fd", "7"]).only();
    assert_eq!(words(&found.stop), "circusctl --endpoint tcp://127.0.0.1:7000 stop web");
    assert_eq!((found.delay, found.certainty), (Some(Duration::from_millis(2500)), Certainty::Certain));
    of(config, &["node", "y.js"]).none();
    let found = of(config, &["node", "z.js"]).only();
    assert_eq!(words(&found.stop), "find: circusctl --endpoint tcp://127.0.0.1:7000 status");
    // circusd keeps its own sockets open when it stops a watcher.
    let shared = "[watcher:web]\ncmd = z\nuse_sockets = True\n[socket:web]\nport = 80\n";
    let found = of(shared, &["z"]).only();
    assert_eq!((program(&found), &found.stop), (Some("web"), &Stop::Unknown));
    let found = of("[watcher:web]\ncmd = z\n", &["node", "x.js"]).only();
    assert_eq!(words(&found.stop), "circusctl --endpoint tcp://127.0.0.1:5555 stop web");
    assert_eq!(found.delay, Some(5 * SECOND));
}

#[test]
fn pm2_is_addressed_as_its_user() {
    let of = |uid: u32, own_uid: u32| {
        let mut machine = Machine::default()
            .runs("/usr/bin/node", &["PM2 v5.3.0: God Daemon (/home/dev/.pm2)"])
            .runs("/usr/bin/node", &["node", "/srv/x.js"]);
        machine.processes[0].uid = Some(uid);
        machine.processes[0].user = Some("dev".into());
        machine.own_uid = own_uid;
        machine.only()
    };
    let found = of(1000, 1000);
    assert_eq!(words(&found.stop), "find: env PM2_HOME=/home/dev/.pm2 pm2 list");
    assert_eq!((found.kind, found.name, found.delay), (RestarterKind::Pm2, "pm2".into(), None));
    assert_eq!(words(&of(1000, 0).stop), "find: sudo -u dev env PM2_HOME=/home/dev/.pm2 pm2 list");
    let machine = Machine::default()
        .runs("/usr/bin/node", &["node", "/usr/lib/node_modules/pm2/lib/Daemon.js"])
        .runs("/usr/bin/node", &["node", "/srv/x.js"]);
    assert_eq!(words(&machine.only().stop), "find: pm2 list");
}

#[test]
fn loops_in_shells() {
    for (command, delay) in [
        (&["sh", "-c", "while :; do python3 x.py; sleep 3; done"][..], Some(3 * SECOND)),
        (&["bash", "-lc", "until ./x.py; do :; done; while true\ndo\n ./x.py\ndone"], Some(Duration::ZERO)),
        (&["bash", "-c", "for i in 1 2 3; do (cd /srv && exec python3 x.py); sleep 0.5; done"], {
            Some(Duration::from_millis(500))
        }),
        (&["sh", "-c", "while :; do \"$@\"; sleep $delay; done", "sh", "python3", "x.py"], None),
        (&["sh", "-c", "serve() { python3 x.py; }; while serve || true; do serve; sleep 1m; done"], {
            Some(60 * SECOND)
        }),
    ] {
        let server = ["python3", "x.py"];
        let found =
            Machine::default().runs("/usr/bin/dash", command).runs("/usr/bin/python3", &server).only();
        assert_eq!((found.kind, found.certainty), (RestarterKind::ShellLoop, Certainty::Likely));
        assert_eq!((found.delay, found.stop), (delay, Stop::EndRestarter), "{command:?}");
    }
}

#[test]
fn shells_that_start_nothing_again() {
    for command in [
        &["sh", "-c", "python3 x.py; echo over"][..],
        &["sh", "-c", "for word in a b; do export $word=1; done; python3 x.py"],
        &["sh", "-c", "echo 'while true; do python3 x.py; done'; python3 x.py"],
        &["sh", "-c", "# while :; do python3 x.py; done\npython3 x.py"],
        &["sh", "-c", "while ! nc -z db 5432; do sleep 1; done; python3 x.py"],
        // Whatever a person types there is nowhere to be read.
        &["-bash"],
        &["bash", "-i"],
        &["sh"],
        // A script that cannot be read shows no loop.
        &["sh", "/srv/start.sh"],
    ] {
        let machine = Machine::default().runs("/usr/bin/bash", command);
        machine.runs("/usr/bin/python3", &["python3", "x.py"]).none();
    }
}

#[test]
fn loops_in_scripts() {
    let of = |code: &str| {
        Machine::default()
            .runs("/usr/bin/bash", &["/bin/bash", "start.sh", "8000"])
            .within("/srv")
            .file("/srv/start.sh", code)
            .runs("/usr/bin/node", &["node", "server.js"])
    };
    let code =
        "#!/bin/bash\nset -e\nwhile :; do\n  node \\\n    server.js || true\n  sleep 2 # a while\ndone\n";
    assert_eq!(of(code).only().delay, Some(2 * SECOND));
    of("#!/bin/bash\nexec node server.js\n").none();
    // The part of a script that is a process of its own: the one below starts it again, not both.
    let code = "for delay in 1 3; do\n( while :; do node server.js; sleep $delay; done ) &\ndone\n";
    let found = Machine::default()
        .runs("/usr/bin/bash", &["bash", "start.sh"])
        .within("/srv")
        .file("/srv/start.sh", code)
        .runs("/usr/bin/bash", &["bash", "start.sh"])
        .within("/srv")
        .runs("/usr/bin/node", &["node", "server.js"])
        .only();
    assert_eq!((found.id.pid, found.delay), (11, None));
}

#[test]
fn long_scripts_take_no_time() {
    // As long as the longest script that is read, of nothing but loops and calls.
    for part in ["do x;", "f(){ ", "while f; do f; ", "for f in g; do $(f); done; "] {
        let code = part.repeat(LONGEST_FILE as usize / part.len());
        let code = format!("{code}{}", "done; ".repeat(1000));
        let began = std::time::Instant::now();
        let machine = Machine::default().runs("/usr/bin/dash", &["sh", "-c", &code]);
        let _ = machine.runs("/usr/bin/node", &["node", "x.js"]).restarters();
        assert!(began.elapsed() < 20 * SECOND, "{part}: {:?}", began.elapsed());
    }
}

#[test]
fn how_long_a_shell_sleeps_now() {
    let of = |command: &[&str]| {
        let mut machine =
            Machine::default().runs("/usr/bin/dash", &["sh", "x.sh"]).runs("/usr/bin/sleep", command);
        let table = machine.table();
        let shell = machine.processes[0].id;
        sleeps(shell, &table, &mut machine)
    };
    assert_eq!(of(&["sleep", "3"]), Some(3 * SECOND));
    assert_eq!(of(&["/bin/sleep", "1m", "0.5"]), Some(Duration::from_millis(60_500)));
    assert_eq!(of(&["sleep", "infinity"]), None);
    assert_eq!(of(&["sleep", "1e300d"]), None);
}

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
        let found = Machine::default().runs(file, command).runs(file, worker).only();
        assert_eq!((found.kind, found.name.as_str().unwrap()), (RestarterKind::ServerMaster, name));
        assert_eq!((found.delay, found.stop), (Some(SECOND), Stop::EndRestarter), "{name}");
        // What it runs besides.
        Machine::default().runs(file, command).runs("/usr/lib/cgi-bin/x", &["x"]).none();
    }
    // A variable of their environment, which is not read, may stand for the option.
    for command in [&["python3", "/v/bin/granian", "x:app"], &["python3", "/v/bin/uvicorn", "x:app"]] {
        let found = Machine::default().runs("/usr/bin/python3", command).runs("/usr/bin/python3", command);
        assert_eq!(found.only().certainty, Certainty::Likely);
    }
    for command in [
        &["python3", "/v/bin/hypercorn", "x:app"][..],
        &["python3", "/v/bin/flask", "run", "--debug"],
        &["python3", "manage.py", "runserver"],
    ] {
        Machine::default().runs("/usr/bin/python3", command).runs("/usr/bin/python3", command).none();
    }
}

#[test]
fn file_watchers_wait_for_a_file() {
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
        let found = Machine::default().runs(file, command).runs("/usr/bin/node", &["node", "x.js"]).only();
        assert_eq!((found.kind, found.trigger), (RestarterKind::FileWatcher, Trigger::FileChange));
        assert_eq!((found.name.as_str(), found.stop), (Some(name), Stop::EndRestarter));
    }
    // Options of the script, and another program of that name.
    for command in [&["node", "x.js", "--watch"][..], &["node", "/srv/nodemon.d/x.js"]] {
        Machine::default().runs("/usr/bin/node", command).runs("/usr/bin/node", &["node"]).none();
    }
}

#[test]
fn the_outermost_comes_last() {
    let found = Machine::default()
        .runs("/usr/bin/runsv", &["runsv", "web"])
        .within("/etc/sv/web")
        .runs("/usr/bin/dash", &["sh", "-c", "gunicorn x:app; true"])
        .runs("/usr/bin/python3", &["gunicorn: master [x]"])
        .runs("/usr/bin/python3", &["gunicorn: worker [x]"])
        .restarters();
    let kinds: Vec<_> = found.iter().map(|restarter| (restarter.kind, restarter.certainty)).collect();
    let certain = Certainty::Certain;
    assert_eq!(kinds, [(RestarterKind::ServerMaster, certain), (RestarterKind::Runit, certain)]);
    // Whether a program of one's own ends with its child, nobody knows.
    let found = Machine::default()
        .runs("/usr/bin/runsv", &["runsv", "web"])
        .within("/etc/sv/web")
        .runs("/srv/own", &["own"])
        .runs("/usr/bin/node", &["node"])
        .only();
    assert_eq!(found.certainty, Certainty::Likely);
    // What was started from a terminal is not started again because the terminal's program is supervised.
    Machine::default()
        .runs("/usr/bin/runsv", &["runsv", "sshd"])
        .within("/etc/sv/sshd")
        .runs("/usr/sbin/sshd", &["sshd: dev@pts/0"])
        .runs("/usr/bin/bash", &["-bash"])
        .runs("/usr/bin/node", &["node"])
        .none();
}

#[test]
fn commands_of_another_pid_namespace_are_not_those_of_here() {
    let mut machine = Machine::default()
        .runs("/usr/bin/runsv", &["runsv", "web"])
        .within("/etc/sv/web")
        .runs("/usr/bin/node", &["node"]);
    machine.elsewhere = vec![10, 11];
    assert_eq!(machine.only().stop, Stop::Unknown);
}

fn held(file: &str, command: &[&str]) -> Option<HeldFor> {
    holds_for_others(&Machine::default().runs(file, command).processes[0])
}

#[test]
fn super_servers() {
    for (file, command, kind, one_program) in [
        (
            "/usr/bin/python3.11",
            &["/usr/bin/python3", "/usr/bin/supervisord"][..],
            HolderKind::Supervisord,
            false,
        ),
        ("/usr/bin/python3.11", &["python3", "-m", "circus.circusd", "x.ini"], HolderKind::Circus, false),
        ("/usr/bin/python3.11", &["python3", "/v/bin/circusd", "x.ini"], HolderKind::Circus, false),
        ("/usr/bin/node", &["PM2 v5.3.0: God Daemon (/root/.pm2)"], HolderKind::Pm2, false),
        ("/usr/bin/node", &["node", "/usr/bin/pm2-runtime", "x.js"], HolderKind::Pm2, false),
        ("/usr/sbin/inetd", &["/usr/sbin/inetd"], HolderKind::Inetd, false),
        ("/usr/sbin/xinetd", &["/usr/sbin/xinetd", "-stayalive"], HolderKind::Xinetd, false),
        (
            "/usr/bin/perl",
            &["/usr/bin/perl", "/usr/bin/start_server", "--", "x"],
            HolderKind::ServerStarter,
            true,
        ),
        (
            "/usr/bin/systemd-socket-activate",
            &["systemd-socket-activate", "-l", "1"],
            HolderKind::SocketActivate,
            true,
        ),
        ("/root/.cargo/bin/systemfd", &["systemfd", "--no-pid", "-s", "1"], HolderKind::Systemfd, true),
    ] {
        let found = held(file, command);
        assert_eq!(found.map(|held| (held.kind, held.one_program)), Some((kind, one_program)), "{command:?}");
    }
}

#[test]
fn programs_that_hold_their_sockets_for_themselves() {
    for (file, command) in [
        ("/usr/bin/python3", &["python3", "inetd.py"][..]),
        ("/usr/bin/python3", &["python3", "/srv/supervisord.py"]),
        ("/home/dev/inetd", &["./inetd"]),
        ("/usr/bin/python3", &["gunicorn: master [shop]"]),
        ("/usr/sbin/nginx", &["nginx: master process nginx"]),
        ("/usr/sbin/php-fpm8.2", &["php-fpm: master process (x)"]),
        ("/usr/bin/uwsgi", &["uwsgi", "--master"]),
        ("/usr/sbin/apache2", &["apache2", "-k", "start"]),
        ("/usr/lib/postgresql/15/bin/postgres", &["postgres", "-D", "/x"]),
        ("/usr/bin/tcpserver", &["tcpserver", "0", "7", "cat"]),
    ] {
        assert_eq!(held(file, command), None, "{command:?}");
    }
}

#[test]
fn the_program_that_a_super_server_holds_a_port_for() {
    let config = format!(
        "{CONTROL}[fcgi-program:php]\ncommand=p\nsocket=tcp://127.0.0.1:9000\n[fcgi-program:two]\n\
         command=p\nnumprocs=2\nsocket=tcp://localhost:9001\n"
    );
    let mut machine = supervisord(&config);
    let process = machine.processes[0].clone();
    let held = holds_for_others(&process).unwrap();
    for (port, stop) in [
        (9000, "supervisorctl -c /srv/s.conf stop php"),
        (9001, "supervisorctl -c /srv/s.conf stop two:*"),
        // That of supervisord itself.
        (9002, "unknown"),
    ] {
        assert_eq!(words(&stop_for_port(&process, &held, port, &mut machine).1), stop);
    }

    // Applications of pm2 are named only in their environments, which are not read.
    let mut machine = Machine::default().runs("/usr/bin/node", &["PM2 v5: God Daemon (/root/.pm2)"]);
    let process = machine.processes[0].clone();
    let held = holds_for_others(&process).unwrap();
    let stop = stop_for_port(&process, &held, 80, &mut machine);
    assert_eq!((stop.0, words(&stop.1).as_str()), (None, "find: env PM2_HOME=/root/.pm2 pm2 list"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes(
        commands in collection::vec(collection::vec(collection::vec(any::<u8>(), 0..12), 0..5), 0..6),
        files in collection::vec(collection::vec(any::<u8>(), 0..12), 0..6),
        content in "\\PC{0,80}",
    ) {
        let mut machine = Machine::default();
        for (at, command) in commands.iter().enumerate() {
            let file = files.get(at).cloned().unwrap_or_else(|| b"/usr/bin/sh".to_vec());
            machine = machine.runs("/usr/bin/x", &[]).within("/srv").file("/srv/x", &content);
            let process = machine.processes.last_mut().unwrap();
            process.executable = Some(file.into());
            process.command = Some(command.iter().cloned().map(Text::from).collect());
            let _ = holds_for_others(process);
        }
        if !machine.processes.is_empty() {
            let _ = machine.restarters();
        }
    }

    #[test]
    fn any_configuration(
        content in collection::vec(any::<u8>(), 0..200),
        code in "[a-z$(){};|&'\"#\\\\ \n=:\\[\\]*]{0,120}",
    ) {
        let text = String::from_utf8_lossy(&content).into_owned();
        for text in [text, code.clone(), format!("[include]\nfiles={code}\n[program:{code}]\ncommand={code}")] {
            let _ = supervisord(&text).runs("/usr/bin/web", &["web"]).restarters();
            let command = ["sh", "-c", &text];
            let _ = Machine::default().runs("/usr/bin/dash", &command).runs("/usr/bin/web", &["web"]).restarters();
        }
    }
}
