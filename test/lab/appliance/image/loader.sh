#!/bin/bash
# GRUB for EFI and what else is on the ESP. Usage: loader.sh OUT
set -euo pipefail
top=$(readlink -f "$(dirname "$0")/../../../..")
out=$(readlink -f "$1")
board=$top/buildroot/board/plenum/x86_64
mkdir -p "$out/EFI/BOOT" "$out/grub"
cp "$board/grub.cfg" "$out/grub/grub.cfg"
# What a lab wants and a chamber does not: a console to read, all serial ports, boots that do not wait, no panic of a kernel
# that got no turn while it tried its timer.
cat >"$out/grub/local.cfg" <<'CFG'
set serial=1
set extra="panic=3 no_timer_check mitigations=off 8250.nr_uarts=8 systemd.show_status=0 systemd.journald.forward_to_console=1 systemd.journald.max_level_console=warning"
CFG
# shellcheck disable=SC2046
grub-mkimage -O x86_64-efi -p /grub -c "$board/grub-early.cfg" -o "$out/EFI/BOOT/BOOTX64.EFI" \
    $(grep -v '^#' "$board/grub.modules")
"$board/grubenv.sh" "$out/grubenv"
cp "$out/grubenv" "$out/grubenv.old"
