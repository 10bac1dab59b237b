//! What the manual has beyond the help: forms of targets, the environment, files, related pages.

/// The date of the last change to the content of the pages.
pub(super) const DATE: &str = "2026-11-28";

/// What targets are for.
pub(super) const SELECTION: &str = "Each TARGET selects listeners. Several, separated by spaces or commas, are a union. \
    Without a target, every TCP and UDP listener is listed.";

/// The forms of a target, and what each selects.
pub(super) const TARGETS: [(&str, &str); 12] = [
    ("8080", "The port, TCP and UDP. The same as :8080 and *:8080."),
    ("8000-8010", "A range, both ends included."),
    ("tcp/8080, 8080/udp", "The port of one protocol."),
    (
        "127.0.0.1:6379, [::1]:3000",
        "The sockets that a peer reaches that connects to this address: one that is bound to it, or else to a wildcard.",
    ),
    ("[fe80::1%eth0]:3000", "The same for a link-local address of one interface."),
    ("localhost:3000", "The same for 127.0.0.1 and ::1, TCP."),
    (
        "http://localhost:3000/x",
        "The address and port of a URL, TCP. A user name and a password are ignored.",
    ),
    ("postgresql, http/tcp", "The ports of a service name, of the IANA registry or of the services file."),
    ("udplite/5000", "UDP-Lite, which has its own ports."),
    ("unix", "Every listening Unix socket."),
    ("/run/docker.sock, ./app.sock", "A Unix socket, by any name of its file."),
    ("@name", "A Unix socket in the abstract namespace."),
];

/// Variables of the environment that a command reads, and its effect.
pub(super) const ENVIRONMENT: [(&str, &str); 7] = [
    ("NO_COLOR", "If it is set and not empty, there are no colours, unless --color=always requests them."),
    ("CLICOLOR", "With the value 0 there are no colours."),
    ("CLICOLOR_FORCE", "If it is set and not empty, there are colours in a pipe too."),
    ("TERM", "With the value dumb there are no colours and no screen: watch prints lines."),
    (
        "DOCKER_HOST, CONTAINER_HOST",
        "The socket of a container engine, unix:///PATH. It is asked in addition to those at the usual paths.",
    ),
    (
        "XDG_RUNTIME_DIR, HOME",
        "The folders of a user's own container engines. HOME is shown as a tilde in paths.",
    ),
    ("MANPAGER, PAGER", "Read by man(1), which allears man starts on a terminal."),
];

/// Files, and what they are read or written for.
pub(super) const FILES: [(&str, &str); 5] = [
    ("/etc/services", "Service names of this machine."),
    ("/etc/login.defs", "UID_MIN, the lowest uid of a person, for --dev."),
    ("/etc/sudoers", "The path of sudo, so that a suggested command with sudo works. Read if it can be."),
    (
        "/run/user/UID/allears-ports, /tmp/allears-UID/allears-ports",
        "The ports that next has just printed, so that two calls print different ones.",
    ),
    ("/proc, /sys/fs/cgroup", "Processes, their descriptors and their units, on Linux."),
];

/// Pages of other programs.
pub(super) const RELATED: [&str; 8] =
    ["bind(2)", "services(5)", "socket(7)", "tcp(7)", "fuser(1)", "lsof(8)", "netstat(8)", "ss(8)"];
