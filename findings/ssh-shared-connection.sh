#!/bin/bash
# With a shared connection (ControlMaster) the master holds the port of `ssh -L`, and its command line does not
# mention it. When the ssh that requested it ends, even by SIGKILL, the port stays bound. Ending the master would end
# every session of that connection; `ssh -O cancel` ends only the forwarding.
. "$(dirname "$0")/lib.sh"
packages asyncssh==2.24.1
debs ssh openssh-client
server=$(free_port) port=$(free_port)
cat >"$TMP/sshd.py" <<'PYTHON'
import asyncio, sys
import asyncssh
class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        return False
async def main():
    async def wait(process):
        await process.stdin.read()
    key = asyncssh.generate_private_key("ssh-ed25519")
    await asyncssh.create_server(Server, "127.0.0.1", int(sys.argv[1]), server_host_keys=[key], process_factory=wait)
    await asyncio.Event().wait()
asyncio.run(main())
PYTHON
start python3 "$TMP/sshd.py" "$server"
until_true 30 listens "$server"
common=(-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -S "$TMP/control" -p "$server" user@127.0.0.1)
start ssh -M -N "${common[@]}"
master=$STARTED
until_true 30 ssh -O check "${common[@]}"
start ssh -N -L "127.0.0.1:$port:127.0.0.1:9" "${common[@]}"
asked=$STARTED
until_true 30 listens "$port"
echo "held by: $(holders "$port"); asked for by pid $asked"
holds "the master ($master) holds the port" test "$(holders "$port")" = "\"ssh\",pid=$master"
holds "its command line does not name it" not grep -q "$port" "/proc/$master/cmdline"
kill -KILL "$asked"
until_true 10 gone "$asked" || true
sleep 1
holds "the port outlives the ssh that asked for it" listens "$port"
ssh -O cancel -L "127.0.0.1:$port:127.0.0.1:9" "${common[@]}"
holds "ssh -O cancel frees it" until_true 10 not listens "$port"
holds "and the master stays" kill -0 "$master"
