# SPDX-License-Identifier: GPL-3.0-or-later
"""Daemons that are started again when they end, as systemd does it."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_RESTART_SEC = 0.5
_END_SEC = 10


class Supervised:
    """One daemon; ``command`` is run again half a second after it ended, until :meth:`stop`."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name = name
        self.log = log
        self.starts = 0
        self._command = command
        self._process: subprocess.Popen | None = None
        self._lock = threading.Lock()
        self._wanted = False
        self._ended = 0.0

    def start(self) -> None:
        """Run it from now on."""
        with self._lock:
            self._wanted = True
            self._spawn()

    def _spawn(self) -> None:
        self.starts += 1
        with self.log.open("a") as log:
            log.write(f"---- start {self.starts}\n")
            log.flush()
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT
            )

    def look(self) -> None:
        """Start it again if it has ended long enough ago."""
        with self._lock:
            if not self._wanted or self._process is None or self._process.poll() is None:
                self._ended = 0.0
                return
            now = time.monotonic()
            self._ended = self._ended or now
            if now - self._ended >= _RESTART_SEC:
                self._ended = 0.0
                self._spawn()

    def kill(self) -> None:
        """Kill it with -9, and leave the rest to the supervisor."""
        with self._lock, contextlib.suppress(ProcessLookupError):
            if self._process is not None:
                self._process.kill()

    def stop(self) -> None:
        """Kill it for good."""
        with self._lock:
            self._wanted = False
            if self._process is not None:
                self._process.kill()
                self._process.wait(_END_SEC)
                self._process = None

    def tail(self, lines: int) -> str:
        """The last lines it wrote."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Supervisor:
    """Looks after all daemons from a thread of its own."""

    def __init__(self) -> None:
        self.daemons: list[Supervised] = []
        self._running = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._running:
            for daemon in list(self.daemons):
                daemon.look()
            time.sleep(0.05)

    def stop(self) -> None:
        """Look no more, and end them all."""
        self._running = False
        self._thread.join()
        for daemon in self.daemons:
            daemon.stop()
