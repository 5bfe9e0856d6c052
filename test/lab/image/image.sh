#!/bin/bash
# Puts kernel modules, systemd/, guest/ and our binaries on the rootfs and makes a file system of it.
# Usage: image.sh OUT KERNEL ROOTFS BINARIES
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
out=$(readlink -f "$1") kernel=$2 rootfs=$3/root bin=$4
root=$out/root

# Hard links: no time, no space. So files of the rootfs are never written into below, only replaced.
cp -al "$rootfs" "$root"
mkdir -p "$root/lib/modules"
cp -al "$kernel"/lib/modules/* "$root/lib/modules/"
"$here/../../../systemd/install.sh" "$root"
# No box: the daemon waits for the configuration that a test gives it.
rm -f "$root/usr/share/plenum/plenum.toml"
cp -r --remove-destination "$here"/guest/. "$root/"
chown -hR root:root "$root"/etc/systemd "$root"/etc/udev "$root"/usr/local
install -m 755 "$bin/plenumd" "$bin/plenumctl" "$root/usr/bin/"
install -m 755 "$bin/agent" "$root/usr/local/sbin/lab-agent"
mkdir -p "$root/etc/plenum" "$root/lab"
if missing=$(chroot "$root" ldd /usr/bin/plenumd | grep 'not found'); then
    echo "plenumd does not run in the guest, packages.txt lacks a library: $missing"
    exit 1
fi

chroot "$root" systemd-sysusers plenum.conf
sed 's#^root:[^:]*:#root::#' "$rootfs/etc/shadow" >"$out/shadow" # a console without a password, in the lab only
grep '^plenum' "$root/etc/shadow" >>"$out/shadow" || true
install -m 640 -g 42 "$out/shadow" "$root/etc/shadow"
rm -f "$out/shadow" "$root/etc/machine-id"
: >"$root/etc/machine-id"
for unit in lab-agent lab-devices systemd-networkd; do chroot "$root" systemctl -q enable $unit; done
# What a box would do at boot and no test looks at.
chroot "$root" systemctl -q mask systemd-networkd-wait-online.service serial-getty@ttyS0.service getty@tty1.service \
    systemd-logind.service systemd-update-utmp.service systemd-update-utmp-runlevel.service dev-hugepages.mount dev-mqueue.mount \
    sys-kernel-tracing.mount modprobe@drm.service modprobe@efi_pstore.service modprobe@loop.service modprobe@dm_mod.service \
    systemd-pstore.service systemd-network-generator.service systemd-sysusers.service systemd-random-seed.service modprobe@fuse.service \
    alsa-restore.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
chroot "$root" systemctl -q set-default multi-user.target

truncate -s 900M "$out/root.img"
mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1,nodiscard -d "$root" "$out/root.img"
rm -rf "$root"
ln "$kernel/vmlinuz" "$kernel/initrd.gz" "$out/"
