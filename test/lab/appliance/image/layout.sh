# shellcheck shell=bash disable=SC2034
# Sizes in MiB and names of the partitions.
esp_size=64 slot_size=320 data_size=64 disk_size=1280
# The ids are the product's: GRUB and RAUC know the partitions by them.
board=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../../../../buildroot/board/plenum/x86_64/board.env")
# shellcheck source=buildroot/board/plenum/x86_64/board.env
. "$board"
