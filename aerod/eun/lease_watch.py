# SPDX-License-Identifier: GPL-3.0-or-later
"""Following aerod's ``watch`` stream, over its restarts."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

from aerod.address import Prefix
from aerod.eun.plan import LeasedSubnet
from aerod.shell.host_address import first_subnet
from aerod.shell.loop import Loop

_RETRY_DELAY = 1.0  # seconds


class LeaseWatch:
    """Calls ``changed`` with all leased subnets each time aerod tells them."""

    def __init__(self, loop: Loop, path: Path, changed: Callable[[tuple[LeasedSubnet, ...]], None]) -> None:
        self._loop = loop
        self._path = path
        self._changed = changed
        self._received = b""
        self._socket: socket.socket | None = None
        self._timer = loop.timer(self.connect)

    def connect(self) -> None:
        """Ask aerod, later if it is not there."""
        asking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            asking.connect(str(self._path))
            asking.sendall(b'{"command": "watch"}\n')
        except OSError:
            asking.close()
            self._timer.set(self._loop.now() + _RETRY_DELAY)
            return
        asking.setblocking(False)
        self._socket = asking
        self._received = b""
        self._loop.add(asking.fileno(), self._receive)

    def _receive(self, _events: int) -> None:
        try:
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove(self._socket.fileno())
            self._socket.close()
            self._timer.set(self._loop.now() + _RETRY_DELAY)
            return
        *lines, self._received = (self._received + data).split(b"\n")
        if lines:
            self._changed(leased_subnets(lines[-1]))


def leased_subnets(event: bytes) -> tuple[LeasedSubnet, ...]:
    """The EUN's part of each prefix in an event."""
    return tuple(
        LeasedSubnet(first_subnet(Prefix.parse(p["prefix"])), p["preferred_until"], p["valid_until"])
        for p in json.loads(event)["prefixes"]
    )
