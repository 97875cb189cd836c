# SPDX-License-Identifier: GPL-3.0-or-later
"""A thread that takes what comes to sockets."""

from __future__ import annotations

import select
import socket
import threading


class Reader:
    """Calls ``_readable(socket)`` for each socket that has something, until closed."""

    def __init__(self, *sockets: socket.socket) -> None:
        self._sockets = sockets
        self._failure: Exception | None = None
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._loop, name=type(self).__name__, daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        poll = select.poll()  # select(2) cannot watch what a process with many sockets has
        by_number = {one.fileno(): one for one in (*self._sockets, self._woken)}
        for number in by_number:
            poll.register(number, select.POLLIN)
        while True:
            for number, _events in poll.poll():
                if by_number[number] is self._woken:
                    return
                try:
                    self._readable(by_number[number])
                except Exception as error:  # told at close, in the test's own thread
                    self._failure = self._failure or error

    def _readable(self, one: socket.socket) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Stop; raises what went wrong meanwhile."""
        if not self._thread.is_alive():
            return
        self._wake.close()
        self._thread.join()
        for one in (*self._sockets, self._woken):
            one.close()
        if self._failure:
            raise self._failure
