#!/bin/sh
# Puts the box's units, rules and scripts into a root file system and enables them. Usage: install.sh DESTDIR
#
# Nothing is run in DESTDIR, so it may be for another machine; who builds the image makes the users (systemd-sysusers, or
# Buildroot's table of users).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=${1:?folder of the root file system}

put() { # MODE FILE PATH
    mkdir -p "$root$(dirname "$3")"
    # Replaced, not written into: the lab's root file systems are made of hard links.
    rm -f "$root$3"
    cp "$here/$2" "$root$3"
    chmod "$1" "$root$3"
}
all() { # MODE FOLDER PATH
    for file in "$here/$2"/*; do put "$1" "$2/${file##*/}" "$3/${file##*/}"; done
}
link() { # TARGET PATH
    mkdir -p "$root$(dirname "$2")"
    ln -sfn "$1" "$root$2"
}
lib=/usr/lib units=/usr/lib/systemd/system

all 644 system $units
all 755 libexec /usr/libexec/plenum
all 644 udev $lib/udev/rules.d
all 644 sysusers.d $lib/sysusers.d
all 644 tmpfiles.d $lib/tmpfiles.d
all 644 repart.d $lib/repart.d
all 644 network $lib/systemd/network
put 644 polkit/50-plenum.rules /etc/polkit-1/rules.d/50-plenum.rules
put 644 dbus/plenum.conf /etc/dbus-1/system.d/plenum.conf
put 644 conf/journald.conf $lib/systemd/journald.conf.d/50-plenum.conf
put 644 conf/system.conf $lib/systemd/system.conf.d/50-plenum.conf
put 644 conf/networkd.conf $units/systemd-networkd.service.d/50-plenum.conf
put 644 conf/emergency.conf $units/emergency.target.d/50-plenum.conf
put 644 conf/sysctl.conf $lib/sysctl.d/50-plenum.conf
put 644 conf/usb.allow $lib/plenum/usb.allow
put 644 conf/plenum.toml /usr/share/plenum/plenum.toml

# What a setup stick says of the network lies on the data partition.
link /etc/plenum/network/50-plenum.network /etc/systemd/network/50-plenum.network
# Where things are mounted: the root file system cannot be written later.
for folder in /data /grub /media /etc/plenum /var/lib/plenum /var/log/journal; do mkdir -p "$root$folder"; done

# Enabled as the vendor does it: by links that no preset takes away. The files say themselves what wants them.
for file in "$here"/system/*; do
    name=${file##*/}
    sed -n 's/^WantedBy=/wants /p; s/^RequiredBy=/requires /p' "$file" | while read -r kind targets; do
        for target in $targets; do link "../$name" "$units/$target.$kind/$name"; done
    done
done
