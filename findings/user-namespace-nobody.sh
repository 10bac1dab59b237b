#!/bin/bash
# The usual guess: in a user namespace, a process list shows the user of a process, or that it is unknown.
# What happens: psutil 7.2.2 and ps (procps) call every user without a number there "nobody". The kernel reports the
#   overflow uid for them, which is the number of nobody.
# Consequence: in a user namespace that uid means "unknown": allears reports no user, and `--user nobody` does not
#   match.
. "$(dirname "$0")/lib.sh"

packages psutil==7.2.2
printf 'version: %s\nversion: Linux %s\n' "$(ps --version)" "$(uname -r)"

# The first process is root's. In a user namespace without a map nobody has a number.
ask='import psutil; print(psutil.Process(1).username())'
outside=$(python3 -c "$ask")
inside=$(unshare --user "$(command -v python3)" -c "$ask")
by_ps=$(unshare --user ps -o user= -p 1)
echo "the first process is of user $outside; in a user namespace of $inside by psutil, of $by_ps by ps"
echo "user database: $(getent passwd nobody)"

holds "outside, psutil says root" test "$outside" = root
holds "in a user namespace, psutil says nobody" test "$inside" = nobody
holds "in a user namespace, ps says nobody" test "$by_ps" = nobody
