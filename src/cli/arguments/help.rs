//! The end of each command's help: examples, guarantees and limits, exit codes.

use crate::render::column::Column;

/// Returns the end of a long help with all columns and what each contains.
pub(super) fn with_columns(help: &str) -> String {
    let lines = Column::NAMES.map(|(column, name)| format!("  {name:12} {}\n", column.description()));
    format!("{help}\n\nColumns:\n{}", lines.concat().trim_end())
}

/// Returns the end of a short help with the names of all columns.
pub(super) fn with_column_names(help: &str) -> String {
    let names = Column::NAMES.map(|(_, name)| name);
    format!("{help}\n\n{COLUMNS}{}.", names.join(", "))
}

/// The begin of the list of columns in a short help.
pub(in crate::cli) const COLUMNS: &str = "Columns: ";

pub(super) const LIST: &str = "\
Examples:
  allears                    all listeners on this machine
  allears 10309              what holds port 10309
  allears tcp/8000-8010      a range of one protocol
  allears 127.0.0.1:6379     the listener that answers at this address
  allears localhost:3000     the listeners that answer at 127.0.0.1 and ::1
  allears postgresql         a service name of the IANA registry or /etc/services
  allears --exposed          only what other machines can reach
  allears --here             only what runs in this project
  allears -c vite            only listeners held by processes named like vite
  allears --pids 3000        only pids: kill $(allears --pids 3000)
  allears why 3000           can it be bound now, and if not, why?
  allears about 10309        what the port number means
  allears --json >a.json     save a snapshot; show it with --from a.json
  allears diff a.json        what changed since then
  allears watch 3000         show each change of this port
  allears watch -- npm test  what a command opens and leaves open

The options of ss -tulnp, netstat -ano and lsof -nP -iTCP -sTCP:LISTEN work here too.

Exit status: 0 something matches, 1 nothing does, 2 invalid arguments, 3 could not
determine.";

pub(super) const WHY: &str = "\
Examples:
  allears why 10309             can a server bind port 10309 on all addresses?
  allears why 127.0.0.1:10309   on that address only?
  allears why udp/53            for UDP?
  allears why 3000,8000-8010    for each of these ports, 64 at most?

why binds the port for an instant with the options that servers set, and never
listens on it. It leaves nothing behind. If nothing listens, it connects over
loopback to test whether the port is forwarded.

Exit status: 0 a bind would succeed now, 1 it would fail, 2 invalid arguments,
3 could not determine. For several ports it is the worst: 3, then 1, then 0.";

pub(super) const FREE: &str = "\
Examples:
  allears free 3000               show the holder, ask, end it, watch the port
  allears free 3000 -n            show the plan and do nothing
  allears free 3000 -yf           SIGTERM, then SIGKILL after the timeout
  allears free 3000 -y --tree     end npm, make or sh -c and all they started
  allears free 8080 -y --via container   docker stop NAME instead of a signal
  allears free 8000-8010 --yes    end every holder of these ports
  allears free -c vite            free the ports that processes named like vite hold

free ends only processes that hold the listening or bound socket, never the clients
that are connected to it. If one of several holders may not be ended, none is ended.
It refuses to end pid 1 and service managers, container engines and their helpers,
supervisors and super-servers that hold sockets for programs, ssh logins, allears
itself and its ancestors. Instead it names the command that frees the port. --via
runs that one command, from the system's own folders. With -c it refuses a port that
a process which does not match holds too.

The plan lists what else is affected: other ports of the process, its clients, its
children, its wrapper, and what restarts it. free watches the port for at least as
long as a supervisor or service manager waits before it restarts the process.

A port is free if a bind succeeds and nothing forwards its connections. On Windows a
program is asked to end through its windows, or by Ctrl+C if it is alone in its
console, and is terminated at once if it has neither.

Exit status: 0 the port is free at the end, even if it was before; 1 still held, as
after --dry-run; 2 invalid arguments; 3 refused, or could not determine.";

pub(super) const WAIT: &str = "\
Examples:
  allears wait 3000 && open http://localhost:3000
  allears wait 3000 5432 --timeout 30s      both
  allears wait 8000-8003 --any              one of them
  allears wait 5432 --accepts               a connection is accepted
  allears wait 3000 --http /health          GET is answered with a status below 400
  allears wait --free 3000 && npm start

wait checks every 5 ms at first and every 200 ms later. It scans no process before
a target is reached. It prints a line for each target when it is reached.

--accepts connects to the target's address, or over loopback, and sends nothing. The
system completes connections for a server that has not accepted them yet, and a
container's proxy listens before the server inside does. The proxy closes connections
at once until then: one that stays open for 100 ms counts. --http is the stronger
test. It sends GET over HTTP/1.1, gives each attempt 2 s, reads only the status and
follows no redirect (3xx counts). Both are for TCP, and connect only to addresses of
this machine.

