#!/bin/bash
# The folder that slots are made of: all but /usr/lib/plenum/release.
# Usage: box.sh OUT KERNEL SYSTEM BINARIES KEYS
set -euo pipefail
top=$(readlink -f "$(dirname "$0")/../../../..")
out=$(readlink -f "$1") kernel=$2 system=$3/root bin=$4 keys=$5
root=$out/root guest=$top/test/lab/image/guest

cp -a "$system" "$root"
mkdir -p "$root/lib/modules" "$root/boot" "$root/lab"
cp -a "$kernel"/lib/modules/* "$root/lib/modules/"
cp "$kernel/vmlinuz" "$root/boot/kernel"
cp "$kernel/initrd.gz" "$root/boot/initrd"
(cd "$root/boot" && sha256sum kernel >SHA256SUMS) # what GRUB compares it with

install -m 755 "$bin/plenumd" "$bin/plenumctl" "$root/usr/bin/"
if missing=$(chroot "$root" ldd /usr/bin/plenumd | grep 'not found'); then
    echo "plenumd does not run on the box, packages.txt lacks a library: $missing"
    exit 1
fi
"$top/systemd/install.sh" "$root"
cp -r "$top/buildroot/board/plenum/x86_64/rootfs-overlay/." "$root/"
mkdir -p "$root/etc/rauc"
install -m 644 "$keys/ca.pem" "$root/etc/rauc/ca.pem"
"$top/buildroot/rauc/render.sh" lab "$top/buildroot/board/plenum/x86_64/board.env" "$top/buildroot/rauc/system.conf.in" >"$root/etc/rauc/system.conf"

install -D -m 644 "$top/test/lab/appliance/image/plenum.toml" "$root/usr/share/plenum/plenum.toml"

# Lab only: the agent, the devices that the kernel imagines, a network without DHCP.
install -m 755 "$bin/agent" "$root/usr/local/sbin/lab-agent"
for file in usr/local/sbin/lab-devices etc/systemd/system/lab-agent.service etc/systemd/system/lab-devices.service \
    etc/systemd/system.conf.d/90-lab.conf etc/systemd/network/10-lab.network etc/udev/rules.d/60-plenum-lab.rules etc/udev/rules.d/90-alsa-restore.rules; do
    install -D -m "$(stat -c %a "$guest/$file")" "$guest/$file" "$root/$file"
done
cp -r "$top/test/lab/appliance/image/box/." "$root/"
# The shipped order with more patience: a box of the lab is slow and shares its machine.
health=$(sed -n 's/^\(ExecStart=.* --wait\) 2m$/\1 10m/p' "$root/usr/lib/systemd/system/plenum-health.service")
if [ -z "$health" ]; then
    echo "plenum-health.service does not wait 2 minutes any more: box.sh has to be told"
    exit 1
fi
mkdir "$root/etc/systemd/system/plenum-health.service.d"
printf '[Service]\nExecStart=\n%s\nTimeoutStartSec=15min\n' "$health" >"$root/etc/systemd/system/plenum-health.service.d/90-lab.conf"
# Debian leaves /tmp where it is; other systems, and a root file system that cannot be written, want it in memory.
ln -s /usr/share/systemd/tmp.mount "$root/etc/systemd/system/tmp.mount"
printf 'tmpfs /lab tmpfs mode=0755 0 0\n' >>"$root/etc/fstab"
for unit in lab-agent lab-devices systemd-networkd tmp.mount; do chroot "$root" systemctl -q enable $unit; done

# None of it is on a box.
rm -rf "$root"/usr/{share,lib/x86_64-linux-gnu}/{perl,perl5} "$root"/usr/bin/perl* "$root"/usr/lib/x86_64-linux-gnu/libperl* \
    "$root"/usr/share/{grub,sounds} "$root"/usr/lib/{apt,udev/hwdb.d,udev/hwdb.bin} "$root"/var/lib/{apt,dpkg/info}
find "$root"/usr/{bin,sbin} -name 'grub-*' ! -name grub-editenv -delete
chroot "$root" systemd-sysusers
sed -i 's#^root:[^:]*:#root::#' "$root/etc/shadow" # a console without a password, in the lab only
rm -f "$root/etc/machine-id"
: >"$root/etc/machine-id"
: >"$root/etc/hostname" # the box is told its name at boot
# What a box of the lab has no use for and would wait for at boot.
chroot "$root" systemctl -q mask systemd-networkd-wait-online.service serial-getty@ttyS0.service getty@tty1.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
chroot "$root" systemctl -q set-default multi-user.target
