#!/bin/bash
# A program whose file is gone has the mark ` (deleted)` in /proc/PID/exe. If its file system was unmounted instead
# (umount --lazy, a removed image), the link has no mark, and the rest of the path begins at that file system's root:
# it may name another file. psutil reports that path. It also drops the mark of a file that was replaced, so that it
# names the newer file as the running one. Needs root.
. "$(dirname "$0")/lib.sh"
packages psutil==7.2.2
uname -r | sed 's/^/version: Linux /'
cat >"$TMP/inside.sh" <<'INSIDE'
set -eu
mount -t tmpfs none "$1/mnt"
cp "$(command -v sleep)" "$1/mnt/unmounted-program-server"
cp "$(command -v sleep)" "$1/replaced-server"
"$1/mnt/unmounted-program-server" 60 & unmounted=$!
"$1/replaced-server" 60 & replaced=$!
trap 'kill $unmounted $replaced' EXIT
sleep 0.5
umount --lazy "$1/mnt"
echo "another file" >"$1/newer"
mv "$1/newer" "$1/replaced-server"
python3 - "$unmounted" "$replaced" <<'PYTHON'
import os, psutil, sys
for name, pid in zip(("unmounted", "replaced"), map(int, sys.argv[1:])):
    path = psutil.Process(pid).exe()
    running, found = os.stat(f"/proc/{pid}/exe"), os.stat(path) if os.path.exists(path) else None
    same = found is not None and os.path.samestat(running, found)
    print(f"{name}: link={os.readlink(f'/proc/{pid}/exe')} psutil={path} exists={found is not None} same={same}")
PYTHON
INSIDE
mkdir "$TMP/mnt"
told=$(unshare --mount bash "$TMP/inside.sh" "$TMP")
printf '%s\n' "$told"
holds "the link of the unmounted program is a path below its file system, without a mark" \
    grep -qx 'unmounted: link=/unmounted-program-server psutil=/unmounted-program-server exists=False same=False' <<<"$told"
holds "psutil names the file that replaced the running one" \
    grep -qx "replaced: link=$TMP/replaced-server (deleted) psutil=$TMP/replaced-server exists=True same=False" <<<"$told"
