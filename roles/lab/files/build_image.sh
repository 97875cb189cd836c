#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: build_image.sh OUTPUT.tar SUITE SOURCES.list PACKAGE...
# The root file system of every lab node: Debian, systemd as init, and the files below image/.
set -eu

output=$1 suite=$2 sources=$3
shift 3
image=$(dirname "$(realpath "$0")")/image

mmdebstrap --quiet --format=tar --variant=minbase --include="$(echo "$@" | tr ' ' ',')" \
    --dpkgopt="$image/etc/dpkg/dpkg.cfg.d/lab" \
    --customize-hook='cp -r --preserve=mode '"'$image'"'/. "$1"' \
    --customize-hook='rm "$1/etc/apt/sources.list"' \
    --customize-hook='ln -sf /etc/lab/hosts /etc/lab/resolv.conf "$1/etc"' \
    --customize-hook='rm -f "$1"/usr/lib/sysctl.d/*.conf' \
    --customize-hook='chroot "$1" systemctl --quiet enable lab-boot lab-network' \
    --customize-hook='chroot "$1" systemctl --quiet mask getty@.service console-getty.service \
        apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer' \
    "$suite" "$output.new" "$sources"
mv "$output.new" "$output"
