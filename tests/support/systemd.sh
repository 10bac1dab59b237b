#!/bin/sh
# A systemd of its own, as the first process of new mount, pid, cgroup, net, uts and ipc namespaces.
# $1: an empty folder to build its root on. $2: the program under test, which it finds as /allears. $3: the fixture,
# which its units find as /fixture.
# Nothing of the machine can be written to from inside: the root is a tmpfs, /usr and /proc/sys are read-only, there
# is no sysfs, and neither /tmp nor /var is the machine's.
set -e
mount --make-rprivate /
root=$1
mount -t tmpfs -o size=256m,mode=755 tmpfs "$root"
cd "$root"
mkdir -p usr etc/systemd/system proc sys dev run tmp var/log root old
for name in bin sbin lib lib64; do ln -s usr/$name $name; done
cp "$2" allears
cp "$3" fixture
mount --bind /usr usr
mount -o remount,ro,bind usr
# The user whose manager user@4242.service is.
echo 'stage:x:4242:4242::/home/stage:/bin/sh' | cat - /etc/passwd >etc/passwd
echo 'stage:x:4242:' | cat - /etc/group >etc/group
cp /etc/nsswitch.conf /etc/ld.so.cache etc/
echo 0123456789abcdef0123456789abcdef >etc/machine-id
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t tmpfs -o mode=755 tmpfs sys
mkdir -p sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=755 tmpfs run

cd etc/systemd/system
unit() {
  name=$1
  shift
  printf '%s\n' '[Unit]' 'DefaultDependencies=no' "$@" >"$name"
}
unit named.socket '[Socket]' 'ListenStream=127.0.0.1:4711' 'Service=other.service'
unit other.service '[Service]' 'ExecStart=/bin/sleep 1000' 'StandardOutput=null'
unit each.socket '[Socket]' 'ListenStream=4712' 'Accept=yes'
unit each@.service '[Service]' 'ExecStart=/bin/cat' 'StandardInput=socket'
unit plain.socket '[Socket]' 'ListenDatagram=127.0.0.1:4713'
unit plain.service '[Service]' 'ExecStart=/bin/sleep 1000' 'StandardOutput=null'
unit dbus.socket '[Socket]' 'ListenStream=/run/dbus/system_bus_socket'
unit dbus.service '[Service]' 'StandardOutput=null' \
  'ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation'
# The fixture stays until its input ends: a pipe that it has open for both.
fixture() { echo "ExecStart=/bin/sh -c '[ -p %t/held ] || mkfifo %t/held; exec /fixture $1 <>%t/held'"; }
unit always.service '[Service]' "$(fixture tcp=127.0.0.1:4715)" 'StandardOutput=null' 'Restart=always' 'RestartSec=2'
# As systemd's own, without logind and what it needs.
unit user@.service '[Service]' 'User=%i' 'Type=notify' 'Environment=XDG_RUNTIME_DIR=/run/user/%i' \
  "ExecStartPre=+/bin/sh -c 'mkdir -p /run/user/%i && chown %i:%i /run/user/%i && chmod 700 /run/user/%i'" \
  'ExecStart=/lib/systemd/systemd --user' 'Slice=user-%i.slice' 'KillMode=mixed' 'Delegate=yes' 'StandardError=null'
unit sysinit.target
sockets='named.socket each.socket plain.socket dbus.socket'
unit default.target "Requires=$sockets" "After=$sockets"
for name in systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service \
  systemd-tmpfiles-clean.service systemd-tmpfiles-clean.timer systemd-sysctl.service systemd-modules-load.service \
  systemd-udevd.service systemd-udev-trigger.service systemd-random-seed.service systemd-binfmt.service \
  systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket; do
  ln -s /dev/null $name
done

# What systemctl -M UID@ opens a session with; pam_systemd would set the variable.
mkdir "$root/etc/pam.d"
cd "$root/etc/pam.d"
printf '%s required pam_permit.so\n' auth account session >login
echo 'session required pam_env.so conffile=/etc/pam_env.conf readenv=0' >>login
echo 'XDG_RUNTIME_DIR DEFAULT=/run/user/4242' >../pam_env.conf

mkdir -p "$root/home/stage/.config/systemd/user"
cd "$root/home/stage/.config/systemd/user"
unit web.socket '[Socket]' 'ListenStream=127.0.0.1:4714'
unit web.service '[Service]' 'ExecStart=/bin/sleep 1000'
unit always.service '[Service]' "$(fixture tcp=127.0.0.1:4716)" 'StandardOutput=null' 'Restart=on-failure' 'RestartSec=3'
unit forge.service '[Service]' 'ExecStart=/bin/sh /home/stage/forge' 'StandardOutput=null'
# Cgroups that an ordinary user makes, below the one that the user's manager was given.
cat >"$root/home/stage/forge" <<'FORGE'
mkfifo /run/user/4242/forged
top=/sys/fs/cgroup/user.slice/user-4242.slice/user@4242.service
port=4720
while read -r path; do
  mkdir -p "$top/$path"
  /fixture "cgroup=$top/$path" tcp=127.0.0.1:$port <>/run/user/4242/forged &
  port=$((port + 1))
done <<PATHS
system.slice/nginx.service
user@0.service/app.slice/nginx.service
docker-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.scope/nginx.service
app.slice/app-gnome-code-31337.scope
app.slice/app-org.gnome.Terminal@5c.service
app.slice/web*.service
app.slice/--no-block.service
PATHS
wait
FORGE
chown -R 4242:4242 "$root/home/stage"

cd "$root"
pivot_root . old
umount -l /old
rmdir /old
# Nothing is started while anything of the machine is in reach.
[ -z "$(ls -A /tmp)" ] && [ "$(ls -A /var)" = log ]
ip link set lo up
exec env -i container=allears PATH=/usr/bin:/usr/sbin \
  /lib/systemd/systemd --system --log-target=console --log-level=warning --show-status=no
