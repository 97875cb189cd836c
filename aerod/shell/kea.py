# SPDX-License-Identifier: GPL-3.0-or-later
"""Kea's control socket: one command a connection, none of which aerod waits for.

Of all leases one page is read at a time, with a pause for Kea's real work.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import socket
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aerod.address import Prefix
from aerod.shell.loop import READABLE, WRITABLE, Loop

log = logging.getLogger("aerod")

_TIMEOUT = 10.0  # seconds
_PAGE = 500  # leases
_PAUSE_SHARE = 20  # reading leases takes at most one part in this of the time
_SUCCESS, _EMPTY = 0, 3  # results of a command
_ASSIGNED = 0  # state of a lease that has neither been declined nor has ended

Answered = Callable[[dict[str, Any] | None], None]


class KeaControl:
    """Asks one question after the other; ``answered(None)`` is called when there is no answer."""

    def __init__(self, loop: Loop, path: Path) -> None:
        self._loop = loop
        self._path = path
        self._waiting: deque[tuple[bytes, Answered]] = deque()
        self._timer = loop.timer(self._end)
        self._socket: socket.socket | None = None
        self._unsent = b""
        self._received = b""
        self._complained = False

    def ask(self, command: str, arguments: dict[str, Any], answered: Answered) -> None:
        """Ask when all earlier questions are answered."""
        request = {"command": command, "arguments": arguments}
        self._waiting.append((json.dumps(request).encode(), answered))
        if self._socket is None:
            self._next()

    def _next(self) -> None:
        if not self._waiting:
            return
        self._unsent, self._received = self._waiting[0][0], b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(str(self._path))
        except OSError as error:
            self._complain(error)
            self._timer.set(self._loop.now())
            return
        self._timer.set(self._loop.now() + _TIMEOUT)
        self._loop.add(self._socket.fileno(), self._ready, WRITABLE)

    def _ready(self, _events: int) -> None:
        try:
            if self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
                if not self._unsent:
                    self._loop.change(self._socket.fileno(), READABLE)
                return
            data = self._socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError as error:
            self._complain(error)
            data = b""
        self._received += data
        if not data:
            self._end()

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            log.warning("Kea cannot be asked at %s: %s", self._path, error)
        self._complained = True

    def _end(self) -> None:
        """Take what there is for the answer, and ask the next question."""
        self._loop.remove(self._socket.fileno())
        self._socket.close()
        self._socket = None
        self._timer.set(None)
        _request, answered = self._waiting.popleft()
        answer = None
        with contextlib.suppress(ValueError):
            answer = json.loads(self._received)
            self._complained = False
        answered(answer if isinstance(answer, dict) else None)
        if self._socket is None:
            self._next()


class KeaLeases:
    """Reads all leases now and then; ``done(leases, started)`` gets the DUID of each prefix."""

    def __init__(
        self, loop: Loop, path: Path, done: Callable[[dict[Prefix, bytes], float], None]
    ) -> None:
        self._loop = loop
        self._control = KeaControl(loop, path)
        self._done = done
        self._pause = loop.timer(self._ask)
        self._leases: dict[Prefix, bytes] = {}
        self._from = ""
        self._refused = False
        self._started = self._asked = 0.0

    def start(self) -> None:
        """Begin, unless the last look is not over yet."""
        if not self._from:
            self._leases, self._from = {}, "start"
            self._started = self._loop.now()
            self._ask()

    def end(self, prefix: Prefix) -> None:
        """Delete a lease."""
        arguments = {"type": "IA_PD", "ip-address": str(ipaddress.IPv6Address(prefix.packed))}
        self._control.ask("lease6-del", arguments, lambda _answer: None)

    def _ask(self) -> None:
        self._asked = self._loop.now()
        self._control.ask("lease6-get-page", {"from": self._from, "limit": _PAGE}, self._answered)

    def _answered(self, answer: dict[str, Any] | None) -> None:
        result = answer.get("result") if answer else None
        try:
            rows = answer["arguments"]["leases"] if result == _SUCCESS else []
            self._leases.update(_delegated(rows))
        except (KeyError, TypeError, ValueError):
            result, rows = None, []
        if result == _SUCCESS and len(rows) == _PAGE:
            self._from = rows[-1]["ip-address"]
            now = self._loop.now()
            self._pause.set(now + _PAUSE_SHARE * (now - self._asked))
            return
        self._from = ""
        if result in (_SUCCESS, _EMPTY):
            self._done(self._leases, self._started)
        elif answer and not self._refused:
            log.warning("Kea does not tell its leases: %s", answer.get("text"))
        self._refused = bool(answer) and result not in (_SUCCESS, _EMPTY)


def _delegated(rows: list[dict[str, Any]]) -> Iterator[tuple[Prefix, bytes]]:
    for row in rows:
        if row["type"] == "IA_PD" and row["state"] == _ASSIGNED:
            address = socket.inet_pton(socket.AF_INET6, row["ip-address"])
            yield Prefix.masked(address, row["prefix-len"]), bytes.fromhex(row["duid"].replace(":", ""))
