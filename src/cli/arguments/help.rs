//! What the help of each command ends with: examples, what it does and does not, exit statuses.

pub(super) const LIST: &str = "\
Examples:
  allears                    everything that listens on this machine
  allears 10309              what holds port 10309
  allears tcp/8000-8010      a range of one protocol
  allears 127.0.0.1:6379     what a peer that connects there reaches
  allears postgresql         a service name, of the IANA registry or of /etc/services
  allears --exposed          only what other machines can reach
  allears -c vite            only what processes named like vite hold
  allears --pids 3000        pids alone: kill $(allears --pids 3000)
  allears why 3000           can it be bound now, and if not, why?
  allears about 10309        what the number means
  allears --json >a.json     a snapshot; look at it with --from a.json
  allears diff a.json        what is different now
  allears watch 3000         a screen that follows what happens there

Exit status: 0 something matches, 1 nothing does, 2 a mistake in the arguments, 3 could not tell.
The habits of ss -tulnp, netstat -ano and lsof -nP -i :10309 work here too.";

pub(super) const WHY: &str = "\
Examples:
  allears why 10309             can a server have port 10309, on all addresses?
  allears why 127.0.0.1:10309   on that address alone?
  allears why udp/53            for UDP?

The port is bound for an instant, with the options that servers set, and never
listened on: nothing is left of it. Where nothing listens, a connection over
loopback tells whether the port is forwarded to elsewhere.

Exit status: 0 a bind would succeed now, 1 it would not, 2 a mistake in the
arguments, 3 could not tell.";

pub(super) const FREE: &str = "\
Examples:
  allears free 3000               show who holds it, ask, end it, watch the port
  allears free 3000 -n            show what would be done, and do nothing
  allears free 3000 -yf           SIGTERM, then SIGKILL for what outlives the timeout
  allears free 3000 -y --tree     end npm, make or sh -c and all they started
  allears free 8080 -y --via container   docker stop NAME, instead of a signal
  allears free 8000-8010 --yes    end every holder of these ports

free ends only processes that hold the listening or bound socket, never the clients
that are connected to it. If one of several holders may not be ended, none is. It
refuses to end processes that stand for others, and names the command that frees the
port: pid 1 and service managers, container engines and their helpers, supervisors
and super-servers that hold sockets for programs, a login over ssh, allears itself
and its ancestors. --via runs that one command, from the system's own folders.

The plan names what else goes: other ports of the process, its clients, its
children, its wrapper, and what starts it again. free watches the port for at least
as long as a supervisor or service manager waits before it restarts the process.

A port is free if a bind succeeds and nothing passes its connections on. On Windows
a program is asked by its windows, or by Ctrl+C if it is alone in its console, and
ended at once if it has neither.

Exit status: 0 the port is free at the end, also if it was before; 1 still held, as
after --dry-run; 2 a mistake in the arguments; 3 refused or could not tell.";

pub(super) const WAIT: &str = "\
Examples:
  allears wait 3000 && open http://localhost:3000
  allears wait 127.0.0.1:5432 --timeout 30s
  allears wait --free 3000 && npm start

Checks every 5 ms at first and every 200 ms later; no process is looked at until
the state is reached.

--free ends when you can bind the port: nothing has it, and nothing forbids it to
you. A server that sets SO_REUSEADDR can start meanwhile: the test is not in its way.

Exit status: 0 reached, 1 timed out, 2 a mistake in the arguments, 3 could not tell,
or waiting does not help: a privilege is missing, or a policy forbids the port.";

pub(super) const WATCH: &str = "\
Examples:
  allears watch                   everything that listens, as it changes
  allears watch 3000 --interval 200ms
  allears watch -c node           only what processes named like node hold
  allears watch --ndjson | jq -r 'select(.event == \"opened\") | .listener.port'

Keys: q, Esc or Ctrl-C end it; Ctrl-Z stops it until fg; space or p pauses;
arrows, PgUp, PgDn, Home and End scroll; s changes the order. What was opened (+), closed (-) or changed (~)
is marked for five seconds. Where standard output is no terminal, or TERM=dumb,
each event is a line; --ndjson makes it JSON.

Each look reads the socket table. Processes are looked at only when something in
it has changed, and at every tenth look: a change of hands that leaves the socket
as it is shows after ten intervals at the latest. What is opened and closed again
between two looks is not seen. A look that fails is told, and tried again. With
--all-namespaces each look also looks for those, among all processes.

Exit status: 0 when you end it or the reader of its output does, which it notices
at the next look, and on Windows when it has something to write; 2 a mistake in
the arguments; 3 the first look failed.";

pub(super) const DIFF: &str = "\
Examples:
  allears --json >before.json     a snapshot
  allears diff before.json        what is different now
  allears diff a.json b.json      between two of them
  ssh web allears --json | allears diff web.json -

The same question is asked again. Of two snapshots that were asked for different
things, what both could contain is compared; a holder that only one side could see
is no difference; of two machines, addresses and ports are compared, and the
names of processes, users, services and containers.

Exit status: 0 no difference, 1 they differ, 2 a mistake in the arguments, 3 a
snapshot could not be read, or nothing is surely different and not all is known.";

pub(super) const ABOUT: &str = "\
Examples:
  allears about 10309        range, registry, common uses, and the assigned ports nearby
  allears about tcp/443      of one protocol
  allears about postgresql   of a service name's ports

It looks up tables that are part of the program: no socket, no process and no
network is looked at. What the registry says and what commonly listens there are
told apart; neither says who holds the port here, which is allears PORT.

Exit status: 0, or 2 for a mistake in the arguments.";
