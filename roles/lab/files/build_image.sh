#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: build_image.sh [--check] CACHE SUITE PACKAGE...
# The root file system of every lab node: Debian from CACHE/sources.list, systemd as init, and the
# files below image/. Prints the image's name, which is the hash of all that goes into it, then a
# line for each thing it had to do. CACHE/image.tar is the image that was made last.
set -eu

check=
[ "$1" != --check ] || { check=1; shift; }
cache=$1 suite=$2
shift 2
here=$(dirname "$(realpath "$0")")
image=$here/image

hash=$({
    echo "$suite" "$@"
    cat "$0" "$cache/sources.list"
    cd "$image" && find . -type f | LC_ALL=C sort | xargs grep -H ''
} 2>/dev/null | sha256sum | cut -c1-16)
name=localhost/aero-lab:$hash
echo "$name"

if [ "$(cat "$cache/image.name" 2>/dev/null)" != "$name" ]; then
    echo "build $cache/image.tar"
    [ -n "$check" ] || {
        rm -f "$cache/image.name"
        mmdebstrap --quiet --variant=minbase --include="$(echo "$@" | tr ' ' ',')" \
            --dpkgopt="$image/etc/dpkg/dpkg.cfg.d/lab" \
            --customize-hook='cp -r --preserve=mode "'"$image"'"/. "$1"' \
            --customize-hook='rm -f "$1/etc/apt/sources.list" "$1"/etc/apt/sources.list.d/0*' \
            --customize-hook='ln -sf /etc/lab/hosts /etc/lab/resolv.conf "$1/etc"' \
            --customize-hook='rm -f "$1"/usr/lib/sysctl.d/*.conf' \
            --customize-hook='chroot "$1" systemctl --quiet enable lab-boot lab-network' \
            --customize-hook='chroot "$1" systemctl --quiet mask getty@.service console-getty.service \
                apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer' \
            "$suite" "$cache/image.tar" "$cache/sources.list" >&2
        echo "$name" >"$cache/image.name"
    }
fi
if ! podman image exists "$name"; then
    echo "import $name"
    [ -n "$check" ] || podman import --quiet "$cache/image.tar" "$name" >&2
fi
