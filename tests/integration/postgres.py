# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server of a test's own, reached over a socket."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from ansible_collections.aero.link.plugins.module_utils import _back_end_postgresql as postgresql


class Server:
    """A cluster in a directory that everybody may enter."""

    def __init__(self) -> None:
        self.socket = Path(tempfile.mkdtemp(prefix="aero-postgresql-", dir="/var/tmp"))
        self.socket.chmod(0o755)
        self._data = self.socket / "data"
        self._bin = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        shutil.chown(self.socket, "postgres")
        self._run("initdb", "--auth=peer", "--no-sync", "-D", str(self._data))

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-k {self.socket} -c listen_addresses= -c fsync=off"
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self.socket / "log"), "-o", options, "-w", "start")

    def stop(self) -> None:
        """Stop it at once."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def destroy(self) -> None:
        """Stop it, if it runs, and remove all of it."""
        if (self._data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.socket)

    def _run(self, program: str, *arguments: str) -> None:
        command = ["runuser", "-u", "postgres", "--", str(self._bin / program), *arguments]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            check=False, cwd="/",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


class BackEnd(postgresql.Postgresql):
    """The back end at a server of a test's own."""

    def __init__(self, server: Server) -> None:
        super().__init__([*postgresql.PSQL, "-h", str(server.socket)])
        self._server = server

    def _restart(self) -> None:
        self._server.stop()
        self._server.start()
