# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server of a test's own, reached over a socket in the test's directory."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ansible_collections.aero.link.plugins.module_utils import _back_end_postgresql as postgresql


class Server:
    """A cluster below ``directory``, which the user postgres must be able to enter."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory
        self._data = directory / "data"
        self._bin = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        shutil.chown(directory, "postgres")
        for parent in directory.parents:
            if parent.stat().st_mode & 0o005 != 0o005:
                parent.chmod(parent.stat().st_mode | 0o055)
        self._run("initdb", "--auth=peer", "--no-sync", "-D", str(self._data))

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-k {self.socket} -c listen_addresses= -c fsync=off"
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self.socket / "log"), "-o", options, "-w", "start")

    def stop(self) -> None:
        """Stop it at once."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

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
