#!/bin/bash
# A box's disk as it leaves the factory: both slots are filled, the data partition small on a larger disk.
# Usage: disk.sh OUT SLOT LOADER      OUT gets disk.img
set -euo pipefail
out=$(readlink -f "$1") slot=$2 loader=$3
here=$(dirname "$(readlink -f "$0")")
disk=$out/disk.img
# shellcheck source=test/lab/appliance/image/layout.sh
. "$here/layout.sh"

truncate -s "$((1 + esp_size + 2 * slot_size + data_size + 1))M" "$disk"
sgdisk -a 2048 \
    -n "1:1M:+${esp_size}M" -t 1:ef00 -c 1:esp -u "1:$ESP_ID" \
    -n "2:0:+${slot_size}M" -t 2:8300 -c 2:rootfs-a -u "2:$A_ID" \
    -n "3:0:+${slot_size}M" -t 3:8300 -c 3:rootfs-b -u "3:$B_ID" \
    -n 4:0:0 -t 4:8300 -c 4:data -u "4:$DATA_ID" "$disk" >/dev/null
truncate -s "${disk_size}M" "$disk" # the table's copy stays where the smaller disk ended, as on a medium that an image was written to

start() { sgdisk -i "$1" "$disk" | awk '/First sector/ { print $3 / 2048 }'; } # MiB
put() { dd if="$1" of="$disk" bs=1M seek="$(start "$2")" conv=notrunc,sparse status=none; }
truncate -s "${esp_size}M" "$out/esp.img"
mkfs.vfat -F 32 -n GRUB "$out/esp.img" >/dev/null
(cd "$loader" && mcopy -s -i "$out/esp.img" ./* ::/)
put "$out/esp.img" 1
put "$slot" 2
put "$slot" 3
truncate -s "$((data_size - 1))M" "$out/data.img"
mkfs.ext4 -q -F -L data "$out/data.img"
put "$out/data.img" 4
rm "$out/esp.img" "$out/data.img"
