#!/bin/bash
# Becomes a small machine with systemd as its first process: called in fresh namespaces (mount, pid, net, uts, ipc, cgroup).
# Everything it writes goes into a tmpfs over the real root, but for the directory $SHARE.
#   machine.sh WORK SHARE BINARY PACKAGING
set -eu
work=$1 share=$2 binary=$3 packaging=$4
mount --make-rprivate /
mount -t tmpfs tmpfs "$work"
root=$work/root
mkdir -p "$root" "$work/upper" "$work/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs sys/fs/cgroup
mkdir sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd,xattr systemd sys/fs/cgroup/systemd
for dir in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs $dir; done
chmod 1777 tmp
for node in null zero full random urandom tty; do
    touch dev/$node
    mount --bind /dev/$node dev/$node
done
mkdir dev/pts dev/shm dev/mqueue dev/hugepages
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mkdir -p share
mount --bind "$share" share
touch share/console dev/console
mount --bind share/console dev/console
ip link set lo up

# As docs/run/serve.md says.
install -m 755 "$binary" usr/bin/hearthpost
cp "$packaging/hearthpost.service" "$packaging/hearthpost.socket" etc/systemd/system/
chroot . useradd --system --home /var/lib/hearthpost --shell /usr/sbin/nologin hearthpost
mkdir -p etc/hearthpost etc/keys
install -m 600 "$share/server.pem" "$share/server.key" etc/keys/
chmod 700 etc/keys
sed -i -e 's,^#LoadCredential=tls.pem:.*,LoadCredential=tls.pem:/etc/keys/server.pem,' \
    -e 's,^#LoadCredential=tls.key:.*,LoadCredential=tls.key:/etc/keys/server.key,' etc/systemd/system/hearthpost.service
cp "$share/hearthpost.toml" etc/hearthpost/
install -m 755 "$share/visit.sh" usr/local/bin/visit.sh
cat > etc/systemd/system/visit.service <<UNIT
[Unit]
After=hearthpost.service
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/usr/local/bin/visit.sh
StandardOutput=file:/share/facts
StandardError=file:/share/trouble
UNIT
cat > etc/systemd/system/visit.target <<UNIT
[Unit]
Wants=hearthpost.service visit.service systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket
UNIT
export container=oci
mkdir old
pivot_root . old
umount -l /old
mount --make-rshared /
exec /lib/systemd/systemd --unit=visit.target
