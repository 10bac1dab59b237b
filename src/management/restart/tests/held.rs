//! Processes that hold sockets for the programs that they run.

use super::super::held::HolderKind;
use super::*;

fn held(file: &str, command: &[&str]) -> Option<HeldFor> {
    holds_for_others(&TestProcesses::default().runs(file, command).processes[0])
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
fn programs_that_hold_sockets_for_themselves() {
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
    let mut processes = supervisord(&config);
    let process = processes.processes[0].clone();
    let held = holds_for_others(&process).unwrap();
    for (port, stop) in [
        (9000, "supervisorctl -c /srv/s.conf stop php"),
        (9001, "supervisorctl -c /srv/s.conf stop two:*"),
        // A port of supervisord itself.
        (9002, "unknown"),
    ] {
        assert_eq!(words(&stop_for_port(&process, &held, port, &mut processes).1), stop);
    }

    // The names of pm2's applications are only in their environments, which are not read.
    let mut processes = TestProcesses::default().runs("/usr/bin/node", &["PM2 v5: God Daemon (/root/.pm2)"]);
    let process = processes.processes[0].clone();
    let held = holds_for_others(&process).unwrap();
    let stop = stop_for_port(&process, &held, 80, &mut processes);
    assert_eq!((stop.0, words(&stop.1).as_str()), (None, "find: env PM2_HOME=/root/.pm2 pm2 list"));
}
