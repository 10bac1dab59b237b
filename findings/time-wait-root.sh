#!/bin/bash
# The usual guess: the user that netstat -e prints beside a connection is the one who made it, or none if no process
#   has it any more.
# What happens: netstat (net-tools 2.10) prints root for every connection in TIME_WAIT, whichever user made it: the
#   kernel writes 0 for the user and for the inode there.
# Consequence: a uid of 0 without an inode is not a user: allears reports none, and `--user root` does not match.
. "$(dirname "$0")/lib.sh"

debs netstat net-tools
printf 'version: Linux %s\n' "$(uname -r)"
chmod 755 "$TMP"

cat >"$TMP/client.py" <<'EOF'
import encodings.idna, os, socket
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65533); os.setuid(65533)
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
accepted, _ = server.accept()
# The side that closes first keeps TIME_WAIT.
port = client.getsockname()[1]
client.close()
accepted.recv(1)
accepted.close()
print(os.getuid(), port)
EOF
read -r uid port < <(python3 "$TMP/client.py")
line=$(netstat --tcp --all --numeric-hosts --numeric-ports --extend 2>/dev/null | grep "127.0.0.1:$port " | grep -m 1 TIME_WAIT)
user=$(awk '{ print $7 }' <<<"$line")
echo "made by the user with uid $uid; netstat -e says: $user"
echo "$line"

holds "the user was an ordinary one" test "$uid" != 0
holds "netstat says root" test "$user" = root