--free succeeds when you can bind the port: nothing holds it, and nothing forbids
the bind. A server that sets SO_REUSEADDR can start during the check.

Exit status: 0 reached, 1 timed out, 2 invalid arguments, 3 could not determine, or
waiting cannot help: permission is missing, or a policy forbids the port.";

pub(super) const NEXT: &str = "\
Examples:
  PORT=$(allears next 3000) npm start
  allears next 8000-8099 --count 2
  allears next --udp 5000

Without a port, next begins at 1024. Each port is tested by binds on the wildcards
and on loopback, of IPv4 and IPv6, without SO_REUSEADDR. next skips ports that a
connection or TIME_WAIT still uses, that are reserved, that are forwarded, and that the
registry assigns to a program which commonly listens there, such as a database.

Two calls of one user within two seconds print different ports. Nothing else reserves
a port: another program can bind it before yours does.

Exit status: 0 found, 1 not enough free ports in the range, 2 invalid arguments,
3 could not determine.";

pub(super) const WATCH: &str = "\
Examples:
  allears watch                   all listeners, as they change
  allears watch 3000 --interval 200ms
  allears watch -c node           only listeners held by processes named like node
  allears watch --ndjson | jq -r 'select(.event == \"opened\") | .listener.port'
  allears watch -- npm test       what this command and its children open
  allears watch -x -- ./install   Unix sockets alone

Keys: arrows, j, k, g, G, PgUp and PgDn select a listener. Enter shows its card, w
the answer of why, f the plan of free, which y and Enter carry out. y copies its pid
(p), address (a) or command line (c), o opens it in the browser. / filters by a text
or by targets, Esc clears the filter. t, u, x, 4 and 6 show or hide TCP, UDP, Unix,
IPv4 and IPv6 sockets, e all but exposed ones; a shows all states. s sorts, S
reverses. E shows all events, ? all keys. Space pauses, Ctrl-Z suspends until fg,
q quits.

Opened (+), closed (-) and changed (~) listeners are marked for five seconds. The
last event stays on the screen, also if its row is not visible. After you quit, the
terminal shows what opened and closed. If standard output is not a terminal, or if
TERM=dumb, each event is a line; --ndjson makes it JSON.

Each pass reads the socket table. Processes are scanned only if the table changed,
and on every tenth pass: a new holder of an unchanged socket shows after ten
intervals at the latest. Linux reports what opens and closes between two passes, and
to root with its process, and on most kernels also which binds it refused. ? names
what is noticed here. A pass that fails is reported and retried. With
--all-namespaces each pass also searches all processes for network namespaces.

With a command, watch runs it and reports at its end what it and its descendants
opened, for how long, and what is still open, also by daemons (on Linux). Containers
and services are started by other programs and are not included. A pass is made every
100 ms. What is open for a shorter time can be missed, except that on Linux root also
sees TCP listeners by events (--events). Nothing is ended.

Exit status: 0 when you quit, or when standard output is closed, which is detected on
the next pass, and on Windows on the next write; 2 invalid arguments; 3 the first pass
failed; 126 the command cannot be executed; 127 it is not found; 128+N signal N ended
it. Every other code is that of the command.";

pub(super) const DIFF: &str = "\
Examples:
  allears --json >before.json     save a snapshot
  allears diff before.json        what changed since then
  allears diff a.json b.json      differences between two snapshots
  ssh web allears --json | allears diff web.json -

Without NEW, the query of OLD is repeated. If the snapshots were taken with different
queries, only what both could contain is compared. A holder that only one side could
see does not count as a difference. Snapshots of two machines are compared by address
and port, and by the names of processes, users, services and containers.

Exit status: 0 no difference, 1 they differ, 2 invalid arguments, 3 a snapshot could
not be read, or no difference was found and at least one side is incomplete.";

pub(super) const SCHEMA: &str = "\
Examples:
  allears schema                    the documents that have a schema
  allears schema snapshot           what --json prints
  allears schema why >why.json      for a validator of JSON Schema

The schemas are of draft 2020-12. Each describes what this version writes, and contains
the definitions that it uses. Within allears/1 no key is removed and none changes its
meaning; keys and names of values may be added. A program should ignore keys that it
does not know.

Exit status: 0 printed, 2 no such document, 3 the answer could not be written.";

pub(super) const ABOUT: &str = "\
Examples:
  allears about 10309        range, registry, common uses, nearest assigned ports
  allears about tcp/443      for one protocol
  allears about postgresql   the ports of a service name

about reads only built-in tables: no socket, process or network. It lists the
registry's assignments and common uses separately. They do not show what holds the
port on this machine; allears PORT does.

Exit status: 0 printed, 2 invalid arguments, 3 the answer could not be written.";
