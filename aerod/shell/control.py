# SPDX-License-Identifier: GPL-3.0-or-later
"""The control socket: one JSON object a line each way, and ``watch`` streams.

A request is ``{"command": NAME, ...arguments}``, its answer ``{"ok": true, "result": ...}``
or ``{"ok": false, "error": TEXT}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aerod.shell.loop import READABLE, WRITABLE, Loop

_LONGEST_REQUEST = 64 << 10
_LONGEST_BACKLOG = 64 << 20  # bytes an unread answer may have; a slower reader is hung up on


class CommandError(Exception):
    """A request that cannot be answered; the text is the answer."""


class Control:
    """Listens at ``path``; ``commands`` maps a name to a function of keyword arguments.

    ``event()`` makes the event that a new ``watch`` subscriber gets first.
    """

    def __init__(
        self,
        loop: Loop,
        path: Path,
        commands: dict[str, Callable[..., Any]],
        event: Callable[[], dict[str, Any]],
    ) -> None:
        self._loop = loop
        self._commands = commands
        self._event = event
        self._connections: set[_Connection] = set()
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(str(path))
        os.chmod(path, 0o660)
        self._listener.listen(16)
        loop.add(self._listener.fileno(), self._accept)

    def publish(self, event: dict[str, Any]) -> None:
        """Send an event to all ``watch`` subscribers."""
        for connection in [c for c in self._connections if c.watching]:
            connection.send(event)

    def _accept(self, _events: int) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            accepted, _address = self._listener.accept()
            self._connections.add(_Connection(self._loop, accepted, self._answer, self._connections.discard))

    def _answer(self, connection: _Connection, line: bytes) -> None:
        try:
            request = json.loads(line)
            if not isinstance(request, dict) or not isinstance(request.get("command"), str):
                raise CommandError('a request is a JSON object with a "command"')
            name = request.pop("command")
            if name == "watch":
                connection.watching = True
                connection.send(self._event())
                return
            if name not in self._commands:
                known = ", ".join(sorted([*self._commands, "watch"]))
                raise CommandError(f"unknown command {name!r}, known are {known}")
            connection.send({"ok": True, "result": self._commands[name](**request)})
        except (CommandError, ValueError, TypeError) as error:
            connection.send({"ok": False, "error": str(error)})


class _Connection:
    def __init__(
        self,
        loop: Loop,
        connected: socket.socket,
        answer: Callable[[_Connection, bytes], None],
        closed: Callable[[_Connection], None],
    ) -> None:
        self._loop, self._socket, self._answer, self._closed = loop, connected, answer, closed
        self._received = b""
        self._unsent = b""
        self.watching = False
        connected.setblocking(False)
        loop.add(connected.fileno(), self._ready)

    def _ready(self, events: int) -> None:
        try:
            if events & WRITABLE:
                self._flush()
            if events & ~WRITABLE:
                self._receive()
        except OSError:
            self.close()

    def _receive(self) -> None:
        data = self._socket.recv(_LONGEST_REQUEST)
        self._received += data
        if not data or len(self._received) > _LONGEST_REQUEST:
            self.close()
            return
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            self._answer(self, line)

    def send(self, message: dict[str, Any]) -> None:
        """Send one line, later if the other side does not read."""
        self._unsent += json.dumps(message).encode() + b"\n"
        try:
            self._flush()
        except OSError:
            self.close()

    def _flush(self) -> None:
        if self._socket.fileno() < 0:
            return
        with contextlib.suppress(BlockingIOError):
            self._unsent = self._unsent[self._socket.send(self._unsent):]
        if len(self._unsent) > _LONGEST_BACKLOG:
            self.close()
            return
        self._loop.change(self._socket.fileno(), READABLE | (WRITABLE if self._unsent else 0))

    def close(self) -> None:
        """Hang up."""
        if self._socket.fileno() >= 0:
            self._loop.remove(self._socket.fileno())
            self._socket.close()
        self._closed(self)
