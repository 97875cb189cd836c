# SPDX-License-Identifier: GPL-3.0-or-later
"""A small event loop: file descriptors by epoll, a few timers, signals."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

from aerod.shell import clock

READABLE, WRITABLE, FAILED = select.EPOLLIN, select.EPOLLOUT, select.EPOLLERR
_LONGEST_WAIT = 60.0


class Timer:
    """Calls ``callback`` once at the monotonic time it is set to."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.due: float | None = None

    def set(self, due: float | None) -> None:
        """Fire at ``due`` instead of whatever was set before; ``None`` never."""
        self.due = due

    def set_earlier(self, due: float) -> None:
        """Fire at ``due`` unless it is set to fire before that."""
        if self.due is None or due < self.due:
            self.due = due


class Loop:
    """Runs callbacks until :meth:`stop`; nothing in it may block."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[int], None]] = {}
        self._timers: list[Timer] = []
        self._running = False

    @staticmethod
    def now() -> float:
        """Monotonic seconds of the daemon's clock."""
        return clock.now()

    def add(self, fd: int, callback: Callable[[int], None], events: int = READABLE) -> None:
        """Call ``callback(events)`` when ``fd`` is ready; errors are always reported."""
        self._readers[fd] = callback
        self._epoll.register(fd, events)

    def change(self, fd: int, events: int) -> None:
        """Wait for other events on ``fd``."""
        self._epoll.modify(fd, events)

    def remove(self, fd: int) -> None:
        """Forget ``fd``; to be called before it is closed."""
        if self._readers.pop(fd, None):
            with suppress(OSError):
                self._epoll.unregister(fd)

    def timer(self, callback: Callable[[], None]) -> Timer:
        """Make a timer, not yet set."""
        timer = Timer(callback)
        self._timers.append(timer)
        return timer

    def handle_signals(self, handlers: dict[int, Callable[[], None]]) -> None:
        """Call the handlers from the loop, between other callbacks."""
        read, write = socket.socketpair()
        read.setblocking(False)
        write.setblocking(False)
        self._signal_sockets = (read, write)
        signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        for number in handlers:
            signal.signal(number, lambda _number, _frame: None)

        def received(_events: int) -> None:
            for number in set(read.recv(4096)):
                handlers[number]()

        self.add(read.fileno(), received)

    def stop(self) -> None:
        """Let :meth:`run` return after the callback that runs now."""
        self._running = False

    def run(self) -> None:
        """Call back until stopped."""
        self._running = True
        while self._running:
            due = min((timer.due for timer in self._timers if timer.due is not None), default=None)
            left = clock.real(max(0.0, due - self.now())) if due is not None else _LONGEST_WAIT
            wait = min(_LONGEST_WAIT, left)
            for fd, events in self._epoll.poll(wait):
                callback = self._readers.get(fd)
                if callback:
                    callback(events)
            self._fire()

    def _fire(self) -> None:
        now = self.now()
        for timer in self._timers:
            if timer.due is not None and timer.due <= now:
                timer.due = None
                timer.callback()
