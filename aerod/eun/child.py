# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon that runs as our child, with a configuration file that we write."""

from __future__ import annotations

import logging
import signal
import subprocess
from pathlib import Path

from aerod.shell.saved_state import write_atomically

log = logging.getLogger("aero-eun")

_STOP_TIMEOUT = 5.0  # seconds


class Child:
    """Runs ``command`` while it has a configuration.

    A new configuration is read on SIGHUP if ``reloads``, else by a new process.
    """

    def __init__(self, command: list[str], path: Path, reloads: bool) -> None:
        self._command = command
        self._path = path
        self._reloads = reloads
        self._text: str | None = None
        self._process: subprocess.Popen | None = None

    def configure(self, text: str | None) -> None:
        """Run with the configuration ``text``, or not at all if it is None.

        OSError if the program cannot be started.
        """
        if text is None:
            self.stop()
        elif self._process is None or text != self._text:
            write_atomically(self._path, text, 0o644)
            if self._process and self._reloads:
                self._process.send_signal(signal.SIGHUP)
            else:
                self.stop()
                self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
        self._text = text

    def stop(self) -> None:
        """End the process."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def reap(self) -> bool:
        """Whether the process died; if so the next :meth:`configure` starts it again."""
        if self._process is None or self._process.poll() is None:
            return False
        log.warning("%s ended with status %s", self._command[0], self._process.returncode)
        self._process = None
        return True
