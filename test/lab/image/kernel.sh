#!/bin/bash
# Debian's stock kernel with the modules of modules.txt and two that Debian leaves out, and an initrd.
# Usage: kernel.sh OUT RELEASE PACKAGE=VERSION...      OUT gets vmlinuz, initrd.gz and lib/modules; the packages are the kernel's parts
# Ends with 75 when a part could not be downloaded.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
out=$(readlink -f "$1") release=$2
shift 2
work=$out/work
mkdir -p "$work/deb"
cd "$work"

# The cloud flavour lacks vivid, sound and USB. All parts in one version: headers of another one do not fit.
if ! (cd deb && apt-get -o APT::Sandbox::User=root download -qq "$@" busybox-static); then
    if [ "$(df -k --output=avail . | tail -n 1)" -lt 1048576 ]; then
        echo "$1 could not be downloaded: less than 1 GB of disk is free; make room and run it again"
        exit 1
    fi
    echo "$1 could not be downloaded: check the network; make fetches it again"
    exit 75
fi
for f in deb/*.deb; do dpkg-deb -x "$f" tree; done
headers=$work/tree/usr/src/linux-headers-$release

# --- gpio-sim and vicodec, out of tree
source=linux-source-6.1
tar -xJf tree/usr/src/$source.tar.xz --occurrence=1 $source/drivers/gpio/gpio-sim.c $source/drivers/gpio/gpiolib.h $source/kernel/irq/irq_sim.c \
    $source/drivers/media/v4l2-core/v4l2-mem2mem.c \
    $source/drivers/media/test-drivers/vicodec/{codec-fwht.c,codec-fwht.h,codec-v4l2-fwht.c,codec-v4l2-fwht.h,vicodec-core.c}
mkdir -p extra/gpio extra/vicodec
cp $source/drivers/gpio/gpio-sim.c extra/gpio/gpio_sim_main.c
cp $source/drivers/gpio/gpiolib.h extra/gpio/
# irq_to_desc is not exported to modules; generic_handle_irq is, and does the same here.
sed 's/EXPORT_SYMBOL_GPL(.*);//; s/handle_simple_irq(irq_to_desc(\(.*\)));/generic_handle_irq(\1);/' $source/kernel/irq/irq_sim.c >extra/gpio/irq_sim.c
printf 'obj-m := gpio-sim.o\ngpio-sim-y := gpio_sim_main.o irq_sim.o\n' >extra/gpio/Kbuild
cp $source/drivers/media/test-drivers/vicodec/* extra/vicodec/
# Linked into one module with its user: its own MODULE_ and parameter lines would be double.
sed 's/EXPORT_SYMBOL_GPL(.*);//; s/EXPORT_SYMBOL(.*);//; s/^MODULE_.*//; s/^module_param.*//' $source/drivers/media/v4l2-core/v4l2-mem2mem.c >extra/vicodec/v4l2-mem2mem.c
printf 'obj-m := vicodec.o\nvicodec-y := vicodec-core.o codec-fwht.o codec-v4l2-fwht.o v4l2-mem2mem.o\n' >extra/vicodec/Kbuild
# The header packages name each other by absolute path; here they lie elsewhere.
sed -i "s#/usr/src/linux-headers#$work/tree/usr/src/linux-headers#g; s#/usr/lib/linux-kbuild#$work/tree/usr/lib/linux-kbuild#g" \
    "$headers/Makefile" $( [ -f "$headers/.kernelvariables" ] && echo "$headers/.kernelvariables" )
find tree/usr/src -type l | while read -r link; do
    case $(readlink "$link") in /usr/*) ln -sfn "$work/tree$(readlink "$link")" "$link" ;; esac
done
for module in gpio vicodec; do
    make -s -C "$headers" M="$work/extra/$module" modules
    strip -g extra/$module/*.ko
done

# --- only the modules wanted, with what they depend on
depmod -b tree "$release"
needs() { modprobe -d "$work/tree" -S "$release" --show-depends "$1" | awk '$1 == "insmod" { print $2 }'; }
to=$out/lib/modules/$release
mkdir -p "$to/updates"
grep -v '^#' "$here/modules.txt" | xargs -n 1 | while read -r module; do needs "$module"; done | sort -u | while read -r file; do
    mkdir -p "$to/$(dirname "${file#*/lib/modules/"$release"/}")"
    cp "$file" "$to/${file#*/lib/modules/"$release"/}"
done
cp "tree/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} "$to/"
cp extra/*/*.ko "$to/updates/"
depmod -b "$out" "$release"

# --- an initrd that mounts the root file system and goes on: the plain guest's ext4 disk, or a slot of the appliance
mkdir -p initrd/bin initrd/modules initrd/sysroot
cp tree/bin/busybox initrd/bin/
n=100
for module in virtio_pci virtio_blk crc32c_generic ext4 squashfs; do needs $module; done | awk '!seen[$0]++' | while read -r file; do
    n=$((n + 1))
    cp "$file" "initrd/modules/$n-$(basename "$file")"
done
cp "$here/init.sh" initrd/init
chmod +x initrd/init
(cd initrd && find . | cpio -o -H newc --quiet | gzip -1) >"$out/initrd.gz"
cp "tree/boot/vmlinuz-$release" "$out/vmlinuz"
cd "$out"
rm -rf "$work"
