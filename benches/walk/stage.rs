//! Processes with many descriptors, which end with this one: each is this same program, and stays until its input
//! ends.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};

/// How many processes there are.
const PROCESSES: usize = 100;
/// How many descriptors each of them has.
const DESCRIPTORS: usize = 200;
/// Every so many processes one has a listener.
const LISTENERS: usize = 10;
/// The argument that makes this program one of them.
const HOLD: &str = "--hold";

/// Processes that end when this is dropped, or when this process does.
pub(crate) struct Stage {
    processes: Vec<Child>,
    /// The inode numbers of their listeners, ascending.
    pub(crate) listeners: Vec<u64>,
}

impl Stage {
    /// Begins the processes and waits until all have what they hold.
    pub(crate) fn begin() -> Stage {
        let program = std::env::current_exe().expect("this program has a file");
        let processes: Vec<Child> = (0..PROCESSES)
            .map(|at| {
                Command::new(&program)
                    .arg(HOLD)
                    .arg(if at % LISTENERS == 0 { "listener" } else { "nothing" })
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .expect("a process begins")
            })
            .collect();
        let mut stage = Stage { processes, listeners: Vec::new() };
        for process in &mut stage.processes {
            let told = process.stdout.take().expect("the process has an output");
            let mut line = String::new();
            BufReader::new(told).read_line(&mut line).expect("the process tells what it holds");
            let inode: u64 = line.trim().parse().expect("the process tells an inode number");
            stage.listeners.extend(Some(inode).filter(|inode| *inode != 0));
        }
        stage.listeners.sort_unstable();
        stage
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for process in &mut self.processes {
            drop(process.stdin.take());
            let _ended_either_way = process.wait();
        }
    }
}

/// Where this process is one of the stage: holds descriptors until the input ends, and gives true.
pub(crate) fn hold() -> bool {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(HOLD) {
        return false;
    }
    let listener = (arguments.next().as_deref() == Some("listener"))
        .then(|| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    let inode = listener
        .as_ref()
        .map_or(0, |listener| rustix::fs::fstat(listener).expect("an open socket can be statted").st_ino);
    // A quarter are sockets, which is much for a workstation and little for a server.
    let sockets: Vec<UnixDatagram> =
        (0..DESCRIPTORS / 4).map(|_| UnixDatagram::unbound().expect("a socket can be had")).collect();
    let files: Vec<File> = (sockets.len()..DESCRIPTORS)
        .map(|_| File::open("/dev/null").expect("/dev/null can be opened"))
        .collect();
    println!("{inode}");
    std::io::stdout().flush().expect("somebody waits for this");
    let mut nothing = Vec::new();
    let _ended_either_way = std::io::stdin().read_to_end(&mut nothing);
    drop((listener, sockets, files));
    true
}
