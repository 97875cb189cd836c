# SPDX-License-Identifier: GPL-3.0-or-later
"""sd_notify(3) and sd_listen_fds(3): readiness, watchdog, and descriptors that outlive us."""

from __future__ import annotations

import array
import os
import socket

_FIRST_FD = 3


def notify(state: str, fds: tuple[int, ...] = ()) -> None:
    """Tell systemd ``state``, as in ``READY=1``; nothing happens without systemd."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(address)
        sender.sendmsg([state.encode()], rights)


def watchdog_interval() -> float | None:
    """Seconds between two ``WATCHDOG=1``, or ``None`` if systemd does not wait for any."""
    period = os.environ.get("WATCHDOG_USEC", "")
    return int(period) / 1e6 / 2 if period.isdigit() and int(period) else None


def stored_fds() -> dict[str, int]:
    """The descriptors that systemd kept for us over a restart, by FDNAME."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    count = int(os.environ.get("LISTEN_FDS", "0"))
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")[:count]
    return {name: _FIRST_FD + index for index, name in enumerate(names)}
