# SPDX-License-Identifier: GPL-3.0-or-later
"""When the node's state is saved, and what is told of that.

A thread writes it: a disk may take its time, and packets are not to wait for it.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from threading import Thread
from typing import Any

from aerod.shell.loop import Loop
from aerod.shell.saved_state import SavedState

log = logging.getLogger("aerod")

_DELAY = 0.2  # seconds; what changes meanwhile is saved together
_SHARE = 20  # saving takes at most one part in this of the time
_AGAIN = 5.0  # seconds, after a save that failed


class Saving:
    """Saves what ``state()`` returns to ``file``; ``error`` is the reason why that fails now, or None."""

    def __init__(
        self, loop: Loop, file: SavedState, state: Callable[[], dict[str, Any]], counters: Counter[str]
    ) -> None:
        self._loop = loop
        self._file = file
        self._state = state
        self._counters = counters
        self.error: str | None = None
        self._timer = loop.timer(self._begin)
        self._cost = 0.0  # seconds that the last save took
        self._thread: Thread | None = None
        self._failure: OSError | None = None
        self._written = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        loop.add(self._written, lambda _events: self._end())

    def soon(self) -> None:
        """Save in a moment, together with what changes until then."""
        self._timer.set_earlier(self._loop.now() + max(_DELAY, _SHARE * self._cost))

    def now(self) -> None:
        """Save; after this the state is on the disk, or ``error`` says why not."""
        self._end()
        self._timer.set(None)
        self._write(self._file.pack(self._state()), time.monotonic())
        self._note()

    def _begin(self) -> None:
        if self._thread is not None:
            self.soon()
            return
        started = time.monotonic()
        self._thread = Thread(target=self._write_aside, args=(self._file.pack(self._state()), started))
        self._thread.start()

    def _write_aside(self, document: str, started: float) -> None:
        self._write(document, started)
        os.eventfd_write(self._written, 1)

    def _write(self, document: str, started: float) -> None:
        self._failure = None
        try:
            self._file.write(document)
        except OSError as error:
            self._failure = error
        self._cost = time.monotonic() - started

    def _end(self) -> None:
        """Wait for the thread if one is writing, and take note of what came of it."""
        if self._thread is None:
            return
        self._thread.join()
        self._thread = None
        os.eventfd_read(self._written)
        self._note()

    def _note(self) -> None:
        """Tell once that the state cannot be saved, and that it can be again."""
        failure = self._failure
        error = failure and (failure.strerror or str(failure))
        if error is not None:
            self._counters["save_failed"] += 1
            self._timer.set_earlier(self._loop.now() + _AGAIN)
        if error is None and self.error:
            log.info("the state is saved again")
        elif error != self.error:
            log.error("the state could not be saved, a restart would lose it: %s", error)
        self.error = error
